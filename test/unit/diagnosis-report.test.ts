import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ZH_COMPARISON_WORDS } from '../../src/app/text/diagnosis/zh-CN-comparison.ts';
import { ZH_REPORT_WORDS } from '../../src/app/text/diagnosis/zh-CN-report.ts';
import { ZH_DIAGNOSIS_TEXTS } from '../../src/app/text/diagnosis/zh-CN.ts';
import { toTerminal } from '../../src/command/diagnose-text.ts';
import { DIAGNOSIS_TEXTS } from '../../src/command/diagnosis/all.ts';
import { COMPARISON_WORDS } from '../../src/command/diagnosis/comparison.ts';
import { toMarkdown } from '../../src/command/diagnosis/markdown.ts';
import { titleOf, type Language } from '../../src/command/diagnosis/outline.ts';
import { commandsFor } from '../../src/command/diagnosis/remedy.ts';
import { plainFormat, REPORT_WORDS } from '../../src/command/diagnosis/report-words.ts';
import { formatSize } from '../../src/command/sizes.ts';
import {
  compareDiagnoses,
  parseDiagnosis,
  type Diagnosis,
  type DiagnosisFinding,
  type DiagnosisReport,
  type Grade,
  type SpaceAccount,
} from '../../src/engine/index.ts';
import type { FileSystemInfo } from '../../src/engine/guest/file-system.ts';
import { healthyFacts, healthyInfo, healthySurvey } from '../images/diagnosis-facts.ts';

const GIB = 2 ** 30;
const DAY = 24 * 60 * 60 * 1000;
const NOW = Date.UTC(2026, 0, 31);
const format = plainFormat(formatSize);
const ENGLISH: Language = {
  ...{ texts: DIAGNOSIS_TEXTS, words: REPORT_WORDS, comparison: COMPARISON_WORDS, format },
};
const CHINESE: Language = {
  ...{ texts: ZH_DIAGNOSIS_TEXTS, words: ZH_REPORT_WORDS, comparison: ZH_COMPARISON_WORDS, format },
};

/** A finding with a code of no rule: comparing and laying out do not ask what it means. */
function finding(code: string, grade: Grade, values: object): DiagnosisFinding {
  const made = { code, area: 'space', grade, values, places: [], remedies: [] };
  return made as unknown as DiagnosisFinding;
}

function diagnosis(change: Partial<Diagnosis> = {}, now = NOW): DiagnosisReport {
  const facts = healthyFacts({ now });
  const hashes = { metadata: undefined, file: undefined };
  const date = new Date(now).toISOString();
  return { schema: 1, verdict: 'healthy', findings: [], facts, date, hashes, ...change };
}

function ext4(change: Partial<FileSystemInfo> = {}): FileSystemInfo {
  return {
    ...{ kind: 'ext4', label: 'data', uuid: '11-22', size: 8 * GIB, used: 2 * GIB },
    ...{ blockSize: 4096, isDirty: false, isCut: false, isDamaged: false },
    ...change,
  };
}

const guestOf = (whole: FileSystemInfo) => ({ table: undefined, inside: [], whole });

