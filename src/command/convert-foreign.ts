/** `qemu-img convert` into a new image of a format that has a driver. */
import { editDisk, isImageError, openImage, type ImageError } from '../engine/index.ts';
import type { Disk, DiskWriter, NewFiles } from '../engine/formats/format.ts';
import { isLayered } from '../engine/index.ts';
import type { Storage } from '../engine/storage/storage.ts';
import { CommandFailure, hexWarning, isCancelled, report, type Context } from './context.ts';
import { copyOver } from './convert-into.ts';
import type { ConvertTask } from './convert-options.ts';
import { addBacking, openTargetBacking } from './convert-qcow2.ts';
import type { PreparedImage, TargetFormat } from './creation/target-format.ts';
import { CreationValues, FILE_TYPES } from './creation-values.ts';
import type { OpenedImage } from './images.ts';
import { errorText } from './messages.ts';
import { creationBacking, withNewFiles } from './new-files.ts';
import { OptionFault } from './option-text.ts';
import type { ProgressLine } from './progress.ts';
import { LimitedStorage } from './rate-limit.ts';

interface Work {
  readonly disks: readonly Disk[];
  readonly line: ProgressLine;
  readonly explain: (error: ImageError, before: number) => string;
  /** Opens the first file of the target, empty. */
  readonly openTarget: () => Promise<Storage>;
}

/** Writes the disks into a new image, one behind the other. @throws CommandFailure */
export async function copyToForeign(
  context: Context,
  task: ConvertTask,
  format: TargetFormat,
  work: Work,
): Promise<void> {
  const values = readValues(context, task, format);
  const isEncrypted = values.isOn('encryption') || values.text('encrypt.format') !== undefined;
  if (task.given.has('compress') && isEncrypted) {
    throw new CommandFailure('Compression and encryption not supported at the same time');
  }
  if (format.backing) addBacking(task, values);
  // Before the target: a file that is open for reading is not emptied.
  const backing = await openTargetBacking(context, task, {
    backingName: values.text('backing_file') ?? '',
    backingFormat: values.text('backing_fmt') ?? '',
  });
  try {
    const prepared = await prepare(context, task, { format, values, backing, disks: work.disks });
    const main = await work.openTarget();
    const limit = (storage: Storage) =>
      task.rateLimit > 0 ? new LimitedStorage(storage, task.rateLimit, context.signal) : storage;
    await withNewFiles(
      context,
      main,
      task.target,
      (files) => fill(context, task, { ...work, format, prepared, backing, files }),
      limit,
    );
  } finally {
    await backing?.close();
  }
}

function readValues(context: Context, task: ConvertTask, format: TargetFormat): CreationValues {
  try {
    return new CreationValues(task.options, { ...FILE_TYPES, ...format.types }, (value) => {
      report(context, hexWarning(value));
    });
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    throw new CommandFailure(error.message, 1, error);
  }
}

interface Wanted {
  readonly format: TargetFormat;
  readonly values: CreationValues;
  readonly backing: OpenedImage | undefined;
  readonly disks: readonly Disk[];
}

async function prepare(
  context: Context,
  { target }: ConvertTask,
  { format, values, backing, disks }: Wanted,
): Promise<PreparedImage> {
  const size = disks.reduce((sum, disk) => sum + disk.size, 0);
  const below = backing && creationBacking(values.text('backing_file') ?? '', backing);
  try {
    return await format.prepare(context, { values, size, name: target, backing: below });
  } catch (error) {
    const reason = reasonOf(error);
    if (reason === undefined) throw error;
    const text = `${target}: error while converting ${format.name}: ${reason}`;
    throw new CommandFailure(text, 1, error);
  }
}

function reasonOf(error: unknown): string | undefined {
  if (error instanceof OptionFault) return error.message;
  return isImageError(error) && !isCancelled(error) ? errorText(error) : undefined;
}

interface Filling extends Work {
  readonly format: TargetFormat;
  readonly prepared: PreparedImage;
  readonly backing: OpenedImage | undefined;
  readonly files: NewFiles;
}

async function fill(context: Context, task: ConvertTask, filling: Filling): Promise<void> {
  const { disks, line, explain, format, prepared } = filling;
  const total = disks.reduce((sum, disk) => sum + disk.size, 0);
  const writer = await created(task, filling);
  if (prepared.size < total) throw new CommandFailure('output file is smaller than input file');
  const { clusterSize, packing: codec } = writer;
  const wantsPacked = task.given.has('compress') || writer.alwaysPacks === true;
  if (wantsPacked && clusterSize === 0) throw new CommandFailure('invalid cluster size');
  // VMDK: qemu-img asks for packing, and nobody says that nothing was packed.
  const compress = wantsPacked && (codec !== undefined || format.name !== 'vmdk');
  if (compress && codec === undefined) {
    throw new CommandFailure('error while writing at byte 0: Operation not supported');
  }
  const targetIsZero = filling.backing === undefined && writer.noiseAtFirst !== true;
  await copyOver(
    context,
    { ...task, rateLimit: 0 },
    { disks, line, explain },
    { target: writer, clusterSize, codec, compress, targetIsZero },
  );
  try {
    await writer.flush();
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    throw new CommandFailure(
      `${task.target}: error while converting ${format.name}: ${errorText(error)}`,
      1,
      error,
    );
  }
}

/** The empty image; one with another below it is opened again, as whoever writes into one does. */
async function created(
  { target }: ConvertTask,
  { format, prepared, backing, files }: Filling,
): Promise<DiskWriter> {
  const others = new Map<string, Storage>();
  try {
    const writer = await prepared.create({
      main: files.main,
      beside: async (name) => {
        const storage = await files.beside(name);
        others.set(name, storage);
        return storage;
      },
    });
    if (backing === undefined) return writer;
    await writer.flush();
    const disk = await openImage(files.main, {
      format: format.name,
      mode: prepared.unlock === undefined ? 'info' : 'read',
      unlock: prepared.unlock,
      gate: ({ name }) => Promise.resolve(others.get(name)),
    });
    if (isLayered(disk)) disk.backing = backing.disk;
    return await editDisk(disk);
  } catch (error) {
    const reason = reasonOf(error);
    if (reason === undefined) throw error;
    const text = `${target}: error while converting ${format.name}: ${reason}`;
    throw new CommandFailure(text, 1, error);
  }
}
