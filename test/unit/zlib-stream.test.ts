import { constants, deflateSync, inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { adler32 } from '../../src/engine/binary/adler32.ts';
import { unzlib, unzlibCluster } from '../../src/engine/codecs/zlib-stream.ts';
import { noise } from '../images/noise.ts';

/** Runs and noise. */
function sample(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0, turn = seed; at < length; at += 300, turn++) {
    const part = bytes.subarray(at, Math.min(length, at + 300));
    if (turn % 3 === 0) part.fill(turn);
    else part.set(noise(turn, part.length));
  }
  return bytes;
}

function behind(packed: Uint8Array, junk: number): Uint8Array {
  const whole = new Uint8Array(packed.length + junk).fill(0xa5);
  whole.set(packed);
  return whole;
}

describe('zlib streams', () => {
  it('unpacks what zlib packs, whatever follows', () => {
    for (const [turn, length] of [0, 1, 511, 512, 4096, 65536, 300_000].entries()) {
      const source = sample(length, turn);
      for (const level of [0, 1, 6, 9]) {
        for (const strategy of [constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED]) {
          const target = new Uint8Array(length);
          const packed = deflateSync(source, { level, strategy });
          expect(unzlibCluster(behind(packed, turn * 3), target)).toBe('ok');
          expect(Buffer.from(target).equals(source)).toBe(true);
        }
      }
    }
  });

  it('knows the checksum of long runs of ones', () => {
    const source = new Uint8Array(1_000_000).fill(255);
    const packed = deflateSync(source);
    expect(adler32(source)).toBe(packed.readUInt32BE(packed.length - 4));
  });

  it('says how much a shorter stream had, and refuses a longer one', () => {
    const packed = deflateSync(sample(1000, 1));
    expect(unzlib(packed, new Uint8Array(1024))).toEqual({ result: 'short', unpacked: 1000 });
    expect(unzlib(packed, new Uint8Array(999))).toEqual({ result: 'corrupt', unpacked: 0 });
  });

  it('refuses what zlib refuses: any byte changed, any end cut off', () => {
    const source = sample(1200, 2);
    const packed = deflateSync(source);
    const target = new Uint8Array(1200);
    for (let at = 0; at < packed.length; at++) {
      expect(unzlib(packed.subarray(0, at), target).result).not.toBe('ok');
      for (const bit of [1, 0x20, 0x80]) {
        const damaged = Uint8Array.from(packed);
        damaged[at] = (damaged[at] ?? 0) ^ bit;
        const ok = unzlibCluster(damaged, target) === 'ok';
        expect(ok).toBe(zlibAccepts(damaged, 1200));
      }
    }
  });

  it('refuses a stream that wants a dictionary', () => {
    const dictionary = Buffer.from('sectors and clusters');
    const packed = deflateSync(dictionary, { dictionary });
    expect(unzlibCluster(packed, new Uint8Array(dictionary.length))).toBe('corrupt');
  });
});

function zlibAccepts(packed: Uint8Array, length: number): boolean {
  try {
    return inflateSync(packed, { maxOutputLength: length }).length === length;
  } catch {
    return false;
  }
}
