/** The creation options of qcow2 as the engine takes them, checked in the real program's words. */
import type { Qcow2Options } from '../engine/index.ts';
import { notSupported, type Context } from './context.ts';
import type { CreationValues } from './creation-values.ts';
import { encryptionOf, readEncryption } from './encryption-options.ts';
import { OptionFault } from './option-text.ts';

const NEWER = 'compatibility level 1.1 and above (use version=v3 or greater)';
const MODES = ['off', 'metadata', 'falloc', 'full'] as const;
/** Values of the option `preallocation`. */
export const PREALLOCATION: readonly string[] = MODES;

/** Options that the real program has and this one has not. */
const MISSING = ['nocow', 'extent_size_hint'];

/** An external data file that an image is to have. */
export interface DataFileChoice {
  readonly name: string;
  readonly raw: boolean;
}

/** What was chosen, with the data file that is still to be made. */
export interface ChosenQcow2 extends Qcow2Options {
  readonly dataFileChoice: DataFileChoice | undefined;
}

/**
 * What a new image is to be like. Whoever makes it gets the passphrase with it, if there is one.
 * @throws OptionFault for what no image can be, CommandFailure for what cannot be made here
 */
export async function qcow2Options(context: Context, values: CreationValues): Promise<ChosenQcow2> {
  const encryption = readEncryption(values);
  const version = versionOf(values.text('compat') ?? '1.1');
  const preallocation = oneOf(MODES, 'preallocation', values.text('preallocation') ?? 'off');
  const compressionType = oneOf(
    ['zlib', 'zstd'] as const,
    'compression-type',
    values.text('compression_type') ?? 'zlib',
  );
  const options: Qcow2Options = {
    version,
    clusterSize: Number(values.number('cluster_size') ?? 65536n),
    refcountBits: Number(values.number('refcount_bits') ?? 16n),
    extendedL2: values.isOn('extended_l2'),
    lazyRefcounts: values.isOn('lazy_refcounts'),
    compressionType,
    preallocation,
    backingName: values.text('backing_file') ?? '',
    backingFormat: values.text('backing_fmt') ?? '',
    dataFile: undefined,
    encryption: undefined,
  };
  checkTogether(options);
  checkDataFile(options, values);
  checkCompression(options);
  for (const name of MISSING) {
    const isGiven = values.isOn(name) || (values.text(name) ?? '') !== '';
    if (isGiven || (values.number(name) ?? 0n) !== 0n) throw notSupported(`The option ${name}`);
  }
  return {
    ...options,
    encryption: await encryptionOf(context, encryption),
    dataFileChoice: dataFileOf(values),
  };
}

function versionOf(compat: string): 2 | 3 {
  if (compat === '0.10' || compat === 'v2') return 2;
  if (compat === '1.1' || compat === 'v3') return 3;
  throw new OptionFault(`Parameter 'version' does not accept value '${compat}'`);
}

function oneOf<Value extends string>(known: readonly Value[], name: string, text: string): Value {
  const value = known.find((one) => one === text);
  if (value !== undefined) return value;
  throw new OptionFault(`Parameter '${name}' does not accept value '${text}'`);
}

/** The order of the tests is the real program's. */
function checkTogether(options: Qcow2Options): void {
  const { version, clusterSize, refcountBits, extendedL2, preallocation } = options;
  if (extendedL2 && version < 3) {
    throw new OptionFault(`Extended L2 entries are only supported with ${NEWER}`);
  }
  if (!isPowerOfTwo(clusterSize) || clusterSize < 512 || clusterSize > 2 ** 21) {
    throw new OptionFault('Cluster size must be a power of two between 512 and 2048k');
  }
  if (extendedL2 && clusterSize < 16384) {
    const least = 'cluster sizes of at least 16384 bytes';
    throw new OptionFault(`Extended L2 entries are only supported with ${least}`);
  }
  if (options.backingName !== '' && preallocation !== 'off' && !extendedL2) {
    const together = 'can only be used at the same time if extended_l2 is on';
    throw new OptionFault(`Backing file and preallocation ${together}`);
  }
  if (options.backingFormat !== '' && options.backingName === '') {
    throw new OptionFault('Backing format cannot be used without backing file');
  }
  if (options.lazyRefcounts && version < 3) {
    throw new OptionFault(`Lazy refcounts only supported with ${NEWER}`);
  }
  if (!isPowerOfTwo(refcountBits) || refcountBits > 64) {
    throw new OptionFault('Refcount width must be a power of two and may not exceed 64 bits');
  }
  if (version < 3 && refcountBits !== 16) {
    const or = 'compatibility level 1.1 or above (use version=v3 or greater)';
    throw new OptionFault(`Different refcount widths than 16 bits require ${or}`);
  }
}

function checkCompression({ compressionType, version }: Qcow2Options): void {
  if (compressionType === 'zlib' || version === 3) return;
  throw new OptionFault(`Non-zlib compression type is only supported with ${NEWER}`);
}

/** undefined: none. */
function dataFileOf(values: CreationValues): DataFileChoice | undefined {
  const name = values.text('data_file');
  return name === undefined ? undefined : { name, raw: values.isOn('data_file_raw') };
}

function checkDataFile({ version, backingName }: Qcow2Options, values: CreationValues): void {
  const file = dataFileOf(values);
  if (file === undefined && values.isOn('data_file_raw')) {
    throw new OptionFault('data-file-raw requires data-file');
  }
  if (file?.raw === true && backingName !== '') {
    const together = 'cannot be used at the same time';
    throw new OptionFault(`Backing file and data-file-raw ${together}`);
  }
  if (file !== undefined && version < 3) {
    throw new OptionFault(`External data files are only supported with ${NEWER}`);
  }
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}
