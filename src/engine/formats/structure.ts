/**
 * The structures of a file as a tree, for the eyes of people: every table, entry and field, where it
 * is, what it says and what that means. A format tells what is at the top; all below is made when
 * somebody looks at it, a few hundred nodes at a time. Made of the bytes as they are: damaged images
 * are the point, so nothing here relies on what a table says.
 */
import type { Field, FieldStyle } from '../binary/struct.ts';
import { hex64, TWO_32 } from '../binary/units.ts';
import { readPadded, type Storage } from '../storage/storage.ts';

/** A value of a structure, as it stands in the file. Plain data. */
export interface StructureValue {
  style: FieldStyle | 'text' | 'enum' | 'hex';
  /** As short text without a unit: `65536`, `0x50000`, `qcow2`. 64-bit numbers are exact. */
  text: string;
  /** What that number means, where it stands for something else: a size that is 2^n, a name. */
  means: string;
  /** The address that it points to, for going there. */
  target: { space: 'file' | 'guest'; offset: number } | undefined;
  /** Bits that are set in it, by their names in the specification. */
  bits: string[];
}

/** One structure, table, entry or field of a file. Plain data. */
export interface StructureNode {
  /**
   * Its place in the tree, `/` between the steps: `header/cluster_bits`, `l1/3`, `l1/3/l2/17`.
   */
  id: string;
  /** Its name as the specification has it; of entries their number. */
  label: string;
  /**
   * The key of what it means, for the texts: `qcow2.header.cluster_bits`. All nodes of a kind have
   * the same.
   */
  key: string;
  /** The same in English, as the field tables have it. */
  meaning: string;
  /** Section of the specification; '' where there is none. */
  section: string;
  offset: number;
  length: number;
  /** The value; undefined for what only has children. */
  value: StructureValue | undefined;
  /** How many there are below it: they are asked for in pieces. */
  children: number;
  /** It makes no sense as it is. */
  doubtful: boolean;
}

/** A node before somebody looks at it: what it is, and how to get at what is below it. */
export interface Part extends Omit<StructureNode, 'id' | 'children'> {
  /** The last step of its id. */
  readonly step: string;
  readonly below: Parts | undefined;
}

/** What is below a node. */
export interface Parts {
  readonly count: number;
  /** Those from number `from` on, at most so many. @throws ImageError those of reading */
  list(from: number, most: number): Promise<Part[]>;
  find(step: string): Promise<Part | undefined>;
  /** The one that has that address of the file (bytes) in itself. */
  at(offset: number): Promise<Part | undefined>;
}

/** What a format has to tell of the structures of its files. */
export interface Structures {
  /** What is at the top. */
  readonly top: Parts;
  /**
   * The id of what is or leads to an address of the file: of an entry of a table, or of the entry
   * that points to the data there; '' where nothing does. Need not be the innermost one.
   */
  idAt(offset: number): Promise<string>;
}

/** What a node means: its key, the sentence, the section of the specification. */
export type Told = readonly [key: string, meaning: string, section: string];

/** What all nodes of a kind mean: the sentence, and the section of the specification. */
export type Meanings = Readonly<Record<string, readonly [meaning: string, section: string]>>;

