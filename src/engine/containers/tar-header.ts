/** Headers of tar: ustar (POSIX 1003.1), GNU's own, and pax records. Parsing only. */
import { hasTarChecksum } from './detect.ts';

export const BLOCK = 512;

/** Ranges of a sparse file that are stored, one behind the other; all else are zeros. Bytes. */
export interface SparsePiece {
  readonly offset: number;
  readonly length: number;
}

/** One header block. */
export interface TarHeader {
  readonly name: string;
  /** Bytes that are stored behind the header. */
  readonly size: number;
  /** '0' a file, 'L' and 'K' GNU's long names, 'x' and 'g' pax records, 'S' GNU's sparse file … */
  readonly type: string;
  /** Of GNU's sparse file: its size, the first pieces, and whether a block with more follows. */
  readonly sparse: { size: number; pieces: SparsePiece[]; goesOn: boolean } | undefined;
}

/** Text up to a zero. */
export function textField(block: Uint8Array, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** A number in octal digits, or (GNU) in binary with the first bit set; undefined: neither. */
export function numberField(block: Uint8Array, at: number, length: number): number | undefined {
  const first = block[at] as number;
  if ((first & 0x80) !== 0) {
    // Negative, or beyond 2^53: nothing that a file could have.
    let value = first & 0x7f;
    for (let i = 1; i < length; i++) value = value * 256 + (block[at + i] as number);
    return Number.isSafeInteger(value) ? value : undefined;
  }
  const text = textField(block, at, length).trim();
  if (text === '') return 0;
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

/** Reads a header; undefined when it is none. */
export function parseTarHeader(block: Uint8Array): TarHeader | undefined {
  if (!hasTarChecksum(block)) return undefined;
  const size = numberField(block, 124, 12);
  if (size === undefined) return undefined;
  const type = String.fromCharCode(block[156] || 0x30);
  const isGnu = textField(block, 257, 8) === 'ustar  ';
  const prefix = isGnu ? '' : textField(block, 345, 155);
  const ownName = textField(block, 0, 100);
  const name = prefix === '' ? ownName : `${prefix}/${ownName}`;
  if (type !== 'S') return { name, size, type, sparse: undefined };
  const whole = numberField(block, 483, 12);
  const pieces = piecesOf(block, 386, 4);
  if (whole === undefined || pieces === undefined) return undefined;
  return { name, size, type, sparse: { size: whole, pieces, goesOn: block[482] !== 0 } };
}

/** A block with more pieces of a sparse file. */
export function parseSparseBlock(
  block: Uint8Array,
): { pieces: SparsePiece[]; goesOn: boolean } | undefined {
  const pieces = piecesOf(block, 0, 21);
  return pieces && { pieces, goesOn: block[504] !== 0 };
}

function piecesOf(block: Uint8Array, at: number, count: number): SparsePiece[] | undefined {
  const pieces: SparsePiece[] = [];
  for (let i = 0; i < count; i++) {
    const place = at + i * 24;
    if (block[place] === 0) break;
    const offset = numberField(block, place, 12);
    const length = numberField(block, place + 12, 12);
    if (offset === undefined || length === undefined) return undefined;
    pieces.push({ offset, length });
  }
  return pieces;
}

/** Records of pax: «length keyword=value», each with a line end. undefined: they are none. */
export function parsePax(bytes: Uint8Array): [string, string][] | undefined {
  const records: [string, string][] = [];
  const decoder = new TextDecoder();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    if (space < 0 || space - at > 10) return isPadding(bytes, at) ? records : undefined;
    const digits = decoder.decode(bytes.subarray(at, space));
    const length = /^\d+$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (end <= space + 1 || end > bytes.length || bytes[end - 1] !== 0x0a) return undefined;
    const record = decoder.decode(bytes.subarray(space + 1, end - 1));
    const equals = record.indexOf('=');
    if (equals < 0) return undefined;
    records.push([record.slice(0, equals), record.slice(equals + 1)]);
    at = end;
  }
  return records;
}

function isPadding(bytes: Uint8Array, at: number): boolean {
  return bytes.subarray(at).every((byte) => byte === 0);
}

/** A decimal number that is exact; undefined: it is none. */
export function decimal(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
