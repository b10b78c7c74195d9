/** `qemu-img amend`: other properties for an image that is there. */
import {
  amendImage,
  checkAmendment,
  isImageError,
  LuksVolume,
  planResize,
  Qcow2Image,
  type ImageError,
  type Qcow2Amendment,
} from '../engine/index.ts';
import {
  checkCacheMode,
  COMMON,
  CommandFailure,
  hexWarning,
  isCancelled,
  readArguments,
  report,
  usageFailure,
  type Arguments,
  type Context,
} from './context.ts';
import { amendHelp, amendVolumeHelp, joinOptionLists, wantsHelp } from './creation-options.ts';
import {
  AMENDMENT_TYPES,
  CREATION_TYPES,
  CreationValues,
  type OptionTypes,
} from './creation-values.ts';
import { editByName, type EditedImage } from './editing.ts';
import { isForeignFormat } from './foreign-formats.ts';
import { amendKeySlots, changesKeySlots, KEY_SLOT_TYPES, VOLUME_TYPES } from './luks-amend.ts';
import { errorText } from './messages.ts';
import { OptionFault } from './option-text.ts';
import { StepLine } from './progress.ts';
import { MAX_SIZE, notesOf } from './resize.ts';
import { warnOfGuess } from './snapshot-change.ts';

