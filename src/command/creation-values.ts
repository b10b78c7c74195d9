/** The values behind `-o`, read by the types that the options have. */
import { OptionFault } from './option-text.ts';
import { parseInteger, parseSize } from './sizes.ts';

/** What a value may be. Numbers and sizes have 64 bits without a sign. */
export type OptionType = 'text' | 'switch' | 'number' | 'size';

/** The options that there are. */
export type OptionTypes = Readonly<Record<string, OptionType>>;

/** Options of every new file, whatever the format in it. */
export const FILE_TYPES: OptionTypes = {
  size: 'size',
  nocow: 'switch',
  preallocation: 'text',
  extent_size_hint: 'size',
};

const LUKS_TYPES: OptionTypes = {
  'key-secret': 'text',
  'cipher-alg': 'text',
  'cipher-mode': 'text',
  'ivgen-alg': 'text',
  'ivgen-hash-alg': 'text',
  'hash-alg': 'text',
  'iter-time': 'number',
};

/** By the format of the new image. */
export const CREATION_TYPES: Readonly<Record<'raw' | 'luks' | 'qcow2', OptionTypes>> = {
  raw: FILE_TYPES,
  luks: { ...FILE_TYPES, ...LUKS_TYPES },
  qcow2: {
    ...FILE_TYPES,
    compat: 'text',
    backing_file: 'text',
    backing_fmt: 'text',
    data_file: 'text',
    data_file_raw: 'switch',
    encryption: 'switch',
    'encrypt.format': 'text',
    ...Object.fromEntries(
      Object.entries(LUKS_TYPES).map(([name, type]) => [`encrypt.${name}`, type]),
    ),
    cluster_size: 'size',
    lazy_refcounts: 'switch',
    refcount_bits: 'number',
    compression_type: 'text',
    extended_l2: 'switch',
  },
};

/** Of a qcow2 image that is there, besides those of its key slots. */
export const AMENDMENT_TYPES: OptionTypes = {
  size: 'size',
  compat: 'text',
  backing_file: 'text',
  backing_fmt: 'text',
  data_file: 'text',
  data_file_raw: 'switch',
  lazy_refcounts: 'switch',
  refcount_bits: 'number',
};

/** The options that were given; of several with one name the last counts. */
export class CreationValues {
  readonly #values = new Map<string, string | boolean | bigint>();

  /**
   * @param list as joinOptionLists makes it; undefined without `-o`
   * @param warn takes what the real program says of hexadecimal numbers with a suffix
   * @throws OptionFault for an option that there is not, or a value that it cannot have
   */
  constructor(list: string | undefined, types: OptionTypes, warn: (value: string) => void) {
    for (const [name, value] of items(list ?? '')) {
      const type = Object.hasOwn(types, name) ? types[name] : undefined;
      if (type === undefined) throw new OptionFault(`Invalid parameter '${name}'`);
      this.#values.set(name, READERS[type](name, value, warn));
    }
  }

  /** Gives an option another value. */
  set(name: string, value: string | bigint): void {
    this.#values.set(name, value);
  }

  /** The value as text; undefined where the option was not given. */
  print(name: string): string | undefined {
    const value = this.#values.get(name);
    if (typeof value === 'boolean') return value ? 'on' : 'off';
    return value?.toString();
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return typeof value === 'string' ? value : undefined;
  }

  /** A switch that was not given is off. */
  isOn(name: string): boolean {
    return this.#values.get(name) === true;
  }

  number(name: string): bigint | undefined {
    const value = this.#values.get(name);
    return typeof value === 'bigint' ? value : undefined;
  }
}

/** Names and values. A name alone is a switch, turned off by `no` before it. */
function* items(list: string): Generator<[name: string, value: string]> {
  let at = 0;
  while (at < list.length) {
    const rest = list.slice(at);
    const name = /^[^=,]*/.exec(rest)?.[0] ?? '';
    if (rest[name.length] !== '=') {
      yield name.startsWith('no') ? [name.slice(2), 'off'] : [name, 'on'];
      at += name.length + 1;
      continue;
    }
    // A comma in a value is written twice.
    const value = /^(?:[^,]|,,)*/.exec(rest.slice(name.length + 1))?.[0] ?? '';
    yield [name, value.replaceAll(',,', ',')];
    at += name.length + 1 + value.length + 1;
  }
}

const READERS = {
  text: (_: string, value: string) => value,
  switch: readSwitch,
  number: readNumber,
  size: readSize,
};

function readSwitch(name: string, value: string): boolean {
  if (['on', 'yes', 'true', 'y'].includes(value)) return true;
  if (['off', 'no', 'false', 'n'].includes(value)) return false;
  throw new OptionFault(`Parameter '${name}' expects 'on' or 'off'`);
}

const MAX_UINT64 = 2n ** 64n - 1n;

/** As C's strtoull reads it: a negative number counts down from 2^64. */
function readNumber(name: string, text: string): bigint {
  const value = parseInteger(text);
  if (value === undefined) throw new OptionFault(`Parameter '${name}' expects a number`);
  if (value > MAX_UINT64 || -value > MAX_UINT64) {
    throw new OptionFault(`Value '${text}' is too large for parameter '${name}'`);
  }
  return BigInt.asUintN(64, value);
}

/** As the option `name` reads its value. @throws OptionFault */
export function readSize(name: string, text: string, warn: (value: string) => void): bigint {
  const size = parseSize(text, MAX_UINT64);
  if (size.kind === 'ok' && size.deprecated) warn(text);
  if (size.kind === 'ok') return size.value;
  if (size.kind === 'out-of-range') {
    throw new OptionFault(`Value '${text}' is out of range for parameter '${name}'`);
  }
  throw new OptionFault(
    `Parameter '${name}' expects a non-negative number below 2^64\n` +
      'Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n' +
      'and exabytes, respectively.',
  );
}
