/** Looking for bytes, against the plainest search there is. */
import { describe, expect, it } from 'vitest';
import { openImage, searchDisk, searchFile } from '../../src/engine/index.ts';
import { Finder } from '../../src/engine/operations/search-finder.ts';
import { Patterns, type Match } from '../../src/engine/operations/search-patterns.ts';
import { buildQcow2, guestContent, type ClusterSpec } from '../images/build-qcow2.ts';
import { DamagedMedium } from '../images/damaged-medium.ts';
import { memory } from '../images/memory.ts';
import { noise } from '../images/noise.ts';
import { randomFor } from '../images/wounds.ts';

/** Every place in turn; the longest of what is there; behind it. */
function plainSearch(
  bytes: Uint8Array,
  patterns: readonly Uint8Array[],
  ignoreCase = false,
): Match[] {
  const fold = (byte: number) => (ignoreCase && byte >= 65 && byte <= 90 ? byte + 32 : byte);
  const matches: Match[] = [];
  const isAt = (at: number, pattern: Uint8Array) => {
    if (pattern.length > bytes.length - at) return false;
    for (let i = 0; i < pattern.length; i++) {
      if (fold(pattern[i] ?? -1) !== fold(bytes[at + i] ?? -2)) return false;
    }
    return true;
  };
  for (let at = 0; at < bytes.length;) {
    let length = 0;
    for (const pattern of patterns) {
      if (pattern.length > length && isAt(at, pattern)) length = pattern.length;
    }
    if (length > 0) matches.push({ offset: at, length });
    at += length === 0 ? 1 : length;
  }
  return matches;
}

const text = (value: string) => new TextEncoder().encode(value);
const everything = { ignoreCase: false, from: 0, to: Infinity, most: 100_000 };

describe('patterns in pieces', () => {
  it('finds the same however the bytes come, zeros by their number among them', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = randomFor(seed);
      const alphabet = 2 + random(3);
      const ignoreCase = random(2) === 1;
      const letters = ignoreCase ? 'aAbB\0' : '\0ab\xffc';
      const byte = () => letters.charCodeAt(random(alphabet));
      const patterns = Array.from({ length: 1 + random(4) }, () =>
        Uint8Array.from({ length: 1 + random(random(2) === 0 ? 3 : 9) }, byte),
      );
      const finder = new Finder(new Patterns(patterns, ignoreCase), 0, Infinity);
      const pieces: Uint8Array[] = [];
      let at = 0;
      for (let piece = 0; piece < 12; piece++) {
        // A long run of zeros is passed over in one step.
        const zeros = random(6) === 0 ? random(2) * 66_000 + random(4) : 0;
        const bytes =
          zeros > 0 ? new Uint8Array(zeros) : Uint8Array.from({ length: random(9) }, byte);
        if (zeros > 0) finder.zeros(at, zeros);
        else finder.feed(at, bytes);
        pieces.push(bytes);
        at += bytes.length;
      }
      finder.flush();
      const whole = new Uint8Array(Buffer.concat(pieces));
      const expected = plainSearch(whole, patterns, ignoreCase);
      expect(JSON.stringify(finder.matches), String(seed)).toBe(JSON.stringify(expected));
    }
  });

  it('finds the same in long stretches, wherever they begin', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = randomFor(seed);
      const ignoreCase = random(2) === 1;
      const letters = ignoreCase ? 'aAbB.' : '\0ab\xffc';
      // Many of one letter: what looks like a pattern is mostly none.
      const byte = () => letters.charCodeAt(random(random(3) === 0 ? 5 : 2));
      const least = 1 + random(6);
      const patterns = Array.from({ length: 1 + random(4) }, () =>
        Uint8Array.from({ length: least + random(random(2) === 0 ? 3 : 40) }, byte),
      );
      const start = random(8);
      const whole = Uint8Array.from({ length: start + 3000 + random(8) }, byte).subarray(start);
      for (const pattern of patterns) whole.set(pattern, random(whole.length - pattern.length));
      const finder = new Finder(new Patterns(patterns, ignoreCase), 0, Infinity);
      const cut = random(whole.length);
      finder.feed(0, whole.subarray(0, cut));
      finder.feed(cut, whole.subarray(cut));
      finder.flush();
      const expected = plainSearch(whole, patterns, ignoreCase);
      expect(JSON.stringify(finder.matches), String(seed)).toBe(JSON.stringify(expected));
    }
  });

  it('goes on by another way where too much looks like a pattern', () => {
    const pattern = new Uint8Array(200).fill(65);
    pattern[199] = 66;
    const bytes = new Uint8Array(60_000).fill(65);
    bytes[40_000] = 66;
    const finder = new Finder(new Patterns([pattern, text('none')], false), 0, 10);
    finder.feed(0, bytes);
    finder.flush();
    expect(finder.matches).toEqual([{ offset: 39_801, length: 200 }]);
  });

  it('takes hundreds of patterns at once', () => {
    const patterns = Array.from({ length: 400 }, (_, index) => text(`<${index * 7919}>`));
    const whole = noise(1, 64 * 1024);
    for (const [index, pattern] of patterns.entries()) whole.set(pattern, index * 160);
    const finder = new Finder(new Patterns(patterns, false), 0, Infinity);
    finder.feed(0, whole);
    finder.flush();
    expect(finder.matches).toEqual(plainSearch(whole, patterns));
  });

  it('finds nothing across a gap', () => {
    const finder = new Finder(new Patterns([text('abcd')], false), 0, 10);
    finder.feed(0, text('xxab'));
    finder.feed(10, text('cdabcd'));
    finder.flush();
    expect(finder.matches).toEqual([{ offset: 12, length: 4 }]);
  });

  it('goes on by another way where the rarest byte is everywhere', () => {
    const bytes = new Uint8Array(3_000_000).fill(0x41);
    bytes.set(text('AZA'), 2_999_000);
    const finder = new Finder(new Patterns([text('AAZ')], false), 0, 10);
    finder.feed(0, bytes);
    finder.flush();
    expect(finder.matches).toEqual([{ offset: 2_998_999, length: 3 }]);
    const often = new Finder(new Patterns([text('AAB')], false), 0, 10);
    often.feed(0, bytes.fill(0x42));
    often.flush();
    expect(often.matches).toEqual([]);
  });
});

