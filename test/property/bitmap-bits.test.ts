/** What bitmaps record, against a plain set of granules. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BitmapDirectory,
  createQcow2,
  editQcow2,
  keepBitmaps,
  MemoryStorage,
  openImage,
  readBitmap,
  type MarkedRange,
  type Qcow2Image,
} from '../../src/engine/index.ts';

const GIB = 2 ** 30;

interface Shape {
  readonly clusterSize: number;
  readonly granularity: number;
  /** Of the disk, bytes. */
  readonly size: number;
}

const SHAPES: readonly Shape[] = [
  { clusterSize: 512, granularity: 512, size: 9 * 2 ** 20 + 512 },
  { clusterSize: 4096, granularity: 65536, size: 12 * GIB + 1024 },
  // More clusters of bits than are kept in memory.
  { clusterSize: 2 ** 21, granularity: 512, size: 60 * GIB },
  { clusterSize: 65536, granularity: 2 ** 31, size: 3 * GIB },
];

async function open(storage: MemoryStorage): Promise<Qcow2Image> {
  return (await openImage(storage, { format: 'qcow2' })) as Qcow2Image;
}

async function marksOf(image: Qcow2Image, name: string): Promise<MarkedRange[]> {
  const bitmap = image.bitmaps.find((one) => one.name === name);
  const found: MarkedRange[] = [];
  if (bitmap === undefined) throw new Error(`no bitmap ${name}`);
  for await (const ranges of readBitmap(image, bitmap)) found.push(...ranges);
  return found;
}

/** The ranges in whole granules, sorted and joined, cut at the end of the disk. */
function expected(ranges: readonly MarkedRange[], granularity: number, size: number) {
  const spans = ranges
    .filter(({ offset, length }) => length > 0 && offset < size)
    .map(({ offset, length }) => ({
      start: Math.floor(offset / granularity) * granularity,
      end: Math.min(size, Math.ceil(Math.min(offset + length, size) / granularity) * granularity),
    }))
    .sort((a, b) => a.start - b.start);
  const joined: { offset: number; length: number }[] = [];
  for (const { start, end } of spans) {
    const last = joined.at(-1);
    if (last === undefined || start > last.offset + last.length) {
      joined.push({ offset: start, length: end - start });
    } else last.length = Math.max(last.length, end - last.offset);
  }
  return joined;
}

function rangesFor({ size, granularity }: Shape): fc.Arbitrary<MarkedRange[]> {
  const length = fc.oneof(
    fc.integer({ min: 0, max: 4 * granularity }),
    fc.integer({ min: 0, max: size }),
  );
  const offset = fc.integer({ min: 0, max: size - 1 });
  return fc.array(fc.record({ offset, length }), { maxLength: 12 });
}

describe('bitmaps', () => {
  it.each(SHAPES)('record what is changed: $clusterSize, $granularity', async (shape) => {
    const { clusterSize, granularity, size } = shape;
    await fc.assert(
      fc.asyncProperty(rangesFor(shape), rangesFor(shape), async (first, second) => {
        const storage = new MemoryStorage();
        const fresh = await createQcow2(storage, size, { clusterSize });
        const made = BitmapDirectory.empty(fresh, size);
        await made.add('on', { granularity });
        await made.add('off', { granularity, enabled: false });
        await made.add('copy', { granularity });
        await made.flush();
        await fresh.flush();
        for (const ranges of [first, second]) {
          const image = await open(storage);
          const writer = await editQcow2(image);
          await keepBitmaps(image, writer, ranges);
          await writer.flush();
        }
        const image = await open(storage);
        expect(await marksOf(image, 'on')).toEqual(
          expected([...first, ...second], granularity, size),
        );
        expect(await marksOf(image, 'off')).toEqual([]);
        const writer = await editQcow2(image);
        const directory = await BitmapDirectory.open(image, writer);
        await directory.merge('off', image, 'on');
        await directory.clear('on');
        await directory.remove('copy');
        await directory.flush();
        await writer.flush();
        const after = await open(storage);
        expect(after.bitmaps.map(({ name }) => name)).toEqual(['on', 'off']);
        expect(await marksOf(after, 'on')).toEqual([]);
        expect(await marksOf(after, 'off')).toEqual(
          expected([...first, ...second], granularity, size),
        );
      }),
      { numRuns: clusterSize > 65536 ? 4 : 12 },
    );
  });
});
