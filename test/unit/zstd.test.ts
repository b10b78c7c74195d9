import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { unzstdCluster } from '../../src/engine/codecs/zstd/frame.ts';
import { xxhash64Low } from '../../src/engine/codecs/zstd/xxhash64.ts';
import { ZstdDecoder } from '../../src/engine/containers/zstd.ts';
import { sampleDisk } from '../images/build-containers.ts';
import { MemoryStorage } from '../../src/engine/index.ts';
import packedDisks from '../images/packed-disks.json' with { type: 'json' };
import { frameContent } from '../images/zstd.ts';
import frames from '../images/zstd-frames.json' with { type: 'json' };

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];

/** A block head: type 0 raw, 1 one byte repeated. */
function block(type: number, size: number, last: boolean): number[] {
  const head = (size << 3) | (type << 1) | (last ? 1 : 0);
  return [head & 255, (head >>> 8) & 255, head >>> 16];
}

/** A frame without content size: window descriptor, then blocks. */
function frame(...blocks: number[][]): number[] {
  return [...MAGIC, 0, 0x58, ...blocks.flat()];
}

function unpack(bytes: readonly number[] | Uint8Array, size: number, padding = 0) {
  const packed = new Uint8Array(Math.ceil(bytes.length / 512) * 512).fill(padding);
  packed.set(bytes);
  const target = new Uint8Array(size);
  return { result: unzstdCluster(packed, target), target };
}

describe('unzstdCluster', () => {
  it.each(frames)('unpacks what zstd packed: $length bytes at level $level', (vector) => {
    const packed = Buffer.from(vector.frame, 'base64');
    const wanted = frameContent(vector.seed, vector.length);
    for (const padding of [0, 0xff]) {
      const { result, target } = unpack(packed, vector.length, padding);
      expect(result).toBe('ok');
      expect(Buffer.compare(target, wanted)).toBe(0);
    }
  });

  it('never takes a damaged frame with a checksum for a whole one', () => {
    const vector = frames.find(({ check, length }) => check && length === 512)!;
    const packed = Buffer.from(vector.frame, 'base64');
    const wanted = frameContent(vector.seed, vector.length);
    for (let bit = 0; bit < packed.length * 8; bit++) {
      const damaged = Uint8Array.from(packed);
      damaged[bit >>> 3]! ^= 1 << (bit & 7);
      const { result, target } = unpack(damaged, vector.length);
      if (result === 'ok') expect(Buffer.compare(target, wanted)).toBe(0);
    }
  });

  it('joins frames, skips skippable ones and ignores what follows a full cluster', () => {
    const skippable = [0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9];
    const first = frame([...block(1, 100, false), 7], [...block(0, 2, true), 1, 2]);
    const second = frame([...block(1, 410, true), 8]);
    const { result, target } = unpack([...skippable, ...first, ...skippable, ...second], 512, 0x5a);
    expect(result).toBe('ok');
    expect([target[0], target[99], target[100], target[101], target[102]]).toEqual([7, 7, 1, 2, 8]);
  });

  it('is short where data ends before the cluster is full', () => {
    expect(unpack(frame([...block(1, 100, true), 7]), 512).result).toBe('short');
    const cut = frame([...block(0, 1000, true), 1, 2]);
    expect(unpack(cut, 2048).result).toBe('short');
  });

  it.each([
    ['a frame longer than the cluster', frame([...block(1, 600, true), 7])],
    ['a reserved block type', frame([...block(3, 5, true), 7])],
    ['a window of 2^41 bytes', [...MAGIC, 0, 0xf8, ...block(1, 512, true), 7]],
    ['a dictionary', [...MAGIC, 1, 0x58, 5, ...block(1, 512, true), 7]],
    ['a content size that is not so', [...MAGIC, 0x40, 0x58, 0, 0, ...block(1, 512, true), 7]],
    ['something else', [1, 2, 3, 4, 5]],
  ])('refuses %s', (_, bytes) => {
    expect(unpack(bytes, 512).result).toBe('corrupt');
  });

  it('keeps to its place, whatever is wrong with a frame', () => {
    const change = fc.record({ at: fc.nat(), value: fc.nat(255), isHead: fc.boolean() });
    const changes = fc.array(change, { maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...frames), changes, fc.nat(40), (vector, damage, missing) => {
        const packed = Uint8Array.from(Buffer.from(vector.frame, 'base64'));
        for (const { at, value, isHead } of damage) {
          packed[at % (isHead ? 200 : packed.length)] = value;
        }
        const around = new Uint8Array(vector.length + 64).fill(0xa5);
        const target = around.subarray(32, 32 + vector.length - missing);
        const result = unzstdCluster(packed, target);
        expect(['ok', 'short', 'corrupt']).toContain(result);
        if (missing > 0 && damage.length === 0) expect(result).toBe('corrupt');
        const outside = [...around.subarray(0, 32), ...around.subarray(32 + target.length)];
        expect(outside.every((byte) => byte === 0xa5)).toBe(true);
      }),
      { numRuns: 120 },
    );
  });

  it('decodes several streams and clusters in turns: what is kept is not mixed up', async () => {
    const disk = sampleDisk(3_000_000);
    const [cluster] = frames.filter(({ length }) => length === 65536);
    const streams = (['one.zst', 'window.zst'] as const).map((name) => ({
      decoder: new ZstdDecoder(
        new MemoryStorage({ content: Buffer.from(packedDisks[name], 'base64'), name }),
      ),
      done: 0,
    }));
    const packed = Buffer.from(cluster!.frame, 'base64');
    for (let running = true; running;) {
      running = false;
      for (const stream of streams) {
        const bytes = await stream.decoder.next();
        if (bytes === undefined) continue;
        running = true;
        const wanted = disk.subarray(stream.done, stream.done + bytes.length);
        expect(Buffer.compare(bytes, wanted)).toBe(0);
        stream.done += bytes.length;
        expect(unpack(packed, 65536).result).toBe('ok');
      }
    }
    expect(streams.map(({ done }) => done)).toEqual([disk.length, disk.length]);
  });

  it('takes a window of 2^27 bytes', () => {
    expect(unpack([...MAGIC, 0, 0x88, ...block(1, 512, true), 7], 512).result).toBe('ok');
  });
});

describe('xxhash64Low', () => {
  it.each([
    ['', 0x51d8e999],
    ['Nobody inspects the spammish repetition', 0x8a378bf1],
  ])('of “%s”', (text, low) => {
    expect(xxhash64Low(Buffer.from(text))).toBe(low);
  });
});