describe('comparing diagnoses', () => {
  test('what is new, gone, graver and better is told apart by what it speaks of', () => {
    const earlier = diagnosis({
      findings: [
        finding('snapshot', 'advice', { name: 'a', bytes: 1 }),
        finding('snapshot', 'advice', { name: 'b', bytes: 1 }),
        finding('leaks', 'note', { bytes: 5 }),
        finding('dirty', 'problem', {}),
        finding('other', 'note', { name: 'x' }),
      ],
    });
    const now = diagnosis({
      findings: [
        finding('leaks', 'problem', { bytes: 500 }),
        finding('snapshot', 'note', { name: 'b', bytes: 9 }),
        finding('snapshot', 'advice', { name: 'c', bytes: 1 }),
        finding('snapshot', 'advice', { name: 'd', bytes: 1 }),
        finding('other', 'note', { name: 'y' }),
      ],
    });
    const compared = compareDiagnoses(earlier, now);
    const names = (list: readonly { values: object }[]) => list.map(({ values }) => values);
    expect(names(compared.appeared)).toEqual([
      { name: 'c', bytes: 1 },
      { name: 'd', bytes: 1 },
    ]);
    expect(names(compared.gone)).toEqual([{ name: 'a', bytes: 1 }, {}]);
    expect(compared.graver.map(({ before, finding: { code } }) => [before, code])).toEqual([
      ['note', 'leaks'],
    ]);
    expect(names(compared.better.map(({ finding: one }) => one))).toEqual([
      { name: 'b', bytes: 9 },
    ]);
    // Alone of its code on both sides: the same with another name.
    expect(compared.unchanged).toBe(1);
  });

  test('growth is told a day, and when the file and the file systems will be full', () => {
    const space = (active: number): SpaceAccount => ({ ...healthySurvey().space, active });
    const factsAt = (used: number, now: number) =>
      healthyFacts({
        ...{ now, guest: guestOf(ext4({ used })), info: healthyInfo({ fileSize: used }) },
        survey: healthySurvey({ space: space(used) }),
      });
    const earlier = diagnosis({ facts: factsAt(2 * GIB, NOW - 10 * DAY) });
    const now = diagnosis({ facts: factsAt(4 * GIB, NOW) });
    const { growth, full, days, sameness } = compareDiagnoses(earlier, now);
    expect(days).toBe(10);
    expect(sameness).toBe('same');
    expect(growth).toEqual([
      { part: 'fileSize', before: 2 * GIB, now: 4 * GIB, perDay: GIB / 5 },
      { part: 'active', before: 2 * GIB, now: 4 * GIB, perDay: GIB / 5 },
    ]);
    expect(full.map(({ what, days: left, limit }) => [what, left, limit > 8 * GIB])).toEqual([
      ['file-system', 20, false],
      ['file', (now.facts.info.virtualSize - 4 * GIB) / (GIB / 5), true].map((value) =>
        typeof value === 'number' ? (expect.closeTo(value, 0) as number) : value,
      ),
    ]);
    expect(full[0]?.at).toBe(NOW + 20 * DAY);
    // Within minutes nothing can be said of a day; backwards in time neither.
    for (const then of [NOW - DAY / 100, NOW + DAY]) {
      const soon = compareDiagnoses(diagnosis({ facts: factsAt(2 * GIB, then) }), now);
      expect(soon.growth.map(({ perDay }) => perDay)).toEqual([undefined, undefined]);
      expect(soon.full).toEqual([]);
    }
    const shrunk = compareDiagnoses(now, { ...earlier, facts: factsAt(GIB, NOW + DAY) });
    expect(shrunk.full).toEqual([]);
    expect(shrunk.growth[0]?.perDay).toBe(-3 * GIB);
  });

  test('whether it is the same image at all', () => {
    const facts = (uuid: string, format: 'qcow2' | 'vdi' = 'qcow2') =>
      healthyFacts({
        guest: uuid === '' ? undefined : guestOf(ext4({ uuid })),
        info: healthyInfo({ format }),
      });
    const compared = (before: Diagnosis['facts'], now: Diagnosis['facts']) =>
      compareDiagnoses(diagnosis({ facts: before }), diagnosis({ facts: now }));
    expect(compared(facts('a'), facts('a')).sameness).toBe('same');
    expect(compared(facts('a', 'vdi'), facts('a')).sameness).toBe('same');
    expect(compared(facts('a'), facts('b'))).toMatchObject({
      ...{ sameness: 'other', differences: ['guest'] },
    });
    expect(compared(facts(''), facts('a')).sameness).toBe('likely');
    expect(compared(facts('', 'vdi'), facts(''))).toMatchObject({
      ...{ sameness: 'unclear', differences: ['format'] },
    });
    const hashed = { ...diagnosis(), hashes: { metadata: 'a'.repeat(64), file: undefined } };
    expect(compareDiagnoses(hashed, hashed)).toMatchObject({ sameness: 'same', untouched: true });
  });

  test('snapshots and the chain', () => {
    const snapshot = (id: string, name: string) => ({
      ...{ id, name, vmStateSize: 0, dateSeconds: 5, dateNanoseconds: 0, vmClockNanoseconds: 0 },
      ...{ icount: undefined, diskSize: GIB },
    });
    const [layer] = healthyFacts().chain;
    const below = (name: string, change = {}) => ({ ...layer, name, missing: false, ...change });
    const facts = (snapshots: ReturnType<typeof snapshot>[], ...chain: object[]) =>
      healthyFacts({
        info: healthyInfo({ snapshots }),
        chain: [layer, ...chain] as Diagnosis['facts']['chain'],
      });
    const before = facts(
      [snapshot('1', 'a'), snapshot('2', 'b')],
      ...[below('base'), below('old'), below('lost'), below('kept', { modified: 7 })],
    );
    const now = facts(
      [snapshot('2', 'b'), snapshot('3', 'a')],
      ...[below('base', { fileSize: 9 }), below('lost', { missing: true })],
      ...[below('kept', { modified: 8 }), below('new')],
    );
    const compared = compareDiagnoses(diagnosis({ facts: before }), diagnosis({ facts: now }));
    expect(compared.snapshotsAdded.map(({ id }) => id)).toEqual(['3']);
    expect(compared.snapshotsRemoved.map(({ id }) => id)).toEqual(['1']);
    expect(compared.chain.map(({ kind, name }) => [kind, name])).toEqual([
      ...[
        ['removed', 'old'],
        ['file-size', 'base'],
        ['missing', 'lost'],
      ],
      ...[
        ['written', 'kept'],
        ['added', 'new'],
      ],
    ]);
  });
});