const SPECS = [
  COMMON.help,
  { id: 'options', short: 'o', argument: true },
  COMMON.shortFormat,
  { id: 'cache', short: 't', argument: true },
  COMMON.progress,
  COMMON.quiet,
  COMMON.object,
  COMMON.imageOpts,
  COMMON.undo,
  { id: 'force', long: 'force' },
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

const TYPES = { ...KEY_SLOT_TYPES, ...AMENDMENT_TYPES };

export async function amend(context: Context, argv: readonly string[]): Promise<number> {
  let list: string | undefined;
  const given = readArguments<Id>(context, argv, SPECS, ({ id, value }) => {
    if (id === 'options') list = joinOptionLists(list, value);
  });
  if (given.help) return 0;
  if (list === undefined) throw usageFailure('Must specify options (-o)');
  const line = new StepLine(context.host, given.has('progress') && !given.has('quiet'));
  try {
    await run(context, given, list, line);
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    throw new CommandFailure(error.message, 1, error);
  } finally {
    line.end();
  }
  return 0;
}

async function run(
  context: Context,
  given: Arguments<Id>,
  list: string,
  line: StepLine,
): Promise<void> {
  const format = given.value('format');
  if (format !== undefined && wantsHelp(list)) {
    context.host.stdout(helpFor(format));
    return;
  }
  const [name] = given.operands;
  if (name === undefined || given.operands.length > 1) {
    throw new CommandFailure('Expecting one image file name');
  }
  checkCacheMode(given.value('cache'), 'cache');
  const imageOpts = given.has('image-opts');
  const asked = { name, format, imageOpts, undo: given.value('undo') };
  await editByName(context, asked, async (image) => {
    if (image.guessed) warnOfGuess(context.host, image);
    if (wantsHelp(list)) {
      context.host.stdout(helpFor(image.disk.format));
      return;
    }
    const values = readValues(context, list, image.disk.format);
    line.show(0);
    try {
      await change(context, image, values, { line, force: given.has('force') });
    } finally {
      line.show(100);
    }
  });
}

/** @throws CommandFailure for formats that cannot be amended */
function helpFor(format: string): string {
  if (format === 'qcow2') return amendHelp();
  if (format === 'luks') return amendVolumeHelp();
  if (format !== 'raw' && !isForeignFormat(format)) {
    throw new CommandFailure(`Unknown file format '${format}'`);
  }
  throw new CommandFailure(`Format driver '${format}' does not support option amendment`);
}

/** @throws OptionFault, CommandFailure */
function readValues(context: Context, list: string, format: string): CreationValues {
  if (format !== 'qcow2') helpFor(format);
  const isVolume = format === 'luks';
  const types = isVolume ? VOLUME_TYPES : TYPES;
  const warn = (value: string) => {
    report(context, hexWarning(value));
  };
  try {
    return new CreationValues(list, types, warn);
  } catch (error) {
    const more = isVolume ? CREATION_TYPES.luks : CREATION_TYPES.qcow2;
    if (!(error instanceof OptionFault) || !isKnown(list, { ...types, ...more })) throw error;
    throw new OptionFault(`${error.message}\nThis option is only supported for image creation`);
  }
}

function isKnown(list: string, types: OptionTypes): boolean {
  try {
    new CreationValues(list, types, () => undefined);
    return true;
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    return false;
  }
}

async function change(
  context: Context,
  image: EditedImage,
  values: CreationValues,
  { line, force }: { line: StepLine; force: boolean },
): Promise<void> {
  const { disk } = image;
  if (disk instanceof LuksVolume) await amendKeySlots(context, image, values, force);
  if (!(disk instanceof Qcow2Image)) return;
  try {
    const wanted = amendmentOf(context, image, values, force);
    const size = values.number('size') ?? 0n;
    if (BigInt.asIntN(64, size) < 0n) throw new CommandFailure('Image size cannot be negative');
    if (size > MAX_SIZE) {
      throw new CommandFailure(`offset(${String(size)}) exceeds maximum(${String(MAX_SIZE)})`);
    }
    if (size !== 0n) {
      for (const text of notesOf(await planResize(disk, Number(size)))) report(context, text);
    }
    await amendImage(disk, wanted, {
      signal: context.signal,
      steps: (done, total) => {
        line.show((100 * done) / total);
      },
    });
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    throw new CommandFailure(failureText(error), 1, error);
  }
}

/** The order of the tests is the real program's. */
function amendmentOf(
  context: Context,
  image: EditedImage,
  values: CreationValues,
  force: boolean,
): Qcow2Amendment {
  const disk = image.disk as Qcow2Image;
  const wanted: Qcow2Amendment = {};
  if (changesKeySlots(disk, values)) {
    wanted.changeKeys = (current) =>
      amendKeySlots(context, { ...image, disk: current }, values, force);
  }
  wanted.version = versionOf(values.text('compat'));
  wanted.size = Number(values.number('size') ?? 0n);
  const [name, format] = [values.text('backing_file'), values.text('backing_fmt')];
  if (name !== undefined || format !== undefined) wanted.backing = { name, format };
  wanted.dataFileName = values.text('data_file');
  wanted.dataFileRaw = switchOf(values, 'data_file_raw');
  checkAmendment(disk, wanted);
  wanted.lazyRefcounts = switchOf(values, 'lazy_refcounts');
  wanted.refcountBits = refcountBitsOf(values.number('refcount_bits'));
  return wanted;
}

function versionOf(compat: string | undefined): 2 | 3 | undefined {
  if (compat === undefined) return undefined;
  if (compat === '0.10' || compat === 'v2') return 2;
  if (compat === '1.1' || compat === 'v3') return 3;
  throw new CommandFailure(`Unknown compatibility level ${compat}`);
}

function switchOf(values: CreationValues, name: string): boolean | undefined {
  return values.print(name) === undefined ? undefined : values.isOn(name);
}

/** As a C program cuts it to an int. */
function refcountBitsOf(number: bigint | undefined): number | undefined {
  if (number === undefined) return undefined;
  const bits = Number(BigInt.asIntN(32, number));
  if (bits > 0 && bits <= 64 && Number.isInteger(Math.log2(bits))) return bits;
  throw new CommandFailure('Refcount width must be a power of two and may not exceed 64 bits');
}

function failureText(error: ImageError): string {
  if (isImageError(error, 'header-full')) {
    return 'Failed to update the image header: No space left on device';
  }
  if (!isImageError(error, 'too-large')) return errorText(error);
  if (error.details.what === 'virtual size') {
    return 'Failed to grow the L1 table: File too large';
  }
  if (error.details.what !== 'refcount table') return errorText(error);
  const limit = 'beyond the maximum size supported by QEMU, aborting';
  return `This operation would make the refcount table grow ${limit}`;
}
