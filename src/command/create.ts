/** `qemu-img create`: a new, empty image. */
import {
  checkQcow2Size,
  createQcow2,
  ImageError,
  isImageError,
  type Qcow2Options,
} from '../engine/index.ts';
import type { DiskWriter } from '../engine/formats/format.ts';
import type { Storage } from '../engine/storage/storage.ts';
import {
  COMMON,
  CommandFailure,
  hexWarning,
  isCancelled,
  notSupported,
  readArguments,
  report,
  sizeOption,
  usageFailure,
  type Arguments,
  type Context,
} from './context.ts';
import { targetFormat } from './creation/index.ts';
import type { CreationBacking, TargetFormat } from './creation/target-format.ts';
import { createHelp, joinOptionLists, wantsHelp } from './creation-options.ts';
import { CREATION_TYPES, CreationValues, FILE_TYPES } from './creation-values.ts';
import { withDataFile } from './data-file.ts';
import { isForeignFormat } from './foreign-formats.ts';
import { openByName } from './images.ts';
import { creationText, errorText } from './messages.ts';
import { creationBacking, withNewFiles } from './new-files.ts';
import { fileName, refusedName, resolveName } from './names.ts';
import { OptionFault } from './option-text.ts';
import { PREALLOCATION, qcow2Options } from './qcow2-options.ts';

