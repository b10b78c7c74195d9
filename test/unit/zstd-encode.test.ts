/** Our Zstandard encoder by our decoder, which knows the reference's frames (zstd.test.ts). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { zstdCluster } from '../../src/engine/codecs/zstd/encode/frame-encoder.ts';
import { MatchFinder } from '../../src/engine/codecs/zstd/encode/matches.ts';
import { unzstdCluster } from '../../src/engine/codecs/zstd/frame.ts';

function expectBack(cluster: Uint8Array): Uint8Array | undefined {
  const packed = zstdCluster(cluster);
  if (packed === undefined) return undefined;
  expect(packed.length).toBeLessThan(cluster.length);
  const target = new Uint8Array(cluster.length);
  expect(unzstdCluster(packed, target)).toBe('ok');
  expect(Buffer.compare(target, cluster)).toBe(0);
  return packed;
}

/** Bytes that repeat themselves more or less: an alphabet, and pieces copied from before. */
const anyCluster = fc
  .record({
    bits: fc.integer({ min: 9, max: 18 }),
    alphabet: fc.integer({ min: 1, max: 256 }),
    skew: fc.integer({ min: 1, max: 6 }),
    copies: fc.integer({ min: 0, max: 100 }),
    seed: fc.integer(),
  })
  .map(({ bits, alphabet, skew, copies, seed }) => {
    let state = seed | 1;
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      return Math.floor(((state >>> 0) / 2 ** 32) * below);
    };
    const bytes = new Uint8Array(2 ** bits);
    for (let at = 0; at < bytes.length;) {
      if (at > 8 && random(100) < copies) {
        const length = Math.min(bytes.length - at, 3 + random(2 ** random(17)));
        const offset = 1 + random(Math.min(at, 2 ** (1 + random(18))));
        for (let i = 0; i < length; i++) bytes[at + i] = bytes[at + i - offset] as number;
        at += length;
      } else {
        const length = Math.min(bytes.length - at, 1 + random(40));
        for (let i = 0; i < length; i++) {
          bytes[at + i] = Math.floor((random(1000) / 1000) ** skew * alphabet);
        }
        at += length;
      }
    }
    return bytes;
  });

describe('what the zstd encoder packs', () => {
  it('is unpacked to the same', () => {
    fc.assert(
      fc.property(anyCluster, (cluster) => {
        expectBack(cluster);
      }),
      { numRuns: 400 },
    );
  });

  it.each([9, 12, 16, 17, 18, 21])('of one byte, and of noise, at 2^%d bytes', (bits) => {
    expect(expectBack(new Uint8Array(2 ** bits).fill(7))?.length).toBeLessThan(80);
    const noise = new Uint8Array(2 ** bits);
    for (let at = 0; at < noise.length; at += 65536)
      crypto.getRandomValues(noise.subarray(at, at + 65536));
    expect(zstdCluster(noise)).toBeUndefined();
  });

  it('of noise and then of something else, blocks of both kinds in one frame', () => {
    const cluster = new Uint8Array(2 ** 20);
    const text = new TextEncoder().encode('0123456789 the same again and again. ');
    for (let at = 0; at < cluster.length; at++)
      cluster[at] = text[(at * (1 + (at >>> 17))) % text.length] as number;
    crypto.getRandomValues(cluster.subarray(131072, 131072 + 65536));
    crypto.getRandomValues(cluster.subarray(131072 + 65536, 262144));
    expect(expectBack(cluster)).toBeDefined();
  });

  it('of clusters of all sizes in turns, and of more than the places that it counts', () => {
    const text = new Uint8Array(2 ** 18);
    for (let at = 0; at < text.length; at++) text[at] = 97 + (((at * at) >>> 7) % 23);
    const turn = (): void => {
      for (const bits of [18, 9, 16, 12]) {
        expect(expectBack(text.subarray(0, 2 ** bits))).toBeDefined();
      }
    };
    turn();
    const content = new DataView(new ArrayBuffer(2 ** 21));
    for (let places = 0; places <= 2 ** 30; places += content.byteLength) new MatchFinder(content);
    turn();
  });

  it('with literals of every number of different bytes', () => {
    for (let distinct = 1; distinct <= 256; distinct++) {
      const cluster = new Uint8Array(4096);
      let state = distinct;
      for (let at = 0; at < cluster.length; at++) {
        state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
        cluster[at] = Math.floor(((state >>> 8) / 2 ** 23) ** 4 * distinct);
      }
      expectBack(cluster);
    }
  });
});
