/** Images described by options instead of a name: which file, which format, which secret. */
import { isSwitch, jsonOf, OptionFault, parseJsonName, parseOptionList } from './option-text.ts';
import type { OptionValue } from './option-text.ts';
import { SliceStorage } from '../engine/index.ts';
import type { Storage } from '../engine/storage/storage.ts';
import { formatJsonLine } from './json.ts';
import { parseSize } from './sizes.ts';

/** The options of one image or file. Those that nobody takes are not known here. */
export class NodeOptions {
  readonly #values: Map<string, OptionValue>;

  constructor(values: Iterable<readonly [string, OptionValue]> = []) {
    this.#values = new Map(values);
  }

  get isEmpty(): boolean {
    return this.#values.size === 0;
  }

  /** The first that nobody has taken. */
  get first(): string | undefined {
    return this.#values.keys().next().value;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Its value as it was given; undefined where it was not. */
  value(name: string): OptionValue | undefined {
    return this.#values.get(name);
  }

  /** The same, and nobody else gets it. */
  take(name: string): OptionValue | undefined {
    const value = this.#values.get(name);
    this.#values.delete(name);
    return value;
  }

  /** The same as text. */
  takeText(name: string): string | undefined {
    const value = this.take(name);
    return value === undefined || value === null ? undefined : String(value);
  }

  /** Bytes. @throws OptionFault */
  takeSize(name: string): number | undefined {
    const value = this.#values.get(name);
    if (value === undefined) return undefined;
    this.#values.delete(name);
    const size = parseSize(String(value));
    if (size.kind === 'ok') return Number(size.value);
    throw new OptionFault(
      `Parameter '${name}' expects a non-negative number below 2^64\n` +
        'Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n' +
        'and exabytes, respectively.',
    );
  }

  /** Those of a part: with `name.` before them, which is taken off. */
  takePart(name: string): NodeOptions {
    const prefix = `${name}.`;
    const found = [...this.#values].filter(([key]) => key.startsWith(prefix));
    for (const [key] of found) this.#values.delete(key);
    return new NodeOptions(found.map(([key, value]) => [key.slice(prefix.length), value]));
  }

  /** Takes switches that make no difference here. @throws OptionFault for other values than on, off */
  passSwitches(names: readonly string[]): void {
    for (const name of names) {
      const value = this.take(name);
      if (value === undefined || typeof value === 'boolean' || isSwitch(String(value))) continue;
      throw new OptionFault(`Parameter '${name}' expects 'on' or 'off'`);
    }
  }

  /** Takes options that make no difference here, whatever their values. */
  pass(names: readonly string[]): void {
    for (const name of names) this.#values.delete(name);
  }
}

/** Of every image and file. */
const COMMON_SWITCHES = [
  ...['read-only', 'auto-read-only', 'force-share', 'cache.direct', 'cache.no-flush'],
];
const COMMON = ['node-name', 'discard', 'detect-zeroes'];
const FILE_SWITCHES = ['drop-cache', 'x-check-cache-dropped'];
const FILE = ['aio', 'aio-max-batch', 'locking', 'pr-manager'];
const OVERLAP_CHECKS = [
  ...['main-header', 'active-l1', 'active-l2', 'refcount-table', 'refcount-block'],
  ...['snapshot-table', 'inactive-l1', 'inactive-l2', 'bitmap-directory'],
];
const QCOW2_SWITCHES = [
  ...['lazy-refcounts', 'pass-discard-request', 'pass-discard-snapshot', 'pass-discard-other'],
  ...OVERLAP_CHECKS.map((name) => `overlap-check.${name}`),
];
const QCOW2 = [
  ...['overlap-check', 'overlap-check.template', 'cache-size', 'l2-cache-size'],
  ...['l2-cache-entry-size', 'refcount-cache-size', 'cache-clean-interval'],
];

/** Takes what is known of a file and changes nothing. */
export function passFileOptions(options: NodeOptions): void {
  options.passSwitches([...COMMON_SWITCHES, ...FILE_SWITCHES]);
  options.pass([...COMMON, ...FILE]);
}

/** Takes what is known of an image of that format and changes nothing. */
export function passImageOptions(options: NodeOptions, format: string): void {
  options.passSwitches(COMMON_SWITCHES);
  options.pass(COMMON);
  if (format !== 'qcow2') return;
  options.passSwitches(QCOW2_SWITCHES);
  options.pass(QCOW2);
}

/** `--image-opts`. @throws OptionFault */
export function parseImageOpts(text: string, warn: (text: string) => void): NodeOptions {
  return new NodeOptions(parseOptionList(text, 'file', warn));
}

/** `json:{…}`, or undefined for the name of a file. @throws OptionFault */
export function parseJsonImage(name: string): NodeOptions | undefined {
  const json = jsonOf(name);
  return json === undefined ? undefined : new NodeOptions(parseJsonName(json));
}

/** The file of options that describe a raw image in a file, and nothing more. @throws OptionFault */
export function rawPath(options: NodeOptions): string {
  const driver = options.takeText('driver') ?? 'of unknown format';
  const reference = options.takeText('file');
  const file = options.takePart('file');
  if (driver !== 'raw' && !(file.isEmpty && reference !== undefined)) {
    throw new OptionFault(`A target '${driver}' is not supported by this version`);
  }
  if (reference !== undefined) {
    const where = `device='${reference}' nor node-name='${reference}'`;
    throw new OptionFault(`Cannot find ${where}`);
  }
  if (file.isEmpty) throw new OptionFault('A block device must be specified for "file"');
  const protocol = file.takeText('driver') ?? 'file';
  if (protocol !== 'file') {
    throw new OptionFault(`A file within '${protocol}' is not supported by this version`);
  }
  const path = file.takeText('filename') ?? '';
  if (path === '') throw new OptionFault("The 'file' block driver requires a file name");
  passFileOptions(file);
  passImageOptions(options, 'raw');
  const { first = file.first } = options;
  if (first === undefined) return path;
  throw new OptionFault(`The option '${first}' of a target is not supported by this version`);
}

/** A file as the bottom of an image: where it is and which parts of it are taken. */
export interface FileNode {
  readonly path: string;
  /** Raw disks between the file and the image, the innermost first. */
  readonly layers: readonly (Window | undefined)[];
  /** The part that the image itself takes; only of raw ones. */
  readonly window: Window | undefined;
  /** Which of the two sizes of a VHD counts, where that was said. */
  readonly sizeCalc?: SizeCalc | undefined;
}

/** In QEMU's words: that of the geometry, or the other one. */
type SizeCalc = 'chs' | 'current_size';

/** `force_size_calc` of a VHD. @throws OptionFault */
export function takeSizeCalc(options: NodeOptions): SizeCalc | undefined {
  const value = options.takeText('force_size_calc');
  if (value === undefined || value === 'chs' || value === 'current_size') return value;
  throw new OptionFault(`Invalid size calculation mode: '${value}'`);
}

/** A part of a file as it was given. */
interface Window {
  readonly offset: OptionValue | undefined;
  readonly size: OptionValue | undefined;
}

/** What the options say of the encryption. */
export interface Encryption {
  readonly format: string | undefined;
  readonly keySecret: string | undefined;
}

/** @throws OptionFault */
export function encryptionOf(options: NodeOptions, format: string | undefined): Encryption {
  if (format === 'luks') return { format: undefined, keySecret: options.takeText('key-secret') };
  const part = options.takePart('encrypt');
  const encryption = { format: part.takeText('format'), keySecret: part.takeText('key-secret') };
  if (part.first !== undefined) throw new OptionFault(`Parameter '${part.first}' is unexpected`);
  return encryption;
}

/** `offset` and `size` of a raw disk: a part of its file, bytes. @throws OptionFault */
export function takeWindow(
  storage: Storage,
  options: NodeOptions,
): { storage: Storage; window: Window | undefined } {
  if (!options.has('offset') && !options.has('size')) return { storage, window: undefined };
  const window = { offset: options.value('offset'), size: options.value('size') };
  const offset = options.takeSize('offset') ?? 0;
  const size = options.takeSize('size');
  const whole = storage.size;
  if (offset > whole) {
    const limit = `cannot be greater than size of the containing file (${whole})`;
    throw new OptionFault(`Offset (${offset}) ${limit}`);
  }
  if (size !== undefined && offset + size > whole) {
    throw new OptionFault(
      `The sum of offset (${offset}) and size (${size}) has to be smaller or equal to the  ` +
        `actual size of the containing file (${whole})`,
    );
  }
  if (size !== undefined && size % SECTOR !== 0) {
    throw new OptionFault('Specified size is not multiple of 512');
  }
  return { storage: new WindowStorage(storage, offset, size ?? whole - offset), window };
}

const SECTOR = 512;

/** A part of a file that takes as much of the medium as the file does. */
class WindowStorage extends SliceStorage {
  readonly #file: Storage;

  constructor(file: Storage, offset: number, length: number) {
    super(file, offset, length);
    this.#file = file;
  }

  allocated(): Promise<number | undefined> {
    return this.#file.allocated?.() ?? Promise.resolve(undefined);
  }
}

/** Formats whose images a secret opens. */
const WITH_SECRET = ['luks', 'qcow', 'qcow2'];

/** The name of a file, or JSON where the name alone would not open the same image again. */
export function describeNode(file: FileNode, format: string, { keySecret }: Encryption): string {
  const { path, layers, window, sizeCalc } = file;
  const isPlain = layers.length === 0 && window === undefined && sizeCalc === undefined;
  if (isPlain && (keySecret === undefined || !WITH_SECRET.includes(format))) return path;
  const bottom: Described = { driver: 'file', filename: path };
  const inner = layers.reduce<Described>((below, layer) => rawLayer(layer, below), bottom);
  const image =
    format === 'raw'
      ? rawLayer(window, inner)
      : format === 'luks'
        ? { driver: format, file: inner, 'key-secret': keySecret }
        : {
            ...(keySecret === undefined ? {} : { 'encrypt.key-secret': keySecret }),
            ...{ force_size_calc: sizeCalc, driver: format, file: inner },
          };
  return `json:${formatJsonLine(image)}`;
}

interface Described {
  readonly [name: string]: OptionValue | Described | undefined;
}

function rawLayer(window: Window | undefined, file: Described): Described {
  return { offset: window?.offset, driver: 'raw', size: window?.size, file };
}