describe('a disk', () => {
  const CLUSTER = 4096;
  const data = (fill: string, at: number): ClusterSpec => {
    const bytes = noise(at, CLUSTER);
    bytes.set(text(fill), at);
    return { kind: 'data', bytes };
  };
  /** The needle lies across two clusters that are far from each other in the file. */
  const spec = {
    ...{ version: 3, clusterBits: 12, refcountOrder: 4, size: 40 * CLUSTER },
    clusters: new Map<number, ClusterSpec>([
      [30, data('dle in the hay', 0)],
      [29, data('nee', CLUSTER - 3)],
      [3, { kind: 'compressed', bytes: noise(3, CLUSTER, 7) }],
      [7, data('NEEDLE', 100)],
      [8, { kind: 'zero' }],
    ]),
  } as unknown as Parameters<typeof buildQcow2>[0];

  it('is searched as the guest sees it, not as the file has it', async () => {
    const image = buildQcow2(spec);
    const storage = await memory(image.bytes);
    const disk = await openImage(storage);
    const patterns = [text('needle')];
    const exact = await searchDisk(disk, { ...everything, patterns });
    const offset = 30 * CLUSTER - 3;
    expect(exact.matches).toEqual([{ offset, length: 6 }]);
    expect(exact).toMatchObject({ end: 40 * CLUSTER, unreadable: 0 });
    const any = await searchDisk(disk, { ...everything, patterns, ignoreCase: true });
    expect(any.matches).toEqual([
      { offset: 7 * CLUSTER + 100, length: 6 },
      { offset, length: 6 },
    ]);
    expect((await searchFile(storage, { ...everything, patterns })).matches).toEqual([]);
  });

  it('is searched between two places only, and ends after so many', async () => {
    const disk = await openImage(await memory(buildQcow2(spec).bytes));
    const patterns = [text('needle')];
    const part = { ...everything, patterns, ignoreCase: true };
    const offset = 7 * CLUSTER + 100;
    const cut = await searchDisk(disk, { ...part, from: offset + 1, to: 30 * CLUSTER + 2 });
    expect(cut.matches).toEqual([]);
    const exact = await searchDisk(disk, { ...part, from: offset, to: offset + 6 });
    expect(exact.matches).toEqual([{ offset, length: 6 }]);
    const first = await searchDisk(disk, { ...part, most: 1 });
    expect(first).toMatchObject({ matches: [{ offset, length: 6 }], end: offset + 6 });
    const next = await searchDisk(disk, { ...part, from: first.end, most: 1 });
    expect(next.matches).toEqual([{ offset: 30 * CLUSTER - 3, length: 6 }]);
  });

  it('has zeros where nothing is in the file', async () => {
    const disk = await openImage(await memory(buildQcow2(spec).bytes));
    const patterns = [new Uint8Array(1000)];
    const found = await searchDisk(disk, { ...everything, patterns });
    const content = guestContent(spec);
    const expected = plainSearch(content, patterns);
    expect(expected.length).toBeGreaterThan(100);
    expect(JSON.stringify(found.matches)).toBe(JSON.stringify(expected));
    expect(found.searched).toBeLessThan(10 * CLUSTER);
  });

  it('is searched around what the medium does not give', async () => {
    const bytes = noise(5, 64 * 1024);
    bytes.set(text('needle'), 1000);
    bytes.set(text('needle'), 20_990);
    bytes.set(text('needle'), 50_000);
    const medium = new DamagedMedium({ content: bytes });
    medium.bad = new Set([20_992 / 512]);
    const found = await searchFile(medium, { ...everything, patterns: [text('needle')] });
    expect(found.matches.map(({ offset }) => offset)).toEqual([1000, 50_000]);
    expect(found.unreadable).toBe(512);
  });

  it('is left at once when it is cancelled', async () => {
    const storage = await memory(new Uint8Array(40_000_000).fill(1));
    const controller = new AbortController();
    let progress = 0;
    const running = searchFile(storage, {
      ...{ ...everything, patterns: [text('x')], signal: controller.signal },
      progress: ({ done }) => {
        progress = done;
        if (done > 1_000_000) controller.abort();
      },
    });
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
    expect(progress).toBeLessThan(3_000_000);
  });
});
