import { describe, expect, it } from 'vitest';
import { unxzCluster, XzDecoder } from '../../src/engine/codecs/xz/index.ts';
import { contentOf, packedSamples } from '../images/packed-samples.ts';
import { randomFor } from '../images/wounds.ts';
import { expectSame, joined, problemOf, unpackAll } from './stream-decoders.ts';

const all = packedSamples('xz');
const isFiltered = ({ program }: { program: string }) => /--delta|--x86/.test(program);
const samples = all.filter((sample) => !isFiltered(sample));
/** Behind the headers and the head of the first chunk. */
const PROPERTIES = 29;
const make = () => new XzDecoder();

function sampleOf(content: string) {
  return samples.find((sample) => sample.content === content)!.packed;
}

describe('xz into a buffer', () => {
  it('unpacks what xz packs, with any settings, whatever follows', () => {
    expect(samples.length).toBeGreaterThan(9);
    for (const { content, packed } of samples) {
      const expected = contentOf(content);
      const target = new Uint8Array(expected.length);
      expect(unxzCluster(joined(packed, Uint8Array.of(1, 2, 3)), target)).toBe('ok');
      expectSame(target, expected);
    }
  });

  it('wants exactly as much as there is', () => {
    for (const { content, packed } of samples) {
      const { length } = contentOf(content);
      expect(unxzCluster(packed, new Uint8Array(length + 1))).toBe('short');
      if (length > 0) expect(unxzCluster(packed, new Uint8Array(length - 1))).toBe('corrupt');
    }
  });

  it('notices every changed bit and every missing end', () => {
    const packed = sampleOf('runs');
    const target = new Uint8Array(contentOf('runs').length);
    for (let at = 0; at < packed.length; at++) {
      expect(unxzCluster(packed.subarray(0, at), target)).not.toBe('ok');
      for (let bit = 0; bit < 8; bit++) {
        const damaged = packed.slice();
        damaged[at]! ^= 1 << bit;
        // Fewer bits of context make no difference where there is but one kind of literal.
        if (at === PROPERTIES && bit === 0) expect(unxzCluster(damaged, target)).toBe('ok');
        else expect(unxzCluster(damaged, target)).not.toBe('ok');
      }
    }
  });

  it('ends soon and within its buffer, whatever the bytes are', () => {
    for (let seed = 0; seed < 300; seed++) {
      const random = randomFor(seed);
      const { packed } = samples[seed % samples.length]!;
      const damaged = packed.slice();
      // Behind the headers, which have checksums: so the damage gets as far as the decoder.
      for (let i = 0; i <= random(4); i++) damaged[24 + random(damaged.length - 24)] = random(256);
      const memory = new Uint8Array(70_000).fill(0x5a);
      unxzCluster(damaged, memory.subarray(1000, 1000 + random(60_000)));
      expect(memory.subarray(0, 1000).every((byte) => byte === 0x5a)).toBe(true);
      expect(memory.subarray(61_000).every((byte) => byte === 0x5a)).toBe(true);
    }
  });
});

describe('xz as a stream', () => {
  it('unpacks in pieces of any size', () => {
    for (const { content, packed } of samples) {
      for (const step of [1, 777, 1_000_000]) {
        if (step === 1 && packed.length > 10_000) continue;
        expectSame(unpackAll(make(), packed, step), contentOf(content));
      }
    }
  });

  it('unpacks streams one behind the other, with padding between them', () => {
    const packed = joined(
      ...[sampleOf('words'), new Uint8Array(8), sampleOf('empty'), sampleOf('runs')],
      ...[new Uint8Array(4), sampleOf('byte'), new Uint8Array(12)],
    );
    const names = ['words', 'empty', 'runs', 'byte'] as const;
    expectSame(unpackAll(make(), packed, 5000), joined(...names.map(contentOf)));
    expect(problemOf(make(), joined(packed, new Uint8Array(3)))).toBe('corrupt');
    expect(problemOf(make(), joined(packed, Uint8Array.of(1, 2, 3, 4)))).toBe('short');
    expect(problemOf(make(), joined(packed, new Uint8Array(12).fill(1)))).toBe('corrupt');
  });

  it('says what is wrong', () => {
    const packed = sampleOf('noise');
    expect(problemOf(make(), new Uint8Array())).toBe('short');
    expect(problemOf(make(), packed.subarray(0, 3000))).toBe('short');
    const damaged = packed.slice();
    damaged[2000]! ^= 1;
    expect(problemOf(make(), damaged)).toBe('corrupt');
    for (const { packed: filtered } of all.filter(isFiltered)) {
      expect(problemOf(make(), filtered)).toBe('unsupported');
    }
  });

  it('takes blocks only as the index tells of them', () => {
    const packed = all.find(({ program }) => program.includes('block-size'))!.packed;
    // The index begins in front of the footer, as the footer says.
    const view = new DataView(packed.buffer);
    const index = packed.length - 12 - (view.getUint32(packed.length - 8, true) + 1) * 4;
    expect(packed[index]).toBe(0);
    for (const at of [1, 2, 3, 4, 5]) {
      const damaged = packed.slice();
      damaged[index + at]! ^= 1;
      expect(problemOf(make(), damaged)).toBe('corrupt');
    }
  });
});
