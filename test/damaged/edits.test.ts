/**
 * Snapshots and bitmaps of damaged images: a change ends in a sound result or an ImageError, soon,
 * and with it nothing is wrong that was not wrong before.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applySnapshot,
  BitmapDirectory,
  checkImage,
  createSnapshot,
  deleteSnapshot,
  editQcow2,
  ImageError,
  keepBitmaps,
  openImage,
  OverlayStorage,
  planDeletion,
  Qcow2Image,
  type Storage,
} from '../../src/engine/index.ts';
import { anyImage } from '../images/arbitrary.ts';
import { buildQcow2, type BuiltImage } from '../images/build-qcow2.ts';
import { memory } from '../images/memory.ts';
import { randomFor, wound } from '../images/wounds.ts';

const [FIRST = 0, LAST = 600] = (process.env['EDITS'] ?? '0-600').split('-').map(Number);
const OF_ONE_IMAGE = 20;
/** Milliseconds of processor time for all changes of one image. No hangs, not speed. */
const PATIENCE = 5000;

type Writer = Awaited<ReturnType<typeof editQcow2>>;
type Change = (image: Qcow2Image, writer: Writer) => Promise<unknown>;

const LABEL = { name: 'neu', seconds: 1, nanoseconds: 2 };

function bitmapChange(
  work: (directory: BitmapDirectory, image: Qcow2Image) => Promise<void>,
): Change {
  return async (image, writer) => {
    const directory = await BitmapDirectory.open(image, writer);
    await work(directory, image);
    await directory.flush();
  };
}

function changesOf({ snapshots, bitmaps, size }: Qcow2Image): [string, Change][] {
  const changes: [string, Change][] = [
    ['take', (image, writer) => createSnapshot(image, writer, LABEL)],
    ['add', bitmapChange((directory) => directory.add('neu', { granularity: 65536 }))],
    ['record', (image, writer) => keepBitmaps(image, writer, [{ offset: 0, length: size }])],
  ];
  for (const [index] of snapshots.slice(0, 2).entries()) {
    const its = (image: Qcow2Image) => image.snapshots[index]!;
    changes.push(
      [`apply ${index}`, (image, writer) => applySnapshot(image, writer, its(image))],
      [`delete ${index}`, (image, writer) => deleteSnapshot(image, writer, its(image))],
      [`plan ${index}`, (image) => planDeletion(image, its(image))],
    );
  }
  for (const { name } of bitmaps.slice(0, 2)) {
    changes.push(
      [`clear ${name}`, bitmapChange((directory) => directory.clear(name))],
      [`remove ${name}`, bitmapChange((directory) => directory.remove(name))],
      [
        `merge ${name}`,
        bitmapChange(async (directory, image) => {
          await directory.add('neu', { granularity: 512 });
          await directory.merge('neu', image, name);
        }),
      ],
    );
  }
  return changes;
}

async function open(storage: Storage): Promise<Qcow2Image | undefined> {
  const disk = await openImage(storage, { format: 'qcow2', mode: 'info' });
  return disk instanceof Qcow2Image ? disk : undefined;
}

/** Whether it happened. @throws what is no ImageError, or a defect */
async function attempt(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof ImageError) || error.code === 'internal') throw error;
    return false;
  }
}

/** Kinds of what is wrong, apart from space that is only wasted. */
async function damageOf(storage: Storage): Promise<Set<string> | undefined> {
  let kinds: Set<string> | undefined;
  await attempt(async () => {
    const report = await checkImage(await openImage(storage, { format: 'qcow2', mode: 'check' }));
    kinds = new Set(report.findings.map(({ kind }) => kind).filter((kind) => kind !== 'leak'));
  });
  return kinds;
}

async function changeAll(bytes: Uint8Array): Promise<number> {
  const base = await memory(bytes);
  let changes: [string, Change][] = [];
  await attempt(async () => {
    const image = await open(base);
    if (image !== undefined) changes = changesOf(image);
  });
  const before = changes.length === 0 ? undefined : await damageOf(base);
  let done = 0;
  for (const [name, change] of changes) {
    const storage = new OverlayStorage(base);
    const happened = await attempt(async () => {
      const image = (await open(storage)) as Qcow2Image;
      const writer = await editQcow2(image);
      await change(image, writer);
      await writer.flush();
    });
    if (!happened) continue;
    done += 1;
    if (before?.size !== 0) continue;
    // What was sound is sound.
    expect(await damageOf(storage), name).toEqual(before);
  }
  return done;
}

describe('snapshots and bitmaps', () => {
  let current: { index: number; image: BuiltImage } | undefined;

  function unharmed(seed: number): BuiltImage {
    const index = Math.floor(seed / OF_ONE_IMAGE);
    if (current?.index !== index) {
      const [spec] = fc.sample(anyImage, { numRuns: 1, seed: index });
      current = { index, image: buildQcow2(spec!) };
    }
    return current.image;
  }

  it('of damaged images change soundly or not at all', async () => {
    let done = 0;
    for (let seed = FIRST; seed < LAST; seed++) {
      const image = unharmed(seed);
      const bytes = seed % OF_ONE_IMAGE === 0 ? image.bytes : wound(image, randomFor(seed)).bytes;
      const before = process.cpuUsage();
      try {
        done += await changeAll(bytes);
        const { user, system } = process.cpuUsage(before);
        expect((user + system) / 1000).toBeLessThan(PATIENCE);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
    expect(done).toBeGreaterThan(LAST - FIRST);
  }, 120_000);
});