describe('reading a report', () => {
  const whole = diagnosis({
    verdict: 'problem',
    findings: [finding('leaks', 'problem', { bytes: 5, names: ['a', 'b'] })],
    facts: healthyFacts({ guest: guestOf(ext4()) }),
  });

  test('what was written can be compared as if it had been kept', () => {
    const parsed = parseDiagnosis(JSON.stringify(whole));
    if (parsed.kind !== 'ok') throw new Error(parsed.reason);
    expect(compareDiagnoses(parsed.report, whole)).toEqual(compareDiagnoses(whole, whole));
    expect(parsed.report.findings[0]?.values).toEqual({ bytes: 5, names: ['a', 'b'] });
  });

  test.each([
    ['', 'not-json', ''],
    ['<html>', 'not-json', ''],
    ['['.repeat(100_000), 'not-json', ''],
    ['null', 'foreign', ''],
    ['{"virtual-size": 5}', 'foreign', ''],
    [JSON.stringify({ ...whole, schema: 2 }), 'version', 'schema'],
    [JSON.stringify({ ...whole, verdict: 'fine' }), 'damaged', 'verdict'],
    [JSON.stringify({ ...whole, findings: [5] }), 'damaged', 'findings[0]'],
    [withInfo({ fileSize: '5' }), 'damaged', 'facts.info.fileSize'],
    [withInfo({ fileSize: -1 }), 'damaged', 'facts.info.fileSize'],
    [withInfo({ snapshots: {} }), 'damaged', 'facts.info.snapshots'],
    [withInfo({ name: null }), 'damaged', 'facts.info.name'],
    [' '.repeat(17 * 1024 * 1024), 'too-large', ''],
  ])('%.40s is refused: %s %s', (text, reason, where) => {
    expect(parseDiagnosis(text)).toEqual({ kind: 'refused', reason, where });
  });

  function withInfo(change: object): string {
    const { facts } = whole;
    return JSON.stringify({ ...whole, facts: { ...facts, info: { ...facts.info, ...change } } });
  }

  test('nothing of it gets further than as plain text of bounded length', () => {
    const text = JSON.stringify(whole)
      .replace('"bytes":5', '"__proto__":{"polluted":1},"deep":{"a":[1]},"bytes":5')
      .replace('"names":["a"', '"names":["\\u001b[2J"')
      .replace('"disk.qcow2"', `"${'x'.repeat(10_000)}"`);
    const parsed = parseDiagnosis(text);
    if (parsed.kind !== 'ok') throw new Error(parsed.reason);
    const { findings, facts } = parsed.report;
    expect(findings[0]?.values).toEqual({ bytes: 5, names: ['\uFFFD[2J', 'b'] });
    expect(Object.getPrototypeOf(findings[0]?.values)).toBe(Object.prototype);
    expect(facts.info.name).toHaveLength(4096);
    const late = JSON.stringify({ ...whole, facts: { ...whole.facts, now: 9e15 } });
    expect(parseDiagnosis(late)).toMatchObject({ where: 'facts.now' });
  });

  test('a title is made again where its values make sense, else it is that of the file', () => {
    const old = { code: 'of-another-version', values: {}, title: 'Old words' };
    expect(titleOf(old, ENGLISH)).toBe('Old words');
    expect(titleOf({ code: 'toString', values: {} }, ENGLISH)).toBe('toString');
    for (const code of Object.keys(DIAGNOSIS_TEXTS)) {
      for (const language of [ENGLISH, CHINESE]) {
        expect(titleOf({ code, values: {} }, language), code).not.toMatch(/undefined|NaN/);
      }
    }
  });
});