const SPECS = [
  { id: 'backing-format', short: 'F', argument: true },
  { id: 'backing', short: 'b', argument: true },
  COMMON.shortFormat,
  COMMON.help,
  { id: 'options', short: 'o', argument: true },
  COMMON.quiet,
  { id: 'unsafe', short: 'u' },
  COMMON.object,
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

/** Options in the order in which they are printed; the first ones have a value always. */
const PRINTED = {
  qcow2: [
    ...['encryption', 'encrypt.format', 'encrypt.key-secret', 'encrypt.cipher-alg'],
    ...['encrypt.cipher-mode', 'encrypt.ivgen-alg', 'encrypt.ivgen-hash-alg', 'encrypt.hash-alg'],
    ...['encrypt.iter-time', 'cluster_size', 'extended_l2', 'preallocation'],
    ...['compression_type', 'size', 'compat', 'backing_file', 'backing_fmt', 'data_file'],
    ...['data_file_raw', 'lazy_refcounts', 'refcount_bits', 'nocow', 'extent_size_hint'],
  ],
  raw: ['size', 'nocow', 'preallocation', 'extent_size_hint'],
} as const;
const USUAL = {
  qcow2: {
    cluster_size: '65536',
    extended_l2: 'off',
    compression_type: 'zlib',
    lazy_refcounts: 'off',
    refcount_bits: '16',
  },
  raw: {},
} as const;

type Format = 'qcow2' | 'raw' | TargetFormat;

/** Room is taken by writing, in pieces of this many bytes. */
const FILL = 4 * 1024 * 1024;
const SECTOR = 512;

export async function create(context: Context, argv: readonly string[]): Promise<number> {
  let list: string | undefined;
  const given = readArguments<Id>(context, argv, SPECS, ({ id, value }) => {
    if (id === 'options') list = joinOptionLists(list, value);
  });
  if (given.help) return 0;
  const [name, sizeText, unexpected] = given.operands;
  const format = given.value('format') ?? 'raw';
  if (list !== undefined && wantsHelp(list)) {
    context.host.stdout(createHelp(await requireFormat(format, ''), name !== undefined));
    return 0;
  }
  if (name === undefined) throw usageFailure('Expecting image file name');
  const size = sizeText === undefined ? undefined : sizeOption(context, sizeText, 'image size');
  if (unexpected !== undefined) throw usageFailure(`Unexpected argument: ${unexpected}`);
  try {
    await make(context, {
      given,
      name,
      size,
      list,
      format: await requireFormat(format, `${name}: `),
    });
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    if (!(error instanceof OptionHint)) {
      throw new CommandFailure(`${name}: ${error.message}`, 1, error);
    }
    report(context, `${name}: ${error.message}`);
    // The real program does not end this line.
    context.host.stderr(error.hint);
    return 1;
  }
  return 0;
}

/** A fault, and what may help. */
class OptionHint extends OptionFault {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

async function requireFormat(format: string, prefix: string): Promise<Format> {
  if (format === 'qcow2' || format === 'raw') return format;
  const target = await targetFormat(format);
  if (target !== undefined) return target;
  const readOnly = ['bochs', 'cloop', 'dmg'];
  if (readOnly.includes(format)) {
    throw new CommandFailure(`${prefix}Format driver '${format}' does not support image creation`);
  }
  if (isForeignFormat(format)) throw notSupported(`Creating '${format}'`);
  throw new CommandFailure(`${prefix}Unknown file format '${format}'`);
}

interface Task {
  given: Arguments<Id>;
  name: string;
  format: Format;
  size: bigint | undefined;
  /** Of `-o`, joined. */
  list: string | undefined;
}

async function make(context: Context, task: Task): Promise<void> {
  const { given, name, format } = task;
  const types =
    typeof format === 'string' ? CREATION_TYPES[format] : { ...FILE_TYPES, ...format.types };
  const values = new CreationValues(task.list, types, (value) => {
    report(context, hexWarning(value));
  });
  addBacking(task, values);
  if (task.size !== undefined) {
    if (values.number('size') !== undefined) {
      throw new OptionFault('The image size must be specified only once');
    }
    values.set('size', task.size);
  }
  const backing = await checkBacking(context, task, values);
  if (values.number('size') === undefined) {
    throw new OptionFault('Image creation needs a size parameter');
  }
  if (!given.has('quiet')) {
    context.host.stdout(
      `Formatting '${name}', fmt=${nameOf(format)} ${describe(format, values)}\n`,
    );
  }
  if (typeof format === 'string') await write(context, name, format, values);
  else await writeForeign(context, { name, format, values, backing });
}

function nameOf(format: Format): string {
  return typeof format === 'string' ? format : format.name;
}

/** `-b` and `-F` are options like the others. */
function addBacking({ given, name, format }: Task, values: CreationValues): void {
  const refuse = (what: string) =>
    new OptionFault(`${what} not supported for file format '${nameOf(format)}'`);
  const hasBacking = typeof format === 'string' ? format === 'qcow2' : format.backing;
  const hasFormat = typeof format === 'string' ? format === 'qcow2' : format.backingFormat;
  const backing = given.value('backing');
  if (backing !== undefined) {
    if (!hasBacking) throw refuse('Backing file');
    values.set('backing_file', backing);
  }
  const backingFormat = given.value('backing-format');
  if (backingFormat !== undefined) {
    if (!hasFormat) throw refuse('Backing file format');
    values.set('backing_fmt', backingFormat);
  }
  const chosen = values.text('backing_file');
  if (chosen === '') throw new OptionFault('Expected backing file name, got empty string');
  if (chosen === name) {
    const what = 'Trying to create an image with the same filename as the backing file';
    throw new OptionFault(`Error: ${what}`);
  }
}

/** Opens the backing file, for its size and to see that it is there. */
async function checkBacking(
  context: Context,
  task: Task,
  values: CreationValues,
): Promise<CreationBacking | undefined> {
  const backing = values.text('backing_file');
  if (backing === undefined) return undefined;
  const format = values.text('backing_fmt');
  const without = 'Backing file specified without backing format';
  if (task.given.has('unsafe')) {
    if (format === undefined) throw new OptionFault(without);
    return undefined;
  }
  const path = resolveName(backing, task.name);
  const request = { name: path, format, mode: 'read', locked: true } as const;
  const image = await openByName(context, request).catch((error: unknown) => {
    if (!(error instanceof CommandFailure)) throw error;
    // What it says begins with the file that cannot be opened, and so does this.
    const reason = error.message.slice(`Could not open '${path}': `.length);
    throw new OptionFault(`${reason}\nCould not open backing image.`);
  });
  try {
    if (format === undefined) {
      const detected = `Detected format of ${image.disk.format}.`;
      throw new OptionHint(without, detected);
    }
    if (values.number('size') === undefined) values.set('size', BigInt(image.disk.size));
    return creationBacking(backing, image);
  } finally {
    await image.close();
  }
}

/** The options as they are, those with usual values too. */
function describe(format: Format, values: CreationValues): string {
  const isOurs = typeof format === 'string';
  const usual: Readonly<Record<string, string>> = isOurs ? USUAL[format] : format.usual;
  const words: string[] = [];
  for (const name of isOurs ? PRINTED[format] : format.printed) {
    const text = values.print(name) ?? usual[name];
    if (text !== undefined) words.push(`${name}=${text.replaceAll(',', ',,')}`);
  }
  return words.join(' ');
}

async function write(
  context: Context,
  name: string,
  format: 'qcow2' | 'raw',
  values: CreationValues,
): Promise<void> {
  const size = roundedSize(values);
  const options = format === 'qcow2' ? await qcow2Options(context, values) : undefined;
  const preallocation = values.text('preallocation') ?? 'off';
  if (options !== undefined) checkSize(options, size);
  else if (!PREALLOCATION.includes(preallocation)) {
    throw new OptionFault(`invalid parameter value: ${preallocation}`);
  }
  if (options === undefined) {
    await writeFile(context, name, { size, preallocation });
    return;
  }
  await withDataFile(context, options, name, (image) =>
    writeFile(context, name, { size, preallocation, image }),
  );
}

async function writeFile(
  context: Context,
  name: string,
  {
    size,
    preallocation,
    image,
  }: { size: number; preallocation: string; image?: Qcow2Options | undefined },
): Promise<void> {
  const storage = await openTarget(context, name);
  try {
    if (image !== undefined) {
      const writer = await createQcow2(storage, size, image);
      await writer.flush();
    } else {
      if (preallocation === 'metadata') {
        throw new OptionFault('Unsupported preallocation mode: metadata');
      }
      await storage.resize(size);
      if (preallocation !== 'off') await fill(storage, size, context);
    }
    await storage.flush();
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    throw new CommandFailure(`${name}: ${errorText(error)}`, 1, error);
  } finally {
    await storage.close();
  }
}

/** Before there is a file: what cannot be must not leave one behind. */
function checkSize(options: Qcow2Options, size: number): void {
  try {
    checkQcow2Size(options, BigInt(size));
  } catch (error) {
    if (!isImageError(error, 'too-large')) throw error;
    const text = "The image size is too large for file format 'qcow2'";
    throw new OptionFault(`${text} (try using a larger cluster size)`);
  }
}

/** Whole sectors, as all images have them. */
function roundedSize(values: CreationValues): number {
  const size = Number(values.number('size') ?? 0n);
  return Math.ceil(size / SECTOR) * SECTOR;
}

async function fill(storage: Storage, size: number, { signal }: Context): Promise<void> {
  for (let at = 0; at < size; at += FILL) {
    if (signal?.aborted === true) throw new ImageError('cancelled', {});
    await storage.write(at, new Uint8Array(Math.min(FILL, size - at)));
  }
}

interface ForeignTask {
  readonly name: string;
  readonly format: TargetFormat;
  readonly values: CreationValues;
  readonly backing: CreationBacking | undefined;
}

async function writeForeign(context: Context, task: ForeignTask): Promise<void> {
  const { name, format, values, backing } = task;
  const size = roundedSize(values);
  try {
    const prepared = await format.prepare(context, { values, size, name, backing });
    const main = await openTarget(context, name);
    await withNewFiles(context, main, name, async (files) => {
      const writer: DiskWriter = await prepared.create(files);
      await writer.flush();
      await main.flush();
    });
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    throw new CommandFailure(`${name}: ${errorText(error)}`, 1, error);
  }
}

async function openTarget({ host }: Context, name: string): Promise<Storage> {
  const refusal = name === '' ? undefined : refusedName(name);
  if (refusal !== undefined) throw new CommandFailure(`${name}: ${refusal}`);
  const path = fileName(name);
  try {
    return await host.create(path);
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    throw new CommandFailure(`${name}: ${creationText(path, error)}`, 1, error);
  }
}
