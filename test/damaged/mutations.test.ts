/**
 * Damaged images by the thousand: whatever the bytes say, each operation ends in a result, findings
 * or an ImageError, soon, with little memory, and never in wrong bytes without a word where a
 * checksum of sorts exists. A seed names an image; the seeds are the same every time.
 * To look for trouble: MUTATIONS=first-last
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  checkImage,
  ImageError,
  inspect,
  mapChain,
  missingBytes,
  openImage,
  planConvert,
  Qcow2Image,
  readBitmap,
  readDisk,
  type Disk,
  type OpenOptions,
  type Storage,
} from '../../src/engine/index.ts';
import { METADATA_BUDGET, SHARES } from '../../src/engine/formats/qcow2/budget.ts';
import { anyImage } from '../images/arbitrary.ts';
import { buildQcow2, type BuiltImage, type ImageSpec } from '../images/build-qcow2.ts';
import { memory } from '../images/memory.ts';
import { randomFor, wound, type Random } from '../images/wounds.ts';
import { watchAllocations } from './allocations.ts';

const [FIRST = 0, LAST = 10_000] = (process.env['MUTATIONS'] ?? '0-10000').split('-').map(Number);
/** Seeds that share an unharmed image: making one takes longer than reading it. */
const OF_ONE_IMAGE = 20;
const SLICE = 1000;

/** Milliseconds of processor time that one image may take for everything. No hangs, not speed. */
const PATIENCE = 5000;
/** Bytes of the largest single array: an L1 table, which is worked on as it is. */
const LARGEST = SHARES.l1;
/** Bytes that are read of a disk. */
const READ_MOST = 1024 * 1024;

const allocations = watchAllocations();
beforeAll(() => allocations.start());
afterAll(() => allocations.stop());

async function attempt(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    expect(error.code).not.toBe('internal');
  }
}

async function lookAt(storage: Storage): Promise<void> {
  const disk = await openImage(storage, { mode: 'info', strict: true });
  const info = await inspect(disk);
  // What goes to the page must survive the way there.
  structuredClone(info);
  expect(await missingBytes(disk)).toBeGreaterThanOrEqual(0);
}

async function check(storage: Storage): Promise<void> {
  const disk = await openImage(storage, { mode: 'check' });
  if (disk.format === 'raw') return;
  const report = await checkImage(disk, { explain: true, limit: 100 });
  expect(report.findings.length).toBeLessThanOrEqual(200);
  structuredClone(report);
}

async function readSome(disk: Disk): Promise<void> {
  let end = 0;
  for await (const batch of mapChain(disk, 0, Math.min(disk.size, 2 ** 40))) {
    for (const extent of batch) {
      expect(extent.offset).toBe(end);
      expect(extent.length).toBeGreaterThan(0);
      end += extent.length;
    }
    if (end > 2 ** 30) break;
  }
  if (disk.size < 2 ** 30) await planConvert(disk);
  await readDisk(disk, 0, Math.min(disk.size, READ_MOST));
}

async function readAll(storage: Storage, options: OpenOptions): Promise<void> {
  const disk = await openImage(storage, options);
  await attempt(() => readSome(disk));
  if (!(disk instanceof Qcow2Image)) return;
  for (const snapshot of disk.snapshots.slice(0, 3)) {
    await attempt(async () => readSome(await disk.openSnapshot(snapshot)));
  }
  for (const bitmap of disk.bitmaps.slice(0, 3)) {
    await attempt(async () => {
      let ranges = 0;
      for await (const batch of readBitmap(disk, bitmap))
        if ((ranges += batch.length) > 2 ** 17) break;
    });
  }
}

async function everything(bytes: Uint8Array, other: Uint8Array): Promise<void> {
  const storage = await memory(bytes);
  await attempt(() => lookAt(storage));
  await attempt(() => check(storage));
  await attempt(() => readAll(storage, { gate: ({ name }) => memory(other, name) }));
}

describe('damaged images', () => {
  let current: { index: number; image: BuiltImage; base: Uint8Array } | undefined;

  /** The unharmed image of a seed, and its backing file. */
  function unharmed(seed: number) {
    const index = Math.floor(seed / OF_ONE_IMAGE);
    if (current?.index !== index) {
      const [spec, base] = fc.sample(anyImage, { numRuns: 2, seed: index });
      current = {
        index,
        image: buildQcow2(dressUp(spec!, index)),
        base: buildQcow2(base!).bytes,
      };
    }
    return current;
  }

  /** Every third image has a backing file, every seventh its data elsewhere. */
  function dressUp(spec: ImageSpec, index: number): ImageSpec {
    if (index % 7 === 3 && spec.version === 3) return { ...spec, dataFile: true, snapshots: [] };
    return index % 3 === 0 ? { ...spec, backing: { name: 'base', format: 'qcow2' } } : spec;
  }

  /** What is there when it asks for another file: now and then the damaged image itself. */
  function otherFile(damaged: BuiltImage, base: Uint8Array, random: Random): Uint8Array {
    if (damaged.data.length > 0) return damaged.data;
    return random(16) === 0 ? damaged.bytes : base;
  }

  const slices: (readonly [number, number])[] = [];
  for (let from = FIRST; from < LAST; from += SLICE) {
    slices.push([from, Math.min(LAST, from + SLICE)]);
  }

  it.each(slices)(
    'seeds %d to %d end in findings or an ImageError, promptly',
    async (from, to) => {
      for (let seed = from; seed < to; seed++) {
        const { image, base } = unharmed(seed);
        const random = randomFor(seed);
        const damaged = wound(image, random);
        const other = otherFile(damaged, base, random);
        allocations.reset();
        const before = process.cpuUsage();
        try {
          await everything(damaged.bytes, other);
          const { user, system } = process.cpuUsage(before);
          expect((user + system) / 1000).toBeLessThan(PATIENCE);
          expect(allocations.largest).toBeLessThanOrEqual(LARGEST);
          // More than is ever taken at the same time, content included.
          expect(allocations.total).toBeLessThanOrEqual(METADATA_BUDGET);
        } catch (error) {
          throw new Error(`seed ${seed}`, { cause: error });
        }
      }
    },
    120_000,
  );

  it('end well when they are nothing but noise behind a magic number', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 4096 }), async (bytes) => {
        const file = new Uint8Array(8 + bytes.length);
        file.set([0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3]);
        file.set(bytes, 8);
        await everything(file, file);
      }),
      { numRuns: 1000, seed: 20261121 },
    );
  }, 120_000);
});
