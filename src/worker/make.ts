/** Conversion to everything but a plain raw file: loaded when it is first asked for. */
import { type ImageWish, makeFor, makeImage } from '../command/make-image.ts';
import {
  type Disk,
  destinationOf,
  ImageError,
  openImage,
  openWrapped,
  type Storage,
  throwIfCancelled,
} from '../engine/index.ts';
import type { ConvertRequest, ConvertResult, Goal } from './api.ts';
import { codecPool } from './codec-pool.ts';
import type { JobContext } from './job.ts';
import { openScratch } from './private-files.ts';
import { StagedFiles } from './staging.ts';
import { verifyCopy } from './verify.ts';
import { WrittenDisk, WrittenParts } from './written.ts';

/** What tables, headers and packing that fails may add to a disk, bytes. */
const MORE = 2 ** 30;

/** Makes the files, compares them with the source and puts them where they are wanted. */
export async function convertTo(
  request: ConvertRequest,
  goal: Goal,
  context: JobContext,
): Promise<ConvertResult> {
  const started = performance.now();
  const { images, signal } = context;
  const { image, snapshot, target, expected = 0, verify } = request;
  const disk = await images.disk(image, snapshot);
  const sources = images.files(image);
  const most = 2 * disk.size + MORE;
  const files = await StagedFiles.open({ target, sources, expected, most }, context);
  try {
    const { size, copied } = await make(disk, files, goal, context);
    throwIfCancelled(signal);
    await files.place();
    if (verify) await verifyMade(disk, files, goal, context);
    await files.publish();
    const milliseconds = performance.now() - started;
    const { name, files: list } = files;
    return { name, size, copied, files: list, verified: verify, milliseconds };
  } catch (error) {
    context.leave(await files.discard());
    // Writing fails as it may when it is stopped: that is not the reason.
    throwIfCancelled(signal);
    throw error;
  }
}

function make(
  disk: Disk,
  files: StagedFiles,
  goal: Goal,
  { signal, progress }: JobContext,
): Promise<{ size: number; copied: number }> {
  // What comes out is compared with the source, not with qemu-img's files: the bytes are ours.
  const how = { order: 'auto', packing: 'fast' } as const;
  const options = { ...how, name: files.name, pool: codecPool(), signal, progress };
  if (goal.kind === 'destination') {
    return makeFor(disk, files, destinationFor(goal), options);
  }
  const wish: ImageWish = goal;
  return makeImage([disk], files, wish, options);
}

function destinationFor({ id }: Goal & { kind: 'destination' }) {
  const found = destinationOf(id);
  if (found === undefined) throw new ImageError('internal', { reason: `no destination ${id}` });
  return found;
}

/** Opens what was made as anybody would and compares its disk with the source. */
async function verifyMade(
  source: Disk,
  files: StagedFiles,
  goal: Goal,
  context: JobContext,
): Promise<void> {
  const readers = await files.readers();
  const [main] = readers.values();
  if (main === undefined) throw new ImageError('internal', { reason: 'no file was made' });
  const recipe = goal.kind === 'destination' ? destinationFor(goal).recipe : undefined;
  const container = recipe?.container ?? 'none';
  const format = recipe?.format ?? (goal.kind === 'format' ? goal.format : 'raw');
  if (container === 'ova' || container === 'tar.gz') {
    await insideOf(main, context, async (inner) => {
      await verifyCopy(source, await openImage(inner, { format }), context);
    });
    return;
  }
  const written = files.writtenTo(files.name);
  if (format === 'raw' && container === 'none' && written !== undefined) {
    await verifyCopy(source, new WrittenDisk(main, written), context);
    return;
  }
  const made = await openImage(main, {
    format: container === 'vmfs-pair' ? 'vmdk' : format,
    gate: ({ name }) => Promise.resolve(readers.get(name)),
  });
  const parts = (storage: Storage) => files.writtenTo(storage.name);
  await verifyCopy(source, new WrittenParts(made, parts), context);
}

/** Takes the disk out of an archive, for as long as `use` needs it. */
async function insideOf(
  archive: Storage,
  { signal }: JobContext,
  use: (inner: Storage) => Promise<void>,
): Promise<void> {
  const scratch = { open: openScratch, limit: Infinity, watch: { signal } };
  let found = await openWrapped(archive, { scratch });
  try {
    if (found?.kind === 'choice') {
      const [entry] = found.entries;
      if (entry !== undefined) found = await found.choose(entry);
    }
    if (found?.kind !== 'disk') throw new ImageError('internal', { reason: 'no disk in it' });
    await use(found.storage);
  } finally {
    await found?.close();
  }
}
