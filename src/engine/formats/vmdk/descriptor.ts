/** The descriptor: a text that says what a disk is made of, in a file of its own or in an extent. */
import { imageFault } from '../fault.ts';

/** Bytes of an embedded descriptor, and of the part of a longer one that has the content's ids. */
export const DESCRIPTOR_BYTES = 20 * 512;
/** Where the descriptor is in a sparse extent. */
export const EMBEDDED_AT = 512;
/** Bytes of a descriptor that are read. */
export const DESCRIPTOR_LIMIT = 1024 * 1024 - 1;
/** An image without a parent has this for its parent's content id. */
export const NO_PARENT = 0xffffffff;

/** Files that one disk may be made of. */
const MOST_EXTENTS = 8192;
/** Bytes of the name of a parent. */
const LONGEST_NAME = 4095;

/** One line of «Extent description». */
export interface ExtentLine {
  readonly access: 'RW' | 'RDONLY' | 'NOACCESS';
  readonly sectors: number;
  /** FLAT, VMFS, SPARSE, VMFSSPARSE, SESPARSE, ZERO. */
  readonly type: string;
  /** '' for ZERO. */
  readonly name: string;
  /** Sector of the file where a flat extent begins. */
  readonly offset: number;
}

/** The ids of a disk's content, and what lies below it. */
export interface Identity {
  readonly cid: number;
  readonly parentCid: number;
  /** '' where there is none. */
  readonly parentName: string;
}

/** Text up to the first zero byte; names in it are UTF-8, or else what the descriptor says. */
export function decodeDescriptor(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const used = end < 0 ? bytes : bytes.subarray(0, end);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(used);
  } catch {
    const plain = new TextDecoder('windows-1252').decode(used);
    const label = /^\s*encoding\s*=\s*"([^"]*)"/im.exec(plain)?.[1] ?? '';
    try {
      return new TextDecoder(label).decode(used);
    } catch {
      return plain;
    }
  }
}

/** Kinds of disks that text descriptors may be of, as qemu-img has it. */
const TYPES: readonly string[] = [
  ...['monolithicFlat', 'vmfs', 'vmfsSparse', 'seSparse'],
  ...['twoGbMaxExtentSparse', 'twoGbMaxExtentFlat'],
];

/**
 * What kind of disk a descriptor in text is of.
 * @param lenient any kind will do: the extents have to be known all the same
 * @throws ImageError invalid-image
 */
export function createTypeOf(text: string, lenient: boolean): string {
  const type = /createType\s*=\s*"([^"]{0,127})"/.exec(text)?.[1];
  if (type === undefined) {
    imageFault('vmdk', 'descriptor', { message: 'invalid VMDK image descriptor' });
  }
  if (!lenient && !TYPES.includes(type)) {
    const message = `Unsupported image type '${type}'`;
    imageFault('vmdk', 'descriptor', { field: 'createType', value: type, message });
  }
  return type;
}

const LINE =
  /^[ \t]*(RW|RDONLY|NOACCESS)[ \t]+([-+]?\d{1,18})[ \t]+(\w+)(?:[ \t]*"([^"\r\n]+)"(?:[ \t]*([-+]?\d{1,18}))?)?/;

const FLAT_TYPES: readonly string[] = ['FLAT', 'VMFS'];
const SPARSE_TYPES: readonly string[] = ['SPARSE', 'VMFSSPARSE', 'SESPARSE'];

export function isFlat(type: string): boolean {
  return FLAT_TYPES.includes(type);
}

/**
 * The extents in the order of the disk. qemu-img passes over lines that it does not know, and with
 * them over parts of the disk; here they are read (RDONLY, ZERO) or refused.
 * @throws ImageError invalid-image
 */
export function extentLines(text: string): ExtentLine[] {
  const lines: ExtentLine[] = [];
  for (const line of text.split('\n')) {
    const match = LINE.exec(line);
    if (match === null) continue;
    const found = extentOf(match, line);
    if (found !== undefined) lines.push(found);
    if (lines.length > MOST_EXTENTS) {
      imageFault('vmdk', 'table-size', { field: 'extents', limit: MOST_EXTENTS });
    }
  }
  return lines;
}

function extentOf(match: RegExpExecArray, line: string): ExtentLine | undefined {
  const [, access, count, type = '', name, place] = match;
  if (type === 'ZERO') {
    const sectors = sectorsOf(count);
    return sectors <= 0 ? undefined : lineOf({ access, sectors, type, name: '', offset: 0 });
  }
  if (name === undefined) return undefined;
  const offset = place === undefined ? undefined : Number(place);
  const wantsOffset = type === 'FLAT';
  if (wantsOffset !== (offset !== undefined) || (offset !== undefined && offset < 0)) {
    const message = `Invalid extent line: ${line}`;
    imageFault('vmdk', 'descriptor', { field: 'extent', value: line, message });
  }
  const sectors = sectorsOf(count);
  if (sectors <= 0) return undefined;
  if (!isFlat(type) && !SPARSE_TYPES.includes(type)) {
    const message = `Unsupported extent type '${type}'`;
    imageFault('vmdk', 'descriptor', { field: 'extent', value: type, message });
  }
  return lineOf({ access, sectors, type, name, offset: offset ?? 0 });
}

function sectorsOf(text: string | undefined): number {
  return Number(text ?? 0);
}

function lineOf(values: Omit<ExtentLine, 'access'> & { access: string | undefined }): ExtentLine {
  const { access } = values;
  return { ...values, access: access === 'RDONLY' || access === 'NOACCESS' ? access : 'RW' };
}

/**
 * The content's ids and the parent's name.
 * @param text the first {@link DESCRIPTOR_BYTES} of the descriptor
 * @param file the name of the file that it is in
 * @throws ImageError invalid-image
 */
export function identityOf(text: string, file: string): Identity {
  // Where QEMU has nothing to say, the error is that of the file.
  const message = `Could not open '${file}': Invalid argument`;
  const parentName = parentNameOf(text, message);
  const cid = hexBehind(text, 'CID', message);
  const parentCid = hexBehind(text, 'parentCID', message);
  return { cid, parentCid, parentName };
}

function parentNameOf(text: string, message: string): string {
  if (!text.includes('parentFileNameHint')) return '';
  const name = /parentFileNameHint\s*=\s*"([^"]*)"/.exec(text)?.[1];
  if (name === undefined || new TextEncoder().encode(name).length > LONGEST_NAME) {
    imageFault('vmdk', 'descriptor', { field: 'parentFileNameHint', message });
  }
  return name;
}

function hexBehind(text: string, name: string, message: string): number {
  const at = text.indexOf(name);
  const rest = at < 0 ? '' : text.slice(at + name.length + 1, at + name.length + 65);
  const digits = /^\s*(?:0x)?([0-9a-f]+)/i.exec(rest)?.[1];
  if (digits === undefined) {
    imageFault('vmdk', 'descriptor', { field: name, message });
  }
  return Number.parseInt(digits.slice(-8), 16);
}

/** A value of the disk database; '' where there is none. */
export function databaseValue(text: string, name: string): string {
  const escaped = name.replaceAll('.', '\\.');
  const value = new RegExp(`^\\s*${escaped}\\s*=\\s*"([^"]*)"`, 'm').exec(text)?.[1];
  return value?.slice(0, 128) ?? '';
}
