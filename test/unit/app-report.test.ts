import { beforeAll, describe, expect, it, vi } from 'vitest';
import { groupFindings, repairOf, sentenceOf } from '../../src/app/report.ts';
import { words } from '../../src/app/words.svelte.ts';
import type { CheckReport, Finding } from '../../src/engine/index.ts';

// Of the page, the words know the languages that are wanted and the attribute that names theirs.
vi.hoisted(() => {
  vi.stubGlobal('navigator', { languages: ['en'] });
  vi.stubGlobal('document', { documentElement: {} });
});

beforeAll(async () => {
  await words.use('en');
  await words.loadImage();
});

function leak(repair: Finding['repair']): Finding {
  return { kind: 'leak', severity: 'leak', values: { cluster: 5 }, repair };
}

function reportOf(...findings: Finding[]): CheckReport {
  return {
    corruptions: 0,
    leaks: findings.length,
    checkErrors: 0,
    totalClusters: 10,
    allocatedClusters: 1,
    fragmentedClusters: 0,
    compressedClusters: 0,
    imageEndOffset: 65536,
    findings,
    findingCounts: { leak: findings.length },
    aborted: undefined,
  };
}

describe('the words for leaks', () => {
  it('are harmless while nothing else is wrong', () => {
    const [group] = groupFindings(reportOf(leak('safe'), leak('safe')));
    expect(group).toMatchObject({ kind: 'leak', total: 2 });
    expect(repairOf(group!)).toBe('safe');
    expect(sentenceOf(group!)).toBe(words.image.findings.leak);
  });

  it('warn of freeing them when one may be data that lost its pointer', () => {
    const [group] = groupFindings(reportOf(leak('safe'), leak('guess')));
    expect(repairOf(group!)).toBe('guess');
    expect(sentenceOf(group!)).toBe(words.image.findings['leak-doubtful']);
  });
});