/** A name as specifications write it: `clusterBits` is `cluster_bits`. */
export type Snake<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${Snake<Rest>}`
  : '';

/** The keys of the fields of a field table. */
export type FieldKeys<Prefix extends string, Table> = Table extends {
  readonly fields: infer Fields;
}
  ? `${Prefix}.${Snake<keyof Fields & string>}`
  : never;

interface FieldTable {
  readonly fields: Readonly<Record<string, Field<number> | Field<bigint>>>;
  readonly size: number;
}

/** Bytes of the file. */
export interface Place {
  readonly offset: number;
  readonly length: number;
}

/** What is to be said otherwise than a node would have it. */
export type Changes = Partial<Omit<Part, 'value'>> & { readonly value?: Partial<StructureValue> };

/** A node without anything special. */
export function part(
  step: string,
  [key, meaning, section]: Told,
  at: Place,
  changes: Changes = {},
): Part {
  const { value, ...others } = changes;
  return {
    ...{ step, label: step, key, meaning, section, offset: at.offset, length: at.length },
    ...{ doubtful: false, below: undefined, ...others },
    value: value && { ...NO_VALUE, ...value, bits: value.bits ?? [] },
  };
}

const NO_VALUE: StructureValue = {
  ...{ style: 'text', text: '', means: '', target: undefined, bits: [] },
};

/** The key, the sentence and the section of a kind of nodes. */
export function meaningOf<M extends Meanings>(meanings: M, key: keyof M & string): Told {
  const [meaning, section] = meanings[key] ?? ['', ''];
  return [key, meaning, section];
}

/** How the fields of a structure are to be shown. */
export interface FieldsOptions {
  /** Before the names in the keys of what they mean: `qcow2.header`. */
  readonly prefix: string;
  readonly section: string;
  /** Numbers are little-endian. */
  readonly little?: boolean;
  /** Fields that the structure is too short for are left out. Bytes. */
  readonly length?: number;
  /** Offsets of the file count in units of so many bytes. */
  readonly explain?: (name: string, value: number, text: string) => Changes | undefined;
}

/**
 * The fields of a structure, from their table.
 * @param bytes the structure, or as much as there is of it
 * @param at where it begins in the file, bytes
 */
export function fieldParts(
  { fields }: FieldTable,
  bytes: Uint8Array,
  at: number,
  { prefix, section, little = false, length = Infinity, explain }: FieldsOptions,
): Part[] {
  const parts: Part[] = [];
  for (const [name, { offset, size, style, meaning }] of Object.entries(fields)) {
    if (offset + size > length) continue;
    const [high, low] = wordsAt(bytes, offset, size, little);
    const number = high * TWO_32 + low;
    const isHex = style === 'offset' || style === 'bits';
    const text = isHex ? `0x${hex64(high, low)}` : decimal(high, low);
    const step = snake(name);
    const pointsTo = style === 'offset' && number > 0 && Number.isSafeInteger(number);
    const target = pointsTo ? { space: 'file' as const, offset: number } : undefined;
    const means = style === 'time' && number > 0 ? timeOf(number) : '';
    const { value, ...others } = explain?.(name, number, text) ?? {};
    const shown = { style, text, means, target, ...value };
    const place = { offset: at + offset, length: size };
    const sentence = meaning.charAt(0).toUpperCase() + meaning.slice(1);
    const told: Told = [`${prefix}.${step}`, sentence, section];
    parts.push(part(step, told, place, { ...others, value: shown }));
  }
  return parts;
}

function timeOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

export function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A number of 1, 2, 4 or 8 bytes in two halves; what is behind the end is zeros. */
function wordsAt(bytes: Uint8Array, at: number, size: number, little: boolean): [number, number] {
  let high = 0;
  let low = 0;
  for (let i = 0; i < size; i++) {
    const byte = bytes[at + (little ? size - 1 - i : i)] ?? 0;
    high = ((high << 8) | (low >>> 24)) >>> 0;
    low = ((low << 8) | byte) >>> 0;
  }
  return [high, low];
}

/** A 64-bit number in two halves as exact decimal text. */
export function decimal(high: number, low: number): string {
  const value = high * TWO_32 + low;
  if (Number.isSafeInteger(value)) return value.toString();
  return ((BigInt(high) << 32n) | BigInt(low)).toString();
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** 2 to a power as a size: `64 KiB`. */
export function sizeOfBits(bits: number): string {
  const unit = UNITS[Math.floor(bits / 10)];
  return unit === undefined ? `2^${String(bits)} B` : `${String(2 ** (bits % 10))} ${unit}`;
}

/** Nodes that are at hand. */
export function listed(parts: readonly Part[]): Parts {
  return {
    count: parts.length,
    list: (from, most) => Promise.resolve(parts.slice(from, from + most)),
    find: (step) => Promise.resolve(parts.find((one) => one.step === step)),
    at: (offset) => Promise.resolve(parts.find((one) => isIn(one, offset))),
  };
}

/** What an entry says in parts, none of which has a place of its own. */
export function facets(parts: readonly Part[]): Parts {
  return { ...listed(parts), at: () => Promise.resolve(undefined) };
}

/** Nodes of which it is known how many there are, but nothing else before somebody looks. */
export function lazy(count: number, make: () => Promise<readonly Part[]>): Parts {
  let made: Promise<Parts> | undefined;
  const parts = () => {
    made ??= make().then(listed);
    made.catch(() => {
      made = undefined;
    });
    return made;
  };
  return {
    count,
    list: async (from, most) => (await parts()).list(from, most),
    find: async (step) => (await parts()).find(step),
    at: async (offset) => (await parts()).at(offset),
  };
}

function isIn({ offset, length }: Place, address: number): boolean {
  return address >= offset && address < offset + length;
}

/** Entries of one length, one behind the other. */
export interface EntryTableShape {
  readonly storage: Storage;
  /** Where the first one begins, bytes. */
  readonly offset: number;
  readonly count: number;
  /** Bits of an entry, a power of two. */
  readonly bits: number;
  /** @param at of the entry in `bytes` */
  readonly make: (index: number, bytes: Uint8Array, at: number) => Part;
}

/** Read when somebody looks, as far as is looked. */
export function entries({ storage, offset, count, bits, make }: EntryTableShape): Parts {
  const list = async (from: number, most: number): Promise<Part[]> => {
    const end = Math.min(count, from + most);
    if (!(from >= 0) || from >= end) return [];
    const first = Math.floor((from * bits) / 8);
    const bytes = await readPadded(storage, offset + first, Math.ceil((end * bits) / 8) - first);
    const parts: Part[] = [];
    for (let index = from; index < end; index++) {
      parts.push(make(index, bytes, Math.floor((index * bits) / 8) - first));
    }
    return parts;
  };
  const find = async (step: string): Promise<Part | undefined> => {
    const index = indexOf(step, count);
    return index === undefined ? undefined : (await list(index, 1))[0];
  };
  const at = (address: number) => find(String(Math.floor(((address - offset) * 8) / bits)));
  return { count, list, find, at };
}

/** Nodes of different lengths, of which it is known where they are. */
export function placed(places: readonly Place[], make: (index: number) => Promise<Part>): Parts {
  const list = async (from: number, most: number): Promise<Part[]> => {
    const parts: Part[] = [];
    const end = Math.min(places.length, from + most);
    for (let index = from; index < end; index++) parts.push(await make(index));
    return parts;
  };
  const find = async (step: string): Promise<Part | undefined> => {
    const index = indexOf(step, places.length);
    return index === undefined ? undefined : make(index);
  };
  const at = async (address: number): Promise<Part | undefined> => {
    const index = places.findIndex((place) => isIn(place, address));
    return index < 0 ? undefined : make(index);
  };
  return { count: places.length, list, find, at };
}

/** The number that a step is, below `count`. */
function indexOf(step: string, count: number): number | undefined {
  const index = /^\d{1,15}$/.test(step) ? Number(step) : count;
  return index < count ? index : undefined;
}

/** How many entries of so many bits there are between `offset` and the end of the file. */
export function fitting(storage: Storage, offset: number, count: number, bits: number): number {
  const room = Math.max(0, storage.size - offset);
  return Math.min(count, Math.floor((room * 8) / bits));
}

/** Bytes that are shown of a text: no name is longer that anybody takes. */
const LONGEST_TEXT = 4096;

/** Text of a fixed or known length, up to the first NUL. */
export function textValue(bytes: Uint8Array): { style: 'text'; text: string } {
  const end = bytes.indexOf(0);
  const shown = bytes.subarray(0, Math.min(LONGEST_TEXT, end < 0 ? bytes.length : end));
  return { style: 'text', text: new TextDecoder().decode(shown).trimEnd() };
}

/** Bytes that are shown of a value that is no number. */
const SHOWN = 32;

/** Bytes as hexadecimal digits, the first of them where there are many. */
export function bytesValue(bytes: Uint8Array): Partial<StructureValue> {
  const digits = Array.from(bytes.subarray(0, SHOWN), (byte) => byte.toString(16).padStart(2, '0'));
  return { style: 'hex', text: digits.join(' ') + (bytes.length > SHOWN ? ' …' : '') };
}

/** A pointer into the file: hexadecimal, and the way there where it can be one. */
export function pointer(high: number, low: number): Partial<StructureValue> {
  const offset = high * TWO_32 + low;
  const isPlace = offset > 0 && Number.isSafeInteger(offset);
  return {
    style: 'offset',
    text: `0x${hex64(high, low)}`,
    target: isPlace ? { space: 'file', offset } : undefined,
  };
}
