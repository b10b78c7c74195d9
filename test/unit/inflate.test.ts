import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { deflateRaw } from 'pako';
import { describe, expect, it } from 'vitest';
import { nodeInflate } from '../../src/command/node/inflate.ts';
import { inflateCluster } from '../../src/engine/codecs/inflate.ts';

const CLUSTER = 65536;

function seeded(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4294967296;
  };
}

/** Words, runs and noise, mixed: what a file system looks like to a compressor. */
function sample(seed: number, length: number): Uint8Array {
  const random = seeded(seed);
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const run = Math.min(length - at, 1 + Math.floor(random() * 700));
    const kind = random();
    if (kind < 0.3 && at > 40) {
      const back = 1 + Math.floor(random() * Math.min(at, 33000));
      for (let i = 0; i < run; i++) bytes[at + i] = bytes[at + i - back]!;
    } else if (kind < 0.5) bytes.fill(Math.floor(random() * 256), at, at + run);
    else
      for (let i = 0; i < run; i++) bytes[at + i] = Math.floor(random() * (kind < 0.8 ? 40 : 256));
    at += run;
  }
  return bytes;
}

function padded(stream: Uint8Array, junk = 0): Uint8Array {
  const whole = new Uint8Array(Math.ceil(stream.length / 512) * 512 + 512).fill(junk);
  whole.set(stream);
  return whole;
}

/** What zlib itself says, used as QEMU uses it: the cluster must be full without a data error. */
function zlibVerdict(packed: Uint8Array, size: number): { ok: boolean; data: Uint8Array } {
  try {
    const data = inflateRawSync(packed, {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: size * 64,
    });
    return { ok: data.length >= size, data: data.subarray(0, size) };
  } catch {
    return { ok: false, data: new Uint8Array() };
  }
}

describe('inflateCluster', () => {
  it('unpacks what zlib packs at every level, strategy and window', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const source = sample(seed, CLUSTER);
      const options = {
        level: seed % 10,
        windowBits: 9 + (seed % 7),
        memLevel: 1 + (seed % 9),
        strategy: [
          constants.Z_DEFAULT_STRATEGY,
          constants.Z_HUFFMAN_ONLY,
          constants.Z_FIXED,
          constants.Z_RLE,
        ][seed % 4]!,
      };
      const target = new Uint8Array(CLUSTER);
      expect(inflateCluster(padded(deflateRawSync(source, options), seed), target)).toBe('ok');
      expect(Buffer.compare(target, source)).toBe(0);
    }
  });

  it('unpacks what pako packs with QEMU’s settings, at every cluster size', () => {
    for (let bits = 9; bits <= 21; bits++) {
      const source = sample(bits, 2 ** bits);
      const stream = deflateRaw(source, {
        level: 6,
        windowBits: 12,
        memLevel: 9,
        legacyHash: true,
      });
      const target = new Uint8Array(2 ** bits);
      expect(inflateCluster(padded(stream), target)).toBe('ok');
      expect(Buffer.compare(target, source)).toBe(0);
    }
  });

  it('accepts surplus output and a stream that goes on when the cluster is full', () => {
    const source = sample(7, CLUSTER * 2);
    const target = new Uint8Array(CLUSTER);
    expect(inflateCluster(padded(deflateRawSync(source)), target)).toBe('ok');
    expect(Buffer.compare(target, source.subarray(0, CLUSTER))).toBe(0);
  });

  it('says short when the stream ends or breaks off early', () => {
    const stream = deflateRawSync(sample(3, CLUSTER));
    const target = new Uint8Array(CLUSTER * 2);
    expect(inflateCluster(padded(stream), target)).toBe('short');
    expect(inflateCluster(stream.subarray(0, 900), new Uint8Array(CLUSTER))).toBe('short');
    expect(inflateCluster(new Uint8Array(), new Uint8Array(CLUSTER))).toBe('short');
  });

  it('refuses a zlib header, noise and a stream without an end before zero padding', () => {
    const source = sample(5, CLUSTER);
    const target = new Uint8Array(CLUSTER);
    const withHeader = padded(Buffer.concat([Buffer.from([0x78, 0x9c]), deflateRawSync(source)]));
    expect(inflateCluster(withHeader, target)).not.toBe('ok');
    const unfinished = deflateRawSync(source, { finishFlush: constants.Z_SYNC_FLUSH });
    expect(inflateCluster(padded(unfinished), target)).toBe('corrupt');
  });

  it('agrees with zlib on damaged streams', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e9 }),
        fc.integer({ min: 0, max: 9 }),
        fc.array(fc.tuple(fc.nat(4000), fc.integer({ min: 1, max: 255 })), { maxLength: 4 }),
        (seed, level, flips) => {
          const source = sample(seed, 4096);
          const packed = padded(deflateRawSync(source, { level }));
          for (const [at, value] of flips) packed[at % packed.length]! ^= value;
          const target = new Uint8Array(4096);
          const mine = inflateCluster(packed, target);
          const theirs = zlibVerdict(packed, 4096);
          // zlib in Node decodes everything; only QEMU's one-shot call stops at the full cluster.
          if (theirs.ok) {
            expect(mine).toBe('ok');
            expect(Buffer.compare(target, theirs.data)).toBe(0);
          }
          if (mine !== 'ok') expect(theirs.ok).toBe(false);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('is what is asked where Node’s zlib does not have just a cluster', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e9 }),
        fc.constantFrom(512, 4096, 5000, 8192),
        fc.array(fc.tuple(fc.nat(4000), fc.integer({ min: 1, max: 255 })), { maxLength: 2 }),
        fc.nat(4000),
        (seed, size, flips, cut) => {
          const whole = padded(deflateRawSync(sample(seed, 4096)), seed);
          for (const [at, value] of flips) whole[at % whole.length]! ^= value;
          const packed = cut % 3 === 0 ? whole.subarray(0, cut) : whole;
          const [target, other] = [new Uint8Array(size), new Uint8Array(size)];
          const result = inflateCluster(packed, target);
          expect(nodeInflate(packed, other)).toBe(result);
          if (result === 'ok') expect(Buffer.compare(other, target)).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });
});
