import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareDisks } from '../../src/engine/operations/compare.ts';
import { RawDisk } from '../../src/engine/formats/raw.ts';
import { MemoryStorage } from '../../src/engine/storage/memory.ts';
import { RecordingStorage, WriteMap, WrittenDisk } from '../../src/worker/written.ts';

const MIB = 2 ** 20;

describe('written disk', () => {
  it('has data where it was written and zeros elsewhere, without gaps', async () => {
    const writes = fc.array(fc.tuple(fc.nat(60 * MIB), fc.nat(5 * MIB)), { maxLength: 8 });
    const range = fc.tuple(fc.nat(64 * MIB), fc.nat(64 * MIB));
    await fc.assert(
      fc.asyncProperty(writes, range, async (program, [offset, length]) => {
        const storage = new RecordingStorage(new MemoryStorage(), 66 * MIB);
        await storage.resize(66 * MIB);
        for (const [at, count] of program) await storage.write(at, new Uint8Array(count).fill(1));
        const disk = new WrittenDisk(storage, storage.written);
        const runs = await disk.map(offset, length);
        let at = offset;
        for (const run of runs) {
          expect([run.offset, run.length > 0]).toEqual([at, true]);
          at += run.length;
          const bytes = new Uint8Array(run.length);
          await storage.read(run.offset, bytes);
          if (run.kind === 'zero') expect(bytes.includes(1)).toBe(false);
        }
        expect(at).toBe(Math.min(66 * MIB, offset + length));
      }),
      { numRuns: 40 },
    );
  });

  it('does not read what was never written', async () => {
    const target = new RecordingStorage(new MemoryStorage(), 2 ** 44);
    await target.resize(2 ** 44);
    await target.write(2 ** 43, new Uint8Array([1]));
    expect(target.written.part).toBe(4 * MIB);
    const runs = await new WrittenDisk(target, target.written).map(0, 2 ** 44);
    expect(runs.map(({ kind, offset, length }) => [kind, offset, length])).toEqual([
      ['zero', 0, 2 ** 43],
      ['data', 2 ** 43, 4 * MIB],
      ['zero', 2 ** 43 + 4 * MIB, 2 ** 43 - 4 * MIB],
    ]);
  });

  it('shows every difference in what was written', async () => {
    const source = new MemoryStorage();
    await source.resize(20 * MIB);
    await source.write(7 * MIB + 1, new Uint8Array([1, 2, 3]));
    const copy = new RecordingStorage(new MemoryStorage(), 20 * MIB);
    await copy.resize(20 * MIB);
    const outcome = async () => {
      const disk = new WrittenDisk(copy, copy.written);
      return (await compareDisks(new RawDisk(source), disk)).outcome;
    };
    // Not written at all: zeros, where the source has none.
    expect(await outcome()).toEqual({ kind: 'content', offset: 7 * MIB });
    await copy.write(7 * MIB + 1, new Uint8Array([1, 2, 3]));
    expect(await outcome()).toEqual({ kind: 'identical' });
    await copy.write(19 * MIB, new Uint8Array([1]));
    expect(await outcome()).toEqual({ kind: 'content', offset: 19 * MIB });
  });

  it('is bounded, however large the file', () => {
    const map = new WriteMap(2 ** 53 - 1);
    map.add(2 ** 52, 10);
    expect(2 ** 53 / map.part).toBeLessThanOrEqual(2 ** 22);
    expect(map.has(2 ** 52 / map.part)).toBe(true);
    expect(map.has(2 ** 52 / map.part + 1)).toBe(false);
  });
});
