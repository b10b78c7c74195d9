/** `qemu-img map`: where the bytes of a disk are. */
import type { Disk } from '../engine/formats/format.ts';
import {
  COMMON,
  CommandFailure,
  outputFormat,
  readArguments,
  sizeOption,
  usageFailure,
  type Context,
} from './context.ts';
import { printBitmap } from './map-bitmap.ts';
import { openByName } from './images.ts';
import { mapEntries, type Entry, type EntryBatch, type Range } from './map-entries.ts';
import { formatInteger } from './sizes.ts';

const SPECS = [
  COMMON.help,
  COMMON.format,
  COMMON.output,
  { id: 'start-offset', short: 's', long: 'start-offset', argument: true },
  { id: 'max-length', short: 'l', long: 'max-length', argument: true },
  { id: 'bitmap', long: 'bitmap', argument: true },
  COMMON.object,
  COMMON.imageOpts,
  COMMON.forceShare,
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

export async function map(context: Context, argv: readonly string[]): Promise<number> {
  let start = 0n;
  let most = -1n;
  const given = readArguments<Id>(context, argv, SPECS, ({ id, value }) => {
    if (id === 'start-offset') start = sizeOption(context, value, 'start offset');
    if (id === 'max-length') most = sizeOption(context, value, 'max length');
  });
  if (given.help) return 0;
  const [name] = given.operands;
  if (name === undefined || given.operands.length > 1) {
    throw usageFailure('Expecting one image file name');
  }
  const output = outputFormat(given.value('output'));
  const image = await openByName(context, {
    name,
    format: given.value('format'),
    imageOpts: given.has('image-opts'),
    mode: 'read',
  });
  try {
    const range = rangeOf(image.disk, start, most);
    const bitmap = given.value('bitmap');
    if (bitmap !== undefined) {
      await printBitmap(context, image.disk, { name: bitmap, range, output });
      return 0;
    }
    const print = output === 'json' ? printJson : printText;
    await print(context, image.disk, start, range);
  } finally {
    await image.close();
  }
  return 0;
}

/** The part of the disk that was asked for; beyond its end nothing is left. */
function rangeOf(disk: Disk, start: bigint, most: bigint): Range {
  const offset = Number(start);
  const rest = Math.max(0, disk.size - offset);
  return { offset, length: most < 0n ? rest : Math.min(rest, Number(most)) };
}

async function printJson(context: Context, disk: Disk, start: bigint, range: Range): Promise<void> {
  const { host } = context;
  if (range.length === 0) {
    host.stdout(
      `[{ "start": ${String(start)}, "length": 0, "depth": 0, ` +
        '"present": false, "zero": false, "data": false}]\n',
    );
    return;
  }
  host.stdout('[');
  const line = (entry: Entry, isLast: boolean) => `${jsonLine(entry)}${isLast ? ']' : ','}\n`;
  for await (const lines of inPieces(mapEntries(context, disk, range), line)) {
    host.stdout(lines.join(''));
  }
}

function jsonLine(entry: Entry): string {
  return (
    `{ "start": ${formatInteger(entry.start)}, "length": ${formatInteger(entry.length)}, ` +
    `"depth": ${entry.depth}, ` +
    `"present": ${String(entry.present)}, "zero": ${String(entry.zero)}, ` +
    `"data": ${String(entry.data)}${entry.offset < 0 ? '' : `, "offset": ${formatInteger(entry.offset)}`}}`
  );
}

async function printText(
  context: Context,
  disk: Disk,
  _start: bigint,
  range: Range,
): Promise<void> {
  const row = (start: string, length: string, offset: string, file: string) =>
    [start.padEnd(16), length.padEnd(16), offset.padEnd(16), file].join('');
  context.host.stdout(`${row('Offset', 'Length', 'Mapped to', 'File')}\n`);
  const line = (entry: Entry): string => {
    if (!entry.data || entry.zero) return '';
    if (entry.offset < 0) {
      throw new CommandFailure('File contains external, encrypted or compressed clusters.');
    }
    return `${row(hex(entry.start), hex(entry.length), hex(entry.offset), entry.file)}\n`;
  };
  for await (const lines of inPieces(mapEntries(context, disk, range), line)) {
    context.host.stdout(lines.join(''));
  }
}

function hex(value: number): string {
  return value === 0 ? '0' : `0x${value.toString(16)}`;
}

/** The lines in pieces that are worth a call; what was made before a failure is given out. */
async function* inPieces(
  source: AsyncIterable<EntryBatch>,
  line: (entry: Entry, isLast: boolean) => string,
): AsyncGenerator<string[]> {
  for await (const batch of source) {
    const lines: string[] = [];
    let failure: { error: unknown } | undefined;
    for (const entry of batch.entries) {
      try {
        lines.push(line(entry, batch.isLast));
      } catch (error) {
        failure = { error };
        break;
      }
    }
    if (lines.length > 0) yield lines;
    if (failure !== undefined) throw failure.error;
  }
}
