/** What `qemu-img measure` is asked to measure: the format and the creation options of an image. */
import { checkQcow2Size, isImageError } from '../engine/index.ts';
import type { MeasureTarget, Qcow2Target } from '../engine/operations/measure.ts';
import { CommandFailure, hexWarning, report, type Context } from './context.ts';
import { CREATION_TYPES, CreationValues } from './creation-values.ts';
import { isForeignFormat } from './foreign-formats.ts';
import { luksOverheadOf } from './luks-options.ts';
import { OptionFault } from './option-text.ts';

/** Formats that the real program cannot make, and those that it can make but not measure. */
const NOT_MADE = [
  ...['bochs', 'cloop', 'dmg', 'vvfat', 'quorum', 'throttle', 'blkdebug', 'blkverify'],
  'copy-on-read',
];

interface TargetRequest {
  /** Of `-O`. */
  format: string;
  /** Of `-o`, joined. */
  options: string | undefined;
  /** Bytes of `--size`; undefined: there is a source. */
  emptySize: bigint | undefined;
}

/** @throws CommandFailure */
export async function readTarget(
  context: Context,
  { format, options, emptySize }: TargetRequest,
): Promise<MeasureTarget> {
  if (!isMeasured(format)) throw unmeasured(format);
  const values = readValues(context, format, options);
  try {
    switch (format) {
      case 'raw':
        return { format };
      case 'luks':
        return { format, overhead: await luksOverheadOf(context, values, '') };
      case 'qcow2':
        return await qcow2Target(context, values, emptySize);
    }
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    throw new CommandFailure(error.message, 1, error);
  }
}

type Measured = keyof typeof CREATION_TYPES;

function isMeasured(format: string): format is Measured {
  return Object.hasOwn(CREATION_TYPES, format);
}

function unmeasured(format: string): CommandFailure {
  if (!isForeignFormat(format)) return new CommandFailure(`Unknown file format '${format}'`);
  if (!NOT_MADE.includes(format)) {
    return new CommandFailure(`Block driver '${format}' does not support size measurement`);
  }
  return new CommandFailure(`Format driver '${format}' does not support image creation`);
}

function readValues(
  context: Context,
  format: Measured,
  options: string | undefined,
): CreationValues {
  try {
    return new CreationValues(options, CREATION_TYPES[format], (value) => {
      report(context, hexWarning(value));
    });
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    const text = `${error.message}\nqemu-img: Invalid options for file format '${format}'`;
    throw new CommandFailure(text, 1, error);
  }
}

/** The order of the tests is the real program's. */
async function qcow2Target(
  context: Context,
  values: CreationValues,
  emptySize: bigint | undefined,
): Promise<Qcow2Target> {
  const extendedL2 = values.isOn('extended_l2');
  const clusterSize = clusterSizeOf(values, extendedL2);
  const version = versionOf(values.text('compat') ?? '1.1');
  const refcountBits = refcountBitsOf(values, version);
  const preallocated = isPreallocated(values.text('preallocation') ?? 'off');
  const hasLuks = values.text('encrypt.format') === 'luks';
  const target: Qcow2Target = {
    ...{ format: 'qcow2', version, clusterSize, refcountBits, extendedL2, preallocated },
    hasBacking: values.text('backing_file') !== undefined,
    luksOverhead: hasLuks ? await luksOverheadOf(context, values, 'encrypt.') : 0,
  };
  // Even where the size of a source counts instead.
  checkSize(target, emptySize ?? values.number('size') ?? 0n);
  return target;
}

function clusterSizeOf(values: CreationValues, extendedL2: boolean): number {
  const size = values.number('cluster_size') ?? 65536n;
  if (size < 512n || size > 2n ** 21n || (size & (size - 1n)) !== 0n) {
    throw new OptionFault('Cluster size must be a power of two between 512 and 2048k');
  }
  if (extendedL2 && size < 16384n) {
    const least = 'cluster sizes of at least 16384 bytes';
    throw new OptionFault(`Extended L2 entries are only supported with ${least}`);
  }
  return Number(size);
}

function versionOf(compat: string): 2 | 3 {
  if (compat === '0.10') return 2;
  if (compat === '1.1') return 3;
  throw new OptionFault(`Invalid compatibility level: '${compat}'`);
}

function refcountBitsOf(values: CreationValues, version: 2 | 3): number {
  const bits = values.number('refcount_bits') ?? 16n;
  if (bits > 64n || bits === 0n || (bits & (bits - 1n)) !== 0n) {
    throw new OptionFault('Refcount width must be a power of two and may not exceed 64 bits');
  }
  if (version < 3 && bits !== 16n) {
    throw new OptionFault(
      'Different refcount widths than 16 bits require compatibility level 1.1 or above ' +
        '(use compat=1.1 or greater)',
    );
  }
  return Number(bits);
}

function isPreallocated(value: string): boolean {
  if (['off', 'metadata', 'falloc', 'full'].includes(value)) return /^f/.test(value);
  throw new OptionFault(`invalid parameter value: ${value}`);
}

function checkSize(target: Qcow2Target, size: bigint): void {
  // Rounding up to clusters makes the real program's 64 bits overflow.
  const rounded = BigInt.asUintN(64, size + BigInt(target.clusterSize) - 1n);
  try {
    checkQcow2Size(target, rounded - (rounded % BigInt(target.clusterSize)));
  } catch (error) {
    if (!isImageError(error, 'too-large')) throw error;
    throw new OptionFault('The image size is too large (try using a larger cluster size)');
  }
}
