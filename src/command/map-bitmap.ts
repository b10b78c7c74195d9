/** `qemu-img map --bitmap`, which the real program has not: what a persistent bitmap marks. */
import { ImageError, Qcow2Image, readBitmap, throwIfCancelled } from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import type { MarkedRange } from '../engine/formats/qcow2/bitmap-contents.ts';
import { CommandFailure, report, type Context } from './context.ts';
import type { Range } from './map-entries.ts';
import { errorText } from './messages.ts';
import { formatInteger } from './sizes.ts';

export interface BitmapRequest {
  name: string;
  /** The part of the disk that is asked for, bytes. */
  range: Range;
  output: 'human' | 'json';
}

/**
 * Prints the marked ranges of the disk, and of nothing else: a line each, or an array of JSON.
 * @throws CommandFailure where there is no such bitmap, and those of reading
 */
export async function printBitmap(
  context: Context,
  disk: Disk,
  { name, range, output }: BitmapRequest,
): Promise<void> {
  const { host } = context;
  const bitmaps = disk instanceof Qcow2Image ? disk.bitmaps : [];
  const bitmap = bitmaps.find((one) => one.name === name);
  if (bitmap === undefined || !(disk instanceof Qcow2Image)) {
    throw new CommandFailure(errorText(new ImageError('bitmap-missing', { name })));
  }
  if (bitmap.inUse) {
    report(context, `warning: Bitmap '${name}' was not saved cleanly: do not rely on it`);
  }
  const line = output === 'json' ? jsonLine : textLine;
  let separator = '';
  host.stdout(output === 'json' ? '[' : `${'Offset'.padEnd(16)}Length\n`);
  for await (const ranges of readBitmap(disk, bitmap)) {
    throwIfCancelled(context.signal);
    const lines = ranges.flatMap((one) => cutToRange(one, range)).map(line);
    if (lines.length === 0) continue;
    host.stdout(separator + lines.join(output === 'json' ? ',\n' : ''));
    if (output === 'json') separator = ',\n';
  }
  if (output === 'json') host.stdout(']\n');
}

function cutToRange({ offset, length }: MarkedRange, range: Range): MarkedRange[] {
  const start = Math.max(offset, range.offset);
  const end = Math.min(offset + length, range.offset + range.length);
  return end > start ? [{ offset: start, length: end - start }] : [];
}

function jsonLine({ offset, length }: MarkedRange): string {
  return `{ "start": ${formatInteger(offset)}, "length": ${formatInteger(length)}}`;
}

function textLine({ offset, length }: MarkedRange): string {
  const hex = (value: number) => (value === 0 ? '0' : `0x${value.toString(16)}`);
  return `${hex(offset).padEnd(16)}${hex(length)}\n`;
}
