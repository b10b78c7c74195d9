/** `qemu-img convert --bitmaps`: the persistent bitmaps of the source, copied with its content. */
import { isImageError, Qcow2Image, type ImageError } from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import { CommandFailure, report, type Context } from './context.ts';
import { isIntoImage, type ConvertTask } from './convert-options.ts';
import { errorText } from './messages.ts';

/**
 * The image whose bitmaps are to be copied: also where only a snapshot of it is.
 * @returns undefined where nobody asks for them
 * @throws CommandFailure where that cannot be done
 */
export function bitmapsToCopy(task: ConvertTask, sources: readonly Disk[]): Qcow2Image | undefined {
  const { given } = task;
  if (!given.has('bitmaps')) return undefined;
  const [source] = sources;
  if (sources.length > 1) {
    throw new CommandFailure('Copying bitmaps only possible with single source');
  }
  if (!(source instanceof Qcow2Image) || source.header.version < 3) {
    throw new CommandFailure('Source lacks bitmap support');
  }
  const [broken] = brokenBitmaps(source);
  if (broken !== undefined && !given.has('skip-broken-bitmaps')) {
    const advice = "Try --skip-broken-bitmaps, or use 'qemu-img bitmap --remove' to delete it";
    throw new CommandFailure(`Cannot copy inconsistent bitmap '${broken}'\n${advice}`);
  }
  if (task.format !== 'qcow2' && !isIntoImage(task)) refuseFormat(task.format);
  return source;
}

/** @throws CommandFailure: that format has none */
export function refuseFormat(name: string): never {
  throw new CommandFailure(`Format driver '${name}' does not support bitmaps`);
}

/** Names of those that were not saved cleanly, in the order in which the real program sees them. */
function brokenBitmaps({ bitmaps }: Qcow2Image): string[] {
  return bitmaps
    .filter(({ inUse }) => inUse)
    .map(({ name }) => name)
    .reverse();
}

/** Says which bitmaps are not copied. */
export function reportBroken(context: Context, source: Qcow2Image): void {
  for (const name of brokenBitmaps(source)) {
    report(context, `warning: Skipping inconsistent bitmap '${name}'`);
  }
}

/** The words for bitmaps that could not be copied; undefined for an error of another kind. */
export function bitmapFailure(error: ImageError): string | undefined {
  if (isImageError(error, 'bitmap-refused')) {
    const { name, reason } = error.details;
    const what = reason === 'sizes' ? 'populate' : 'create';
    return `Failed to ${what} bitmap ${name}: ${errorText(error)}`;
  }
  if (!isImageError(error, 'bitmap-damaged')) return undefined;
  return `Failed to populate bitmap ${error.details.name}: ${errorText(error)}`;
}