describe('commands of remedies', () => {
  test.each([
    [{ kind: 'repair' }, 'qemu-img check -r all d.qcow2'],
    [{ kind: 'compact', snapshots: true }, 'qemu-img compact d.qcow2 d-compact.qcow2'],
    [
      { kind: 'compact', snapshots: false },
      'qemu-img compact --no-snapshots d.qcow2 d-compact.qcow2',
    ],
    [
      { kind: 'convert', format: 'vpc', options: { subformat: 'fixed', x: 'a,b' }, compress: true },
      'qemu-img convert -p -c -O vpc -o subformat=fixed,x=a,,b d.qcow2 d-converted.vhd',
    ],
    [
      { kind: 'amend', options: { compat: '1.1', lazy_refcounts: 'on' } },
      'qemu-img amend -o compat=1.1,lazy_refcounts=on d.qcow2',
    ],
    [{ kind: 'relink', format: 'raw' }, "qemu-img rebase -u -b 'my base' -F raw d.qcow2"],
    [{ kind: 'flatten' }, "qemu-img rebase -p -b '' d.qcow2"],
    [{ kind: 'commit' }, 'qemu-img commit -p d.qcow2'],
    [{ kind: 'delete-snapshot', name: "it's" }, "qemu-img snapshot -d 'it'\\''s' d.qcow2"],
    [{ kind: 'delete-bitmap', name: '-b' }, 'qemu-img bitmap --remove -- d.qcow2 -b'],
    [{ kind: 'deep' }, 'qemu-img diagnose --deep d.qcow2'],
    [{ kind: 'guard' }, 'qemu-img guard --keep d.qcow2'],
    [{ kind: 'paste', lines: ['-drive file=FILE,cache=none'] }, '-drive file=d.qcow2,cache=none'],
  ] as const)('%j', (remedy, line) => {
    const copied = structuredClone(remedy) as Parameters<typeof commandsFor>[0];
    expect(commandsFor(copied, 'd.qcow2', { backing: 'my base' })).toEqual([line]);
  });

  test('names that would mean something else to a shell or to the program', () => {
    const check = (name: string) => commandsFor({ kind: 'repair' }, name)[0];
    expect(check('-rf.qcow2')).toBe('qemu-img check -r all ./-rf.qcow2');
    expect(check('nbd:x')).toBe('qemu-img check -r all ./nbd:x');
    expect(check('$(rm x); a b')).toBe("qemu-img check -r all '$(rm x); a b'");
    const paste = (line: string, name: string) =>
      commandsFor({ kind: 'paste', lines: [line] }, name)[0];
    expect(paste('chattr +C FILE', 'a b')).toBe("chattr +C 'a b'");
    expect(paste('-drive file=FILE,if=virtio', 'a, b')).toBe("-drive 'file=a,, b,if=virtio'");
    expect(paste("<source file='FILE'/>", "a'b&c")).toBe("<source file='a&apos;b&amp;c'/>");
    expect(paste('echo PROFILE', 'a')).toBe('echo PROFILE');
    // What stands for something in a replacement stays what it is.
    expect(paste('x=FILE', '$&$1')).toBe("'x=$&$1'");
  });
});

describe('a report to keep', () => {
  const source = {
    report: diagnosis({
      ...{ verdict: 'problem' },
      facts: healthyFacts({ info: healthyInfo({ name: '# [a](http://x)\u001b[2J|`<b>' }) }),
    }),
    ...{ fileName: 'd.qcow2', unreadable: 'it is locked' },
    comparison: compareDiagnoses(diagnosis({}, NOW - 30 * DAY), diagnosis()),
  };

  test('in Markdown, in both languages, nothing of a name means anything', () => {
    const english = toMarkdown(source, ENGLISH);
    expect(english).toContain('# Diagnosis of # \\[a\\](http://x)\uFFFD\\[2J\\|\\`\\<b\\>\n');
    expect(english).toContain('| Content of the disk | 2 GiB | 100 % |');
    expect(english).toContain('| The whole file | 2 GiB |  |');
    expect(english).toContain('## Compared with the report of 2026-01-01 00:00 UTC');
    expect(english).toContain('That was 30 days earlier.');
    const chinese = toMarkdown(source, CHINESE);
    expect(chinese).toContain('| 磁盘内容 | 2 GiB | 100 % |');
    expect(chinese).not.toMatch(/[!！]|undefined|NaN/);
    expect(chinese.split('\n## ')).toHaveLength(english.split('\n## ').length);
  });

  test('what would make it smaller is said, but not while data are in danger', () => {
    const forecasts = { compact: GIB, compactWithoutSnapshots: GIB };
    const facts = healthyFacts({ survey: healthySurvey({ forecasts }) });
    const said = (verdict: Diagnosis['verdict']) =>
      toMarkdown({ report: diagnosis({ facts, verdict }), fileName: 'd.qcow2' }, ENGLISH);
    expect(said('problem')).toContain('| Written anew in order (compact) | 1 GiB | 1 GiB |');
    expect(said('danger')).not.toContain('Written anew');
  });

  test('in a terminal, nothing moves the cursor, and words stay within 80 columns', () => {
    const text = toTerminal(source, ENGLISH);
    expect(text).not.toContain('\u001b');
    expect(text).toContain('could not be read: it is locked');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });
});

test('every code is documented: scripts go by them', () => {
  const documented = readFileSync('docs/diagnose.md', 'utf8');
  const codes = Object.keys(DIAGNOSIS_TEXTS).filter((code) => !code.endsWith('-example'));
  expect(codes.filter((code) => !documented.includes(`| \`${code}\` `))).toEqual([]);
});
