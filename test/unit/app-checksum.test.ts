import { describe, expect, it } from 'vitest';
import { contentSeconds, fileSeconds } from '../../src/app/checksum-forecast.ts';
import { ChecksumState } from '../../src/app/checksum-state.svelte.ts';
import { LIST_NAME } from '../../src/app/list-name.ts';
import { verdictWords, type VerdictWords } from '../../src/app/checksum-verdict.ts';
import { enChecksum } from '../../src/app/text/en-checksum.ts';
import type { ChecksumResult, CheckReport, Expectation, ImageInfo } from '../../src/worker/api.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);

const result = (digest: string): ChecksumResult => ({
  algorithm: 'sha256',
  digest,
  size: 1000,
  milliseconds: 1,
});

function wordsOf(change: (state: ChecksumState) => void, size = 1000): VerdictWords | undefined {
  const state = new ChecksumState();
  change(state);
  return verdictWords(state, { name: 'disk.qcow2', size }, enChecksum.verdict, 'en');
}

const listed = (size?: number): Expectation => ({
  kind: 'listed',
  name: 'disk.qcow2',
  algorithm: 'sha256',
  digests: [A],
  size,
});

describe('the verdict in words', () => {
  it('is none while nothing is known', () => {
    expect(wordsOf(() => undefined)).toBeUndefined();
    expect(wordsOf((state) => (state.expectation = listed()))).toBeUndefined();
    expect(wordsOf((state) => (state.expectation = listed(1000)))).toBeUndefined();
  });

  it('a size alone tells that it is another file', () => {
    const shorter = wordsOf((state) => (state.expectation = listed(3048)));
    expect(shorter).toMatchObject({ tone: 'bad' });
    expect(shorter?.body).toEqual(['The download was cut off: 2 KiB are missing at the end.']);
    const longer = wordsOf((state) => (state.expectation = listed(488)));
    expect(longer?.body).toEqual(['It is 512 B longer than the published file.']);
  });

  it('a match says which file it is and how far that goes', () => {
    const words = wordsOf((state) => (state.verdict = { kind: 'match', name: 'disk.qcow2' }));
    expect(words).toMatchObject({ tone: 'good', title: 'The download is whole' });
    expect(words?.note).toContain('Signatures in lists are not checked');
  });

  it('a mismatch shows both digests, and what the file is instead', () => {
    const words = wordsOf((state) => {
      state.expectation = listed(500);
      state.verdict = { kind: 'mismatch', expected: [A], other: 'other.qcow2' };
      state.file.results = { sha256: result(B) };
      state.content.results = { sha256: result(A) };
    });
    expect(words?.tone).toBe('bad');
    expect(words?.digests.map(({ digest }) => digest)).toEqual([A, B]);
    expect(words?.body).toHaveLength(4);
    expect(words?.body.join(' ')).toMatch(/500 B longer.*“other.qcow2”.*that of the content/);
  });

  it('a list with many other files names some', () => {
    const names = Array.from({ length: 30 }, (_, i) => `disk-${i}.qcow2`);
    const words = wordsOf((state) => (state.verdict = { kind: 'not-listed', names }));
    expect(words?.tone).toBe('unknown');
    expect(words?.body.at(-1)).toMatch(/disk-7\.qcow2, … and 22 more$/);
  });
});

describe('names of lists', () => {
  it.each([
    ...['SHA256SUMS', 'SHA512SUMS', 'sha256sum.txt', 'SHA256SUMS.asc', 'CHECKSUM', 'MD5SUMS'],
    ...['Fedora-Cloud-41-1.4-x86_64-CHECKSUM', 'disk.qcow2.sha256', 'disk.img.sha512sum'],
    ...['checksums.txt', 'disk.SHA-256', 'noble_sha256'],
  ])('%s is one', (name) => {
    expect(LIST_NAME.test(name)).toBe(true);
  });

  it.each(['disk.qcow2', 'shared.img', 'sha256.qcow2', 'checksum.raw', 'notes.txt', 'geisha'])(
    '%s is none',
    (name) => {
      expect(LIST_NAME.test(name)).toBe(false);
    },
  );
});

describe('how long it will take', () => {
  const info = { fileSize: 360e6, virtualSize: 900e9, clusterSize: 65536 } as ImageInfo;

  it('of a file by its size and the algorithm', () => {
    expect(fileSeconds(info, 'sha256')).toBe(2);
    expect(fileSeconds(info, 'sha512')).toBeGreaterThan(6);
  });

  it('of the content by its data and its zeros', () => {
    const { all, zeros } = contentSeconds(info, undefined);
    expect(zeros).toBeGreaterThan(1000);
    expect(all - zeros).toBeCloseTo(2, 5);
    const report = { allocatedClusters: 1e6 } as CheckReport;
    expect(contentSeconds(info, report).zeros).toBeLessThan(zeros);
  });
});
