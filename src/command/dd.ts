/** `qemu-img dd`: blocks of a disk into a new image. */
import {
  convertToRaw,
  copyBlocks,
  copyBlocksToQcow2,
  isImageError,
  type ImageError,
  type Storage,
} from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import type { Range } from '../engine/operations/finding.ts';
import {
  COMMON,
  CommandFailure,
  isCancelled,
  notSupported,
  readArguments,
  report,
  sizeOption,
  type Context,
} from './context.ts';
import { reportCorruption } from './corruption.ts';
import type { TargetName } from './convert-options.ts';
import { targetFormat } from './creation/index.ts';
import type { TargetFormat } from './creation/target-format.ts';
import { CreationValues } from './creation-values.ts';
import { isForeignFormat } from './foreign-formats.ts';
import { openByName } from './images.ts';
import { creationText, errorText } from './messages.ts';
import { fileName, refusedName } from './names.ts';
import { withNewFiles } from './new-files.ts';
import { OptionFault } from './option-text.ts';

const SPECS = [
  COMMON.help,
  COMMON.object,
  COMMON.imageOpts,
  COMMON.forceShare,
  COMMON.shortFormat,
  { id: 'output-format', short: 'O', argument: true },
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

/** The operands: what to copy, in blocks of `bs` bytes. */
interface Operands {
  if?: string;
  of?: string;
  bs: bigint;
  /** Blocks; undefined: all that there are. */
  count?: bigint;
  /** Blocks of the source that are left out at its beginning. */
  skip: bigint;
}

const USUAL_BLOCK = 512n;
const MOST_BLOCK = 2n ** 31n - 1n;
/** A raw file has whole sectors, bytes. */
const SECTOR = 512;

export async function dd(context: Context, argv: readonly string[]): Promise<number> {
  const given = readArguments<Id>(context, argv, SPECS);
  if (given.help) return 0;
  const operands = readOperands(context, given.operands);
  const { if: source, of: target } = operands;
  if (source === undefined || target === undefined) {
    throw new CommandFailure('Must specify both input and output files');
  }
  const image = await openByName(context, {
    ...{ name: source, format: given.value('format'), mode: 'read' },
    imageOpts: given.has('image-opts'),
  });
  try {
    const format = await targetOf(given.value('output-format') ?? 'raw');
    const part = partOf(image.disk, operands);
    if (typeof format !== 'string') {
      if (part === undefined) report(context, `${source}: cannot skip to specified offset`);
      await copyToForeign(context, image.disk, part ?? NOTHING, { format, name: target });
      return 0;
    }
    const file = await openTarget(context, target);
    try {
      if (part === undefined) report(context, `${source}: cannot skip to specified offset`);
      const blockSize = format === 'qcow2' ? Number(operands.bs) : undefined;
      await copy(context, image.disk, part ?? NOTHING, { file, blockSize });
    } finally {
      await file.close();
    }
  } finally {
    await image.close();
  }
  return 0;
}

function readOperands(context: Context, words: readonly string[]): Operands {
  const operands: Operands = { bs: USUAL_BLOCK, skip: 0n };
  for (const word of words) {
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    const value = word.slice(equals + 1);
    const size = (limits = {}) => sizeOption(context, value, name, limits);
    if (equals < 0) throw new CommandFailure(`unrecognized operand ${name}`);
    else if (name === 'if' || name === 'of') operands[name] = value;
    else if (name === 'bs') operands.bs = size({ least: 1n, most: MOST_BLOCK });
    else if (name === 'count' || name === 'skip') operands[name] = size();
    else throw new CommandFailure(`unrecognized operand ${name}`);
  }
  return operands;
}

/** Formats that nobody makes. */
const READ_ONLY = ['bochs', 'cloop', 'dmg'];

const NOTHING: Range = { offset: 0, length: 0 };

async function targetOf(format: string): Promise<TargetName> {
  if (format === 'raw' || format === 'qcow2') return format;
  const known = await targetFormat(format);
  if (known !== undefined) return known;
  if (READ_ONLY.includes(format)) {
    throw new CommandFailure(`Format driver '${format}' does not support image creation`);
  }
  if (isForeignFormat(format)) throw notSupported(`Writing an image of format '${format}'`);
  throw new CommandFailure('Unknown file format');
}

/**
 * The bytes that are copied; undefined where the disk ends before they begin. `count` blocks are
 * `count` blocks, also behind `skip`: the real program then copies so many fewer, which dd never
 * did.
 */
function partOf(disk: Disk, { bs, count, skip }: Operands): Range | undefined {
  const size = BigInt(disk.size);
  const start = skip * bs;
  if (start > size) return undefined;
  const wanted = count === undefined ? size : start + count * bs;
  const end = wanted < size ? wanted : size;
  return { offset: Number(start), length: Number(end - start) };
}

async function openTarget({ host }: Context, name: string): Promise<Storage> {
  const refusal = refusedName(name);
  if (refusal !== undefined && name !== '') throw new CommandFailure(refusal);
  const path = fileName(name);
  try {
    return await host.create(path);
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    const text = creationText(path, error);
    throw new CommandFailure(`${name}: error while creating output image: ${text}`, 1, error);
  }
}

async function copy(
  context: Context,
  disk: Disk,
  part: Range,
  { file: target, blockSize }: { file: Storage; blockSize: number | undefined },
): Promise<void> {
  try {
    const { signal, host } = context;
    if (blockSize !== undefined) {
      await copyBlocksToQcow2(disk, part, target, { blockSize, signal, pool: host.pool });
      return;
    }
    await convertToRaw(disk, target, { part, signal, pool: host.pool });
    const rest = target.size % SECTOR;
    if (rest > 0) await target.resize(target.size + SECTOR - rest);
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    await failCopy(context, disk, error);
  }
}

/** @throws CommandFailure */
async function failCopy(context: Context, disk: Disk, error: ImageError): Promise<never> {
  await reportCorruption(context, disk, error);
  const isWrite = ['write-failed', 'disk-full', 'read-only'].includes(error.code);
  const what = isWrite ? 'writing to output' : 'reading from input';
  throw new CommandFailure(`error while ${what} image file: ${errorText(error)}`, 1, error);
}

/** A new image of a format that has a driver. */
async function copyToForeign(
  context: Context,
  disk: Disk,
  part: Range,
  { format, name }: { format: TargetFormat; name: string },
): Promise<void> {
  const { signal, host } = context;
  const size = Math.ceil(part.length / SECTOR) * SECTOR;
  const values = new CreationValues(undefined, {}, () => undefined);
  let isMade = false;
  try {
    const prepared = await format.prepare(context, { values, size, name, backing: undefined });
    const main = await openTarget(context, name);
    await withNewFiles(context, main, name, async (files) => {
      const writer = await prepared.create(files);
      isMade = true;
      await copyBlocks(disk, part, writer, { signal, pool: host.pool });
    });
  } catch (error) {
    const isFault = error instanceof OptionFault;
    if (!isFault && (!isImageError(error) || isCancelled(error))) throw error;
    const reason = isFault ? error.message : errorText(error);
    if (!isMade) {
      throw new CommandFailure(`${name}: error while creating output image: ${reason}`, 1, error);
    }
    if (!isFault) await failCopy(context, disk, error);
    throw error;
  }
}
