import { beforeAll, describe, expect, it, vi } from 'vitest';
import { compactName } from '../../src/app/compact.ts';
import { accountRows, figuresOf, gainsOf } from '../../src/app/diagnose-figures.ts';
import { actsOf, choicesFor, editOf } from '../../src/app/diagnose-remedies.ts';
import { diagnosisAsJson, diagnosisAsMarkdown, reportName } from '../../src/app/diagnose-report.ts';
import { findingWords } from '../../src/app/diagnose-words.ts';
import { guardKey } from '../../src/app/guard.ts';
import { type OpenImage, PANELS, panelKey } from '../../src/app/open-image.svelte.ts';
import { words } from '../../src/app/words.svelte.ts';
import { diagnosisOf, parseDiagnosis, type DiagnosisReport } from '../../src/engine/index.ts';
import { healthyFacts, healthyInfo, healthySurvey } from '../images/diagnosis-facts.ts';

// Of the page, the words know the languages that are wanted and the attribute that names theirs.
vi.hoisted(() => {
  vi.stubGlobal('navigator', { languages: ['en'] });
  const nothing = (): void => undefined;
  vi.stubGlobal('document', { documentElement: {}, addEventListener: nothing });
  vi.stubGlobal('addEventListener', nothing);
  vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener: nothing }));
  vi.stubGlobal('__APP_VERSION__', '0');
});

beforeAll(async () => {
  await words.use('en');
  await words.loadImage();
  await words.loadPart('diagnose');
});

/** Of an image with leaks, whose name wants to be a link. */
function report(): DiagnosisReport {
  const info = healthyInfo({ name: 'a|[b](http://c).qcow2' });
  const { check } = healthyFacts();
  const facts = healthyFacts({
    info,
    check: check && { ...check, leaks: 5, findingCounts: { leak: 5 } },
  });
  const date = new Date(facts.now).toISOString();
  return { ...diagnosisOf(facts), date, hashes: { metadata: 'ab', file: undefined } };
}

function imageOf(info = healthyInfo()): OpenImage {
  return { info, diskName: info.name } as OpenImage;
}

describe('panels', () => {
  it('have the keys 1 to 9, and 0 for the tenth', () => {
    expect(PANELS.map((_, index) => panelKey(index)).join('')).toBe('1234567890');
    expect(panelKey(10)).toBe('');
  });
});

describe('the figures of a diagnosis', () => {
  it('account for every byte of the file, tables by what they are', () => {
    const { space } = healthySurvey();
    const rows = accountRows(space);
    expect(rows.reduce((sum, { size }) => sum + size, 0)).toBe(space.fileSize);
    expect(rows.map(({ kind }) => kind)).toEqual(['active', 'metadata']);
    const [, tables] = rows;
    expect(tables?.parts.reduce((sum, { size }) => sum + size, 0)).toBe(tables?.size);
  });

  it('say fragmentation as qemu-img does, and pieces for each GiB', () => {
    const survey = healthySurvey();
    const order = survey.order && {
      ...survey.order,
      fragmented: 16384,
      extents: 100,
      backward: 25,
    };
    const figures = figuresOf(healthyFacts({ survey: { ...survey, order } }));
    const said = Object.fromEntries(figures.map(({ label, value }) => [label, value]));
    expect(said['Fragmented, as qemu-img counts']).toBe('50 % (16,384 of 32,768 clusters)');
    expect(said['Pieces of content']).toBe('100, 50 for each GiB');
    expect(said['Where reading goes back']).toBe('25 times (25 % of the pieces)');
    expect(said['Tables of addresses, all of the disk']).toBe('1.25 MiB');
  });

  it('offer to leave snapshots behind only where there are some', () => {
    const forecasts = { compact: 80, compactWithoutSnapshots: 60 };
    expect(gainsOf(100, forecasts, 0)).toEqual([{ kind: 'compact', size: 80, saved: 20 }]);
    expect(gainsOf(100, forecasts, 2)).toHaveLength(2);
  });
});

describe('remedies', () => {
  it('are no buttons where the image is no longer like that', () => {
    const acts = actsOf(imageOf(), [
      { kind: 'repair' },
      { kind: 'flatten' },
      { kind: 'delete-snapshot', name: 'gone' },
      { kind: 'delete-bitmap', name: 'gone' },
      { kind: 'convert', format: 'unheard-of', options: {}, compress: false },
      { kind: 'paste', lines: ['-drive file=FILE'] },
    ]);
    expect(acts).toEqual([{ kind: 'repair' }]);
  });

  it('name the snapshot by its id, too', () => {
    const [snapshot] = [{ id: '7', name: 'old' }];
    const info = { ...healthyInfo(), snapshots: [snapshot] } as ReturnType<typeof healthyInfo>;
    expect(editOf(imageOf(info), { kind: 'delete-snapshot', name: 'old' })).toEqual({
      kind: 'delete-snapshot',
      snapshot: { id: '7', name: 'old' },
    });
  });

  it('fill in the form of a conversion', () => {
    const options = { compression_type: 'zlib', cluster_size: '131072', compat: '0.10' };
    expect(choicesFor({ format: 'qcow2', options, compress: true })).toMatchObject({
      compression: 'zlib',
      cluster: '128k',
      compat: '0.10',
    });
  });
});

describe('the report', () => {
  it('as JSON is read again by what compares reports, with the words of each finding', () => {
    const text = diagnosisAsJson(report());
    expect(parseDiagnosis(text).kind).toBe('ok');
    const { findings } = JSON.parse(text) as { findings: Record<string, unknown>[] };
    expect(findings.length).toBeGreaterThan(0);
    expect(findings[0]).toHaveProperty('title', findingWords(report().findings[0]!).title);
  });

  it('as Markdown lets no name of an image be markup', () => {
    const { name } = report().facts.info;
    const text = diagnosisAsMarkdown(name, report());
    expect(text).toContain('# Diagnosis of a\\|\\[b\\](http://c).qcow2');
    expect(text).toContain(findingWords(report().findings[0]!).title);
    expect(text).toContain('| Header and tables | 512 KiB | \\< 1 % |');
  });

  it('is named by image and day', () => {
    expect(reportName('web-01.qcow2', 'json', '2026-11-22T10:00:00Z')).toBe(
      'web-01-diagnosis-2026-11-22.json',
    );
  });
});

it('a compacted image has a name of its own, as qcow2', () => {
  expect(compactName('web-01.qcow2')).toBe('web-01-compact.qcow2');
  expect(compactName('web-01.img')).toBe('web-01-compact.qcow2');
  expect(compactName('web-01')).toBe('web-01-compact.qcow2');
});

it('a base is remembered for one overlay and the name that it has for it', () => {
  expect(guardKey('a', undefined)).toBeUndefined();
  expect(guardKey('a', 'base')).not.toBe(guardKey('b', 'base'));
  expect(guardKey('a', 'base')).not.toBe(guardKey('a', 'other'));
});
