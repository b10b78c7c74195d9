/** What some bytes mean when they are read as a number, a time, a text and so on. */

/** A number that was read in one byte order. */
export interface ReadNumber {
  unsigned: string;
  /** Undefined when it is the same as `unsigned`. */
  signed: string | undefined;
  hex: string;
  /** The number where it can be an address: exact, in front of `size`. */
  address: number | undefined;
}

export interface NumberRow {
  bits: 8 | 16 | 32 | 64;
  little: ReadNumber;
  /** Undefined for a single byte, which has no order. */
  big: ReadNumber | undefined;
}

export interface Reading {
  numbers: NumberRow[];
  /** Milliseconds since 1970; undefined: too few bytes, or no time that there is. */
  times: { unixLittle: number | undefined; unixBig: number | undefined; file: number | undefined };
  /** The first three groups are little-endian, as Microsoft keeps them; '' for too few bytes. */
  guid: string;
  /** The same 16 bytes in the order in which they stand. */
  uuid: string;
  /** Of the first byte, the highest first. */
  bits: string;
  ascii: string;
  utf8: string;
  utf16: string;
}

const WIDTHS = [8, 16, 32, 64] as const;
/** Between 1601, where FILETIME begins, and 1970, in units of 100 ns. */
const FILETIME_EPOCH = 116_444_736_000_000_000n;
/** Milliseconds; `Date` ends there. */
const LATEST = 8.64e15;
/** Smaller numbers are counts, and no places that something is put at. */
const LEAST_ADDRESS = 512;
/** Characters of a text that are shown. */
const LONGEST_TEXT = 64;

/**
 * Reads the bytes at the cursor, as many as there are. `size`: of the file or disk, for addresses.
 * `length`: how many of them are selected; texts end there, when it is more than one.
 */
export function inspect(bytes: Uint8Array, size: number, length: number): Reading {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = length > 1 ? bytes.subarray(0, length) : bytes;
  const guid = bytes.length >= 16 ? [...bytes.subarray(0, 16)].map(twoDigits) : [];
  return {
    numbers: WIDTHS.filter((bits) => bits / 8 <= bytes.length).map((bits) => ({
      bits,
      little: readNumber(view, bits, true, size),
      big: bits === 8 ? undefined : readNumber(view, bits, false, size),
    })),
    times: {
      unixLittle: bytes.length < 4 ? undefined : view.getUint32(0, true) * 1000,
      unixBig: bytes.length < 4 ? undefined : view.getUint32(0) * 1000,
      file: fileTime(view),
    },
    guid: groups(guid, [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]),
    uuid: groups(guid, undefined),
    bits: (bytes[0] ?? 0).toString(2).padStart(8, '0').replace(/^.{4}/, '$& '),
    ascii: printable(
      String.fromCharCode(...text.subarray(0, LONGEST_TEXT).map((b) => b & 0x7f)),
      text,
    ),
    utf8: decoded(text, 'utf-8'),
    utf16: decoded(text.subarray(0, text.length & ~1), 'utf-16le'),
  };
}

function readNumber(view: DataView, bits: number, little: boolean, size: number): ReadNumber {
  const wide = bits === 64;
  const value = wide ? view.getBigUint64(0, little) : BigInt(small(view, bits, little));
  const signed = BigInt.asIntN(bits, value);
  const number = Number(value);
  const canBe =
    bits >= 32 && number >= LEAST_ADDRESS && number < size && Number.isSafeInteger(number);
  return {
    unsigned: value.toString(),
    signed: signed === value ? undefined : signed.toString(),
    hex: `0x${value.toString(16)}`,
    address: canBe ? number : undefined,
  };
}

function small(view: DataView, bits: number, little: boolean): number {
  if (bits === 8) return view.getUint8(0);
  return bits === 16 ? view.getUint16(0, little) : view.getUint32(0, little);
}

function fileTime(view: DataView): number | undefined {
  if (view.byteLength < 8) return undefined;
  const value = view.getBigUint64(0, true);
  if (value === 0n) return undefined;
  const milliseconds = Number((value - FILETIME_EPOCH) / 10_000n);
  return Math.abs(milliseconds) > LATEST ? undefined : milliseconds;
}

function groups(digits: string[], order: number[] | undefined): string {
  if (digits.length < 16) return '';
  const all = (order ?? digits.map((_, at) => at)).map((at) => digits[at] ?? '').join('');
  return all.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** ASCII up to the first byte that is none. */
function printable(text: string, bytes: Uint8Array): string {
  const end = bytes.findIndex((byte) => byte < 0x20 || byte > 0x7e);
  return end < 0 ? text : text.slice(0, end);
}

/** Text up to its end: a zero, a control character, or what is no text in that code. */
function decoded(bytes: Uint8Array, code: string): string {
  const text = new TextDecoder(code, { ignoreBOM: true }).decode(
    bytes.subarray(0, 2 * LONGEST_TEXT),
  );
  const end = text.search(/[\p{Cc}\p{Cn}\p{Co}\ufffd\ufeff]/u);
  return text.slice(0, end < 0 ? LONGEST_TEXT : Math.min(end, LONGEST_TEXT));
}

/** A byte as two digits. */
export function twoDigits(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

/** A byte as a character of the text column; what has none is a dot. */
export function character(byte: number): string {
  return byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : '·';
}

/** How bytes are copied. */
export type CopyStyle = 'hex' | 'text' | 'array';

export function copyBytes(bytes: Uint8Array, style: CopyStyle): string {
  const digits = Array.from(bytes, twoDigits);
  if (style === 'hex') return digits.join(' ');
  if (style === 'text') return new TextDecoder().decode(bytes);
  const lines: string[] = [];
  for (let at = 0; at < digits.length; at += 12) {
    lines.push(
      `  ${digits
        .slice(at, at + 12)
        .map((pair) => `0x${pair},`)
        .join(' ')}`,
    );
  }
  return `unsigned char bytes[${bytes.length}] = {\n${lines.join('\n')}\n};\n`;
}
