/** `qemu-img convert -n`: into an image that is there, or over what a raw file holds. */
import {
  BitmapDirectory,
  convertInto,
  editQcow2,
  GuestWriter,
  isImageError,
  keepBitmaps,
  Qcow2Image,
  readerBelow,
  type ConvertTarget,
  type ImageError,
  type WritablePacking,
} from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import { CommandFailure, isCancelled, type Context } from './context.ts';
import { bitmapFailure, refuseFormat, reportBroken } from './convert-bitmaps.ts';
import type { ConvertTask } from './convert-options.ts';
import { reportCorruption } from './corruption.ts';
import { openDiskTarget } from './disk-target.ts';
import { editByName } from './editing.ts';
import type { ProgressLine } from './progress.ts';
import { RateLimit } from './rate-limit.ts';
import { reportLosses, Salvages } from './salvage-report.ts';

interface Work {
  disks: readonly Disk[];
  /** The image whose bitmaps are copied. */
  bitmapsOf?: Qcow2Image | undefined;
  line: ProgressLine;
  explain: (error: ImageError, before: number) => string;
}

/** Writes the disks into the image, one behind the other: all of it, or nothing. */
export async function copyIntoImage(
  context: Context,
  task: ConvertTask,
  work: Work,
): Promise<void> {
  const isDescribed = task.given.has('target-image-opts');
  const format = isDescribed ? undefined : task.format;
  const request = { name: task.target, format, imageOpts: isDescribed };
  await editByName(context, request, async ({ disk }) => {
    checkRoom(work.disks, disk.size);
    const { bitmapsOf } = work;
    if (!(disk instanceof Qcow2Image)) {
      if (bitmapsOf !== undefined) refuseFormat(disk.format);
      await copyIntoDisk(context, task, work, disk);
      return;
    }
    const writer = await opened(task, () => editQcow2(disk));
    if (bitmapsOf !== undefined && disk.header.version < 3) refuseFormat('qcow2');
    const target = new GuestWriter(disk, writer, readerBelow(disk));
    await copyOver(context, task, work, {
      ...{ target, clusterSize: disk.clusterSize, codec: disk.codec },
    });
    await keepBitmaps(disk, writer, target.changed.within(0, disk.size));
    if (bitmapsOf !== undefined) await addBitmaps(context, bitmapsOf, disk, writer);
    await writer.flush();
  });
}

/** As {@link copyIntoImage}, for what is not qcow2. */
async function copyIntoDisk(
  context: Context,
  task: ConvertTask,
  work: Work,
  disk: Disk,
): Promise<void> {
  const target = await opened(task, () => openDiskTarget(disk));
  const compress = task.given.has('compress') || target.alwaysPacks;
  if (compress && target.codec === undefined) {
    throw new CommandFailure('error while writing at byte 0: Operation not supported');
  }
  const { clusterSize, codec } = target;
  await copyOver(context, task, work, { target, clusterSize, codec, compress });
  await target.end();
}

/** Those that are there already have recorded what was written. */
async function addBitmaps(
  context: Context,
  source: Qcow2Image,
  target: Qcow2Image,
  writer: Parameters<typeof BitmapDirectory.open>[1],
): Promise<void> {
  try {
    const directory = await BitmapDirectory.open(target, writer);
    await directory.copy(source);
    await directory.flush();
  } catch (error) {
    const text = isImageError(error) ? bitmapFailure(error) : undefined;
    if (text === undefined) throw error;
    throw new CommandFailure(text, 1, error);
  }
  reportBroken(context, source);
}

/** @throws CommandFailure where the target cannot be written into */
async function opened<Result>(task: ConvertTask, open: () => Promise<Result>): Promise<Result> {
  try {
    return await open();
  } catch (error) {
    if (!isImageError(error)) throw error;
    const reason = isImageError(error, 'image-dirty') ? 'repair it first' : error.message;
    throw new CommandFailure(`Could not open '${task.target}': ${reason}`, 1, error);
  }
}

/** @throws CommandFailure */
function checkRoom(disks: readonly Disk[], size: number): void {
  const total = disks.reduce((sum, disk) => sum + disk.size, 0);
  if (size < total) throw new CommandFailure('output file is smaller than input file');
}

/** Where the guest's bytes go. */
interface Place {
  readonly target: ConvertTarget;
  /** Of the target, bytes. */
  readonly clusterSize: number;
  /** undefined where nothing can be packed. */
  readonly codec: WritablePacking | undefined;
  /** Whether to pack; by default as `-c` says. */
  readonly compress?: boolean;
  /** The target reads as zeros wherever nothing is written; by default as the option says. */
  readonly targetIsZero?: boolean;
}

/** Copies the disks over what is there. */
export async function copyOver(
  context: Context,
  task: ConvertTask,
  { disks, line, explain }: Work,
  { target, clusterSize, codec = 'zlib', ...place }: Place,
): Promise<void> {
  const { given, rateLimit } = task;
  const compress = place.compress ?? given.has('compress');
  let before = 0;
  let [current] = disks;
  const salvages = new Salvages(given.has('salvage'));
  try {
    await convertInto(disks, rateLimit === 0 ? target : limited(context, target, rateLimit), {
      ...{ clusterSize, codec, signal: context.signal, pool: context.host.pool },
      sparse: task.sparse,
      compress,
      overBacking: given.has('backing'),
      targetIsZero: place.targetIsZero ?? given.has('target-is-zero'),
      lost: salvages.taker,
      onSource: (disk, start) => {
        current = disk;
        before = start;
      },
      progress: ({ done, total }) => {
        line.show(total === 0 ? 1 : done / total);
      },
    });
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    if (current !== undefined) await reportCorruption(context, current, error);
    throw new CommandFailure(explain(error, before), 1, error);
  } finally {
    await reportLosses(context, salvages.sources, given.has('quiet'));
  }
}

function limited({ signal }: Context, target: ConvertTarget, rate: number): ConvertTarget {
  const limit = new RateLimit(rate, signal);
  return {
    write: async (offset, bytes) => {
      await limit.turn(bytes.length);
      await target.write(offset, bytes);
    },
    zero: (offset, length) => target.zero(offset, length),
    writePacked: async (offset, packed) => {
      await limit.turn(packed.length);
      await target.writePacked(offset, packed);
    },
  };
}
