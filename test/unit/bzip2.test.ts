import { describe, expect, it } from 'vitest';
import { Bzip2Decoder, unbzip2Cluster } from '../../src/engine/codecs/bzip2.ts';
import { contentOf, packedSamples } from '../images/packed-samples.ts';
import { randomFor } from '../images/wounds.ts';
import { expectSame, joined, problemOf, unpackAll } from './stream-decoders.ts';

const samples = packedSamples('bzip2');
const make = () => new Bzip2Decoder();

describe('bzip2 into a buffer', () => {
  it('unpacks what bzip2 packs, whatever follows', () => {
    expect(samples.length).toBeGreaterThan(6);
    for (const { content, packed } of samples) {
      const expected = contentOf(content);
      const target = new Uint8Array(expected.length);
      expect(unbzip2Cluster(joined(packed, Uint8Array.of(1, 2, 3)), target)).toBe('ok');
      expectSame(target, expected);
    }
  });

  it('wants exactly as much as there is', () => {
    for (const { content, packed } of samples) {
      const { length } = contentOf(content);
      expect(unbzip2Cluster(packed, new Uint8Array(length + 1))).toBe('short');
      if (length > 0) expect(unbzip2Cluster(packed, new Uint8Array(length - 1))).toBe('corrupt');
    }
  });

  it('notices every missing end, and changed bits unless they change nothing', () => {
    const { content, packed } = samples.find((sample) => sample.content === 'runs')!;
    const target = new Uint8Array(contentOf(content).length);
    let harmless = 0;
    for (let at = 0; at < packed.length; at++) {
      expect(unbzip2Cluster(packed.subarray(0, at), target)).not.toBe('ok');
      for (let bit = 0; bit < 8; bit++) {
        const damaged = packed.slice();
        damaged[at]! ^= 1 << bit;
        if (unbzip2Cluster(damaged, target) !== 'ok') continue;
        // Another level, the length of a code that is not used, the bits behind the end.
        expectSame(target, contentOf(content));
        harmless++;
      }
    }
    expect(harmless).toBeLessThan(packed.length * 8 * 0.05);
  });

  it('ends soon and within its buffer, whatever the bytes are', () => {
    for (let seed = 0; seed < 300; seed++) {
      const random = randomFor(seed);
      const { packed } = samples[seed % samples.length]!;
      const damaged = packed.slice();
      for (let i = 0; i <= random(4); i++) damaged[random(damaged.length)] = random(256);
      const memory = new Uint8Array(70_000).fill(0x5a);
      unbzip2Cluster(damaged, memory.subarray(1000, 1000 + random(60_000)));
      expect(memory.subarray(0, 1000).every((byte) => byte === 0x5a)).toBe(true);
      expect(memory.subarray(61_000).every((byte) => byte === 0x5a)).toBe(true);
    }
  });
});

describe('bzip2 as a stream', () => {
  it('unpacks in pieces of any size', () => {
    for (const { content, packed } of samples) {
      for (const step of [1, 777, 1_000_000]) {
        if (step === 1 && packed.length > 10_000) continue;
        expectSame(unpackAll(make(), packed, step), contentOf(content));
      }
    }
  });

  it('unpacks streams one behind the other, and ignores what is none', () => {
    const names = ['words', 'empty', 'runs', 'byte'] as const;
    const of = (name: string) => samples.find((sample) => sample.content === name)!.packed;
    const packed = joined(...names.map(of), Uint8Array.of(66, 90, 0, 0, 0, 0, 0));
    expectSame(unpackAll(make(), packed, 5000), joined(...names.map(contentOf)));
  });

  it('says what is wrong', () => {
    const { packed } = samples.find((sample) => sample.content === 'noise')!;
    expect(problemOf(make(), new Uint8Array())).toBe('short');
    expect(problemOf(make(), packed.subarray(0, 3000))).toBe('short');
    expect(problemOf(make(), Uint8Array.of(66, 90, 104, 48))).toBe('corrupt');
    const damaged = packed.slice();
    damaged[2000]! ^= 1;
    expect(problemOf(make(), damaged)).toBe('corrupt');
  });
});
