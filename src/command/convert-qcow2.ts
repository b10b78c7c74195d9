/** `qemu-img convert -O qcow2`: into a new qcow2 file, packed or not. */
import {
  convertOverBacking,
  convertToQcow2,
  convertWithSnapshots,
  isImageError,
  Qcow2Image,
  type ConvertQcow2Options,
  type ImageError,
} from '../engine/index.ts';
import type { Qcow2Options } from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import type { Storage } from '../engine/storage/storage.ts';
import { CommandFailure, hexWarning, isCancelled, report, type Context } from './context.ts';
import { bitmapFailure, refuseFormat, reportBroken } from './convert-bitmaps.ts';
import type { ConvertTask } from './convert-options.ts';
import { reportCorruption } from './corruption.ts';
import { CREATION_TYPES, CreationValues } from './creation-values.ts';
import { withDataFile } from './data-file.ts';
import { isForeignFormat } from './foreign-formats.ts';
import { openByName, type OpenedImage } from './images.ts';
import { fileName, isProtocol, resolveName } from './names.ts';
import { OptionFault } from './option-text.ts';
import type { ProgressLine } from './progress.ts';
import { qcow2Options, type ChosenQcow2 } from './qcow2-options.ts';
import { reportLosses, Salvages } from './salvage-report.ts';

/**
 * What the new image is to be like.
 * @throws CommandFailure for what no image can be and what cannot be made here
 */
export async function qcow2Target(context: Context, task: ConvertTask): Promise<ChosenQcow2> {
  const { given, target } = task;
  const values = readValues(context, task.options);
  addBacking(task, values);
  const isEncrypted = values.isOn('encryption') || values.text('encrypt.format') !== undefined;
  if (given.has('compress') && isEncrypted) {
    throw new CommandFailure('Compression and encryption not supported at the same time');
  }
  if (given.has('compress') && (values.text('preallocation') ?? 'off') !== 'off') {
    throw new CommandFailure('Compression and preallocation not supported at the same time');
  }
  try {
    checkBackingFormat(values.text('backing_fmt') ?? '');
    return await qcow2Options(context, values);
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    const text = `${target}: error while converting qcow2: ${error.message}`;
    throw new CommandFailure(text, 1, error);
  }
}

/** `-B` and `-F` are options like the others, and go before them. @throws CommandFailure */
export function addBacking({ given, sources }: ConvertTask, values: CreationValues): void {
  const backing = given.value('backing');
  if (backing !== undefined) values.set('backing_file', backing);
  const format = given.value('backing-format');
  if (format !== undefined) values.set('backing_fmt', format);
  const name = values.text('backing_file');
  if (name === undefined) return;
  if (sources.length > 1) {
    const when = 'makes no sense when concatenating multiple input images';
    throw new CommandFailure(`Having a backing file for the target ${when}`);
  }
  if (values.text('backing_fmt') === undefined) {
    throw new CommandFailure('Use of backing file requires explicit backing format');
  }
  if (name === '') throw new CommandFailure('Expected backing file name, got empty string');
}

/** @throws OptionFault */
function checkBackingFormat(format: string): void {
  const known = ['', 'raw', 'qcow2'].includes(format);
  if (known || isForeignFormat(format) || isProtocol(format)) return;
  throw new OptionFault(`Parameter 'backing-fmt' does not accept value '${format}'`);
}

/**
 * The image below the new one; undefined where there is to be none.
 * @throws CommandFailure
 */
export async function openTargetBacking(
  context: Context,
  { target }: ConvertTask,
  { backingName, backingFormat }: Pick<Qcow2Options, 'backingName' | 'backingFormat'>,
): Promise<OpenedImage | undefined> {
  if (backingName === '') return undefined;
  const name = resolveName(backingName, fileName(target));
  try {
    return await openByName(context, { name, format: backingFormat, mode: 'read' });
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    // What it says begins with the name that cannot be opened.
    const reason = error.message.slice(`Could not open '${name}': `.length);
    const text = `Could not open '${target}': Could not open backing file: ${reason}`;
    throw new CommandFailure(text, 1, error);
  }
}

function readValues(context: Context, list: string | undefined): CreationValues {
  try {
    return new CreationValues(list, CREATION_TYPES.qcow2, (value) => {
      report(context, hexWarning(value));
    });
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    throw new CommandFailure(error.message, 1, error);
  }
}

interface Work {
  disks: readonly Disk[];
  target: Storage;
  image: Qcow2Options;
  /** What is below the target. */
  backing: Disk | undefined;
  /** The image whose bitmaps are copied. */
  bitmapsOf: Qcow2Image | undefined;
  line: ProgressLine;
}

/** Writes the disks into `target`, one behind the other. */
export async function copyToQcow2(
  context: Context,
  task: ConvertTask,
  work: Omit<Work, 'image'> & { image: ChosenQcow2 },
  explain: (error: ImageError, before: number) => string,
): Promise<void> {
  try {
    await withDataFile(context, work.image, task.target, async (image) => {
      if (image.dataFile !== undefined) refuseWithDataFile(task);
      await copyInto(context, task, { ...work, image }, explain);
    });
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    const text = `${task.target}: error while converting qcow2: ${error.message}`;
    throw new CommandFailure(text, 1, error);
  }
}

/** What only the image itself can hold. @throws CommandFailure */
function refuseWithDataFile({ given }: ConvertTask): void {
  if (given.has('compress')) {
    throw new CommandFailure('error while writing at byte 0: Operation not supported');
  }
  if (given.has('snapshots')) {
    throw new CommandFailure('An image with an external data file cannot have snapshots');
  }
}

async function copyInto(
  context: Context,
  task: ConvertTask,
  work: Work,
  explain: (error: ImageError, before: number) => string,
): Promise<void> {
  const { disks, target, image, line, backing, bitmapsOf } = work;
  if (bitmapsOf !== undefined && image.version < 3) refuseFormat('qcow2');
  let before = 0;
  let [current] = disks;
  const salvages = new Salvages(task.given.has('salvage'));
  const options: ConvertQcow2Options = {
    image,
    signal: context.signal,
    pool: context.host.pool,
    sparse: task.sparse,
    compress: task.given.has('compress'),
    bitmapsOf,
    lost: salvages.taker,
    onSource: (disk, start) => {
      current = disk;
      before = start;
    },
    progress: ({ done, total }) => {
      line.show(total === 0 ? 1 : done / total);
    },
  };
  try {
    if (task.given.has('snapshots') && current instanceof Qcow2Image) {
      await convertWithSnapshots(current, target, options);
    } else if (backing !== undefined && current !== undefined) {
      await convertOverBacking(current, target, backing, options);
    } else await convertToQcow2(disks, target, options);
    if (bitmapsOf !== undefined) reportBroken(context, bitmapsOf);
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    if (current !== undefined) await reportCorruption(context, current, error);
    const text = isImageError(error, 'too-large')
      ? `${task.target}: error while converting qcow2: The image size is too large for file ` +
        "format 'qcow2' (try using a larger cluster size)"
      : (bitmapFailure(error) ?? explain(error, before));
    throw new CommandFailure(text, 1, error);
  } finally {
    await reportLosses(context, salvages.sources, task.given.has('quiet'));
  }
}
