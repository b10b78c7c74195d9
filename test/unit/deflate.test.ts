/** Our deflate encoders: the identical one against zlib's decisions in pako, both against decoders. */
import { inflateRawSync, inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { deflate, deflateRaw, inflateRaw } from 'pako';
import { describe, expect, it } from 'vitest';
import { LikeZlib } from '../../src/engine/codecs/deflate/like-zlib.ts';
import {
  deflateCluster,
  deflateClusterFast,
  deflateStream,
} from '../../src/engine/codecs/deflate.ts';
import { inflateCluster } from '../../src/engine/codecs/inflate.ts';

const QEMU = { level: 6, windowBits: 12, memLevel: 9, legacyHash: true } as const;
const COMPRESS = { level: 6, windowBits: 15, memLevel: 8, legacyHash: true } as const;

function randomFrom(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.floor(((state >>> 0) / 2 ** 32) * below);
  };
}

/** Bytes that repeat themselves more or less, with stretches of noise, of zeros and of records. */
function mixed(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = randomFrom(seed);
  const alphabet = 1 + random(256);
  const skew = 1 + random(5);
  const copies = random(100);
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const kind = random(100);
    const count = Math.min(length - at, 1 + random(2 ** (1 + random(12))));
    if (kind < copies && at > 8) {
      const offset = 1 + random(Math.min(at, 2 ** (1 + random(14))));
      for (let i = 0; i < count; i++) bytes[at + i] = bytes[at + i - offset] as number;
    } else if (kind < 90) {
      for (let i = 0; i < Math.min(count, 60); i++) {
        bytes[at + i] = Math.floor((random(1000) / 1000) ** skew * alphabet);
      }
      at += Math.min(count, 60);
      continue;
    } else if (kind < 93) {
      for (let i = 0; i < count; i++) bytes[at + i] = random(256);
    } else if (kind < 96) {
      for (let i = 0; i + 4 < count; i += 8) bytes[at + i] = random(9) + (i & 255);
    }
    at += count;
  }
  return bytes;
}

function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = randomFrom(seed);
  return Uint8Array.from({ length }, () => random(256));
}

const anyLength = fc.oneof(
  fc.integer({ min: 9, max: 16 }).map((bits) => 2 ** bits),
  fc.integer({ min: 0, max: 600 }),
  // Where zlib's buffer is used up, and slides.
  fc.integer({ min: 7900, max: 8500 }),
  fc.integer({ min: 0, max: 40_000 }),
);
const anyContent = fc.tuple(anyLength, fc.integer()).map(([length, seed]) => mixed(length, seed));

/** Whether both are the same, without the words for a difference of a million bytes. */
function expectSame(own: Uint8Array | undefined, other: Uint8Array): void {
  expect(own?.length).toBe(other.length);
  expect(Buffer.compare(own ?? new Uint8Array(), other)).toBe(0);
}

describe('identical to zlib', () => {
  const packer = new LikeZlib(12, 9);

  it('whatever the content is', () => {
    fc.assert(
      fc.property(anyContent, (content) => {
        expectSame(packer.deflate(content, 2 * content.length + 64), deflateRaw(content, QEMU));
      }),
      { numRuns: 150 },
    );
  });

  it.each([9, 12, 13, 16, 17, 18])('at 2^%d bytes: text, noise, zeros', (bits) => {
    const size = 2 ** bits;
    const half = mixed(size, bits);
    half.set(noise(size / 2, bits), size / 2);
    for (const content of [mixed(size, 5), half, noise(size, 3), new Uint8Array(size)]) {
      const theirs = deflateRaw(content, QEMU);
      expectSame(packer.deflate(content, 2 * size), theirs);
      const own = deflateCluster(content);
      if (theirs.length < size) expectSame(own, theirs);
      else expect(own).toBeUndefined();
    }
  });

  it('at 2 MiB', () => {
    const content = mixed(2 ** 21, 6);
    expectSame(deflateCluster(content), deflateRaw(content, QEMU));
  });

  it('where the best code would have too many bits', () => {
    // Counts like those of Fibonacci make the deepest trees.
    const content = new Uint8Array(2 ** 16);
    let at = 0;
    for (let [count, next, byte] = [1, 1, 0]; at + count < content.length; byte++) {
      content.fill(byte * 7, at, at + count);
      at += count;
      [count, next] = [next, count + next];
    }
    const random = randomFrom(11);
    for (let index = content.length - 1; index > 0; index--) {
      const other = random(index + 1);
      [content[index], content[other]] = [content[other] as number, content[index] as number];
    }
    expectSame(packer.deflate(content, 2 ** 17), deflateRaw(content, QEMU));
  });

  it('as a stream with a large window', () => {
    fc.assert(
      fc.property(anyContent, (content) => {
        expectSame(deflateStream(content), deflate(content, COMPRESS));
      }),
      { numRuns: 60 },
    );
    const large = mixed(300_000, 8);
    expectSame(deflateStream(large), deflate(large, COMPRESS));
    expectSame(inflateSync(deflateStream(large)), large);
  });

  it('and undefined at exactly the limit', () => {
    const content = mixed(5000, 4);
    const { length } = deflateRaw(content, QEMU);
    expect(packer.deflate(content, length)?.length).toBe(length);
    expect(packer.deflate(content, length - 1)).toBeUndefined();
  });
});

describe('fast', () => {
  function expectBack(content: Uint8Array): number {
    const packed = deflateClusterFast(content);
    if (packed === undefined) return content.length;
    expect(packed.length).toBeLessThan(content.length);
    const target = new Uint8Array(content.length);
    expect(inflateCluster(packed, target)).toBe('ok');
    expectSame(target, content);
    // With a window of 4 KiB, as QEMU has it.
    expectSame(inflateRawSync(packed, { windowBits: 12 }), content);
    expectSame(inflateRaw(packed, { windowBits: 12 }), content);
    return packed.length;
  }

  it('is unpacked to the same by all decoders', () => {
    fc.assert(
      fc.property(anyContent, (content) => {
        expectBack(content);
      }),
      { numRuns: 150 },
    );
  });

  it.each([9, 12, 16, 19])('at 2^%d bytes: text, noise, zeros', (bits) => {
    const size = 2 ** bits;
    const half = mixed(size, bits);
    half.set(noise(size / 2, bits), size / 2);
    expectBack(mixed(size, 5));
    expect(expectBack(half)).toBeLessThanOrEqual(size);
    expect(deflateClusterFast(noise(size, 3))).toBeUndefined();
    expect(expectBack(new Uint8Array(size))).toBeLessThan(size / 20);
  });

  it('has no matches farther back than zlib’s own with such a window', () => {
    const far = noise(4000, 9);
    const content = new Uint8Array(8000);
    content.set(far);
    content.set(far, 4000);
    expect(deflateClusterFast(content)).toBeUndefined();
    content.copyWithin(3800, 0, 3800);
    expect(expectBack(content.subarray(0, 7600))).toBeLessThan(4200);
  });

  it('hardly larger than zlib’s', () => {
    let own = 0;
    let theirs = 0;
    for (let seed = 0; seed < 20; seed++) {
      const content = mixed(2 ** 16, seed);
      own += expectBack(content);
      theirs += deflateCluster(content)?.length ?? content.length;
    }
    expect(own / theirs).toBeLessThan(1.05);
  });
});
