/** `qemu-img convert -O qcow2`: into a new qcow2 file, packed or not. */
import { convertToQcow2, isImageError, type ImageError } from '../engine/index.ts';
import type { Qcow2Options } from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import type { Storage } from '../engine/storage/storage.ts';
import {
  CommandFailure,
  hexWarning,
  isCancelled,
  notSupported,
  report,
  type Context,
} from './context.ts';
import type { ConvertTask } from './convert-options.ts';
import { reportCorruption } from './corruption.ts';
import { CREATION_TYPES, CreationValues } from './creation-values.ts';
import { OptionFault } from './option-text.ts';
import type { ProgressLine } from './progress.ts';
import { qcow2Options } from './qcow2-options.ts';

/** What the real program has and this one has not, said before anything is made. */
const MISSING = {
  'no-create': 'Converting into an existing qcow2 image (-n)',
  backing: 'A backing file for the result (-B)',
  bitmaps: 'Copying bitmaps (--bitmaps)',
  salvage: "--salvage with '-O qcow2'",
} as const;

/**
 * What the new image is to be like.
 * @throws CommandFailure for what no image can be and what cannot be made here
 */
export async function qcow2Target(context: Context, task: ConvertTask): Promise<Qcow2Options> {
  const { given, target } = task;
  for (const id of Object.keys(MISSING) as (keyof typeof MISSING)[]) {
    if (given.has(id)) throw notSupported(MISSING[id]);
  }
  const values = readValues(context, task.options);
  const backingFormat = given.value('backing-format');
  if (backingFormat !== undefined) values.set('backing_fmt', backingFormat);
  if (values.text('backing_file') !== undefined) throw notSupported('The option backing_file');
  const isEncrypted = values.isOn('encryption') || values.text('encrypt.format') !== undefined;
  if (given.has('compress') && isEncrypted) {
    throw new CommandFailure('Compression and encryption not supported at the same time');
  }
  if (given.has('compress') && (values.text('preallocation') ?? 'off') !== 'off') {
    throw new CommandFailure('Compression and preallocation not supported at the same time');
  }
  try {
    return await qcow2Options(context, values);
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    const text = `${target}: error while converting qcow2: ${error.message}`;
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

/** Writes the disks into `target`, one behind the other. */
export async function copyToQcow2(
  context: Context,
  task: ConvertTask,
  work: { disks: readonly Disk[]; target: Storage; image: Qcow2Options; line: ProgressLine },
  explain: (error: ImageError, before: number) => string,
): Promise<void> {
  const { disks, target, image, line } = work;
  let before = 0;
  let current: Disk | undefined;
  try {
    await convertToQcow2(disks, target, {
      image,
      signal: context.signal,
      pool: context.host.pool,
      sparse: task.sparse,
      compress: task.given.has('compress'),
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
    const text = isImageError(error, 'too-large')
      ? `${task.target}: error while converting qcow2: The image size is too large for file ` +
        "format 'qcow2' (try using a larger cluster size)"
      : explain(error, before);
    throw new CommandFailure(text, 1, error);
  }
}
