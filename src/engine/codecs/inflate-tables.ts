/** Huffman codes of deflate (RFC 1951, 3.2) as tables that tell a whole decoding step at once. */

export const LITERAL_BITS = 10;
export const DISTANCE_BITS = 9;
export const LITERAL_MASK = (1 << LITERAL_BITS) - 1;
export const DISTANCE_MASK = (1 << DISTANCE_BITS) - 1;
const MAX_CODE_BITS = 15;

const LENGTH_BASE = new Uint16Array([
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
  163, 195, 227, 258, 0, 0,
]);
const LENGTH_EXTRA = new Uint8Array([
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0, 0, 0,
]);
const DISTANCE_BASE = new Uint16Array([
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
  3073, 4097, 6145, 8193, 12289, 16385, 24577, 0, 0,
]);
const DISTANCE_EXTRA = new Uint8Array([
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
  0, 0,
]);

/**
 * A Huffman code as a table that is indexed by the next `bits` bits. An entry tells all that a step
 * needs: bits 0-3 the length of the code (0: no such code), bits 4-7 how many extra bits follow,
 * bits 8-23 the literal, or the base of a length or distance (0: not in use), and flags. Codes
 * longer than `bits` lead to a second table: bits 8-23 where it begins, bits 4-7 its index bits.
 */
export interface Code {
  readonly table: Int32Array;
  readonly bits: number;
}

/** Entries with the sign bit lead to a second table. */
const SUBTABLE = 1 << 31;
export const LITERAL = 1 << 30;
export const END_OF_BLOCK = 1 << 29;
/** Index bits of the second tables. */
export const LITERAL_EXTRA_MASK = (1 << (MAX_CODE_BITS - LITERAL_BITS)) - 1;
export const DISTANCE_EXTRA_MASK = (1 << (MAX_CODE_BITS - DISTANCE_BITS)) - 1;

/** What a symbol means, as a table entry without the length of its code. */
type Meaning = (symbol: number) => number;

export function literalMeaning(symbol: number): number {
  if (symbol < 256) return LITERAL | (symbol << 8);
  if (symbol === 256) return END_OF_BLOCK;
  const index = symbol - 257;
  return ((LENGTH_BASE[index] ?? 0) << 8) | ((LENGTH_EXTRA[index] ?? 0) << 4);
}

export function distanceMeaning(symbol: number): number {
  return ((DISTANCE_BASE[symbol] ?? 0) << 8) | ((DISTANCE_EXTRA[symbol] ?? 0) << 4);
}

export function plainMeaning(symbol: number): number {
  return symbol << 8;
}

/** Lengths of the codes of an alphabet, where {@link buildCode} takes them from. */
export const lengths = new Uint8Array(320);
const counts = new Uint16Array(MAX_CODE_BITS + 1);
const nextCode = new Uint16Array(MAX_CODE_BITS + 1);
export const literalTable = new Int32Array(1 << 15);
export const distanceTable = new Int32Array(1 << 15);
export const codeLengthTable = new Int32Array(1 << 7);

let fixedLiteral: Code | undefined;
let fixedDistance: Code | undefined;

function reverse(code: number, length: number): number {
  let result = 0;
  for (let i = 0; i < length; i++) {
    result = (result << 1) | (code & 1);
    code >>>= 1;
  }
  return result;
}

/**
 * Builds the table of a canonical code from `lengths[from..from+count)`.
 * @returns whether the code is usable: complete, or (where zlib allows it) a single code of one bit
 */
export function buildCode(
  table: Int32Array,
  bits: number,
  from: number,
  count: number,
  meaning: Meaning,
): boolean {
  counts.fill(0);
  for (let i = 0; i < count; i++) {
    const length = lengths[from + i] as number;
    counts[length] = (counts[length] as number) + 1;
  }
  const used = count - (counts[0] as number);
  let left = 1;
  for (let length = 1; length <= MAX_CODE_BITS; length++) {
    left = left * 2 - (counts[length] as number);
    if (left < 0) return false;
  }
  // Incomplete codes: none at all, or one symbol of one bit. Both end in «no code» when met.
  const single = meaning !== plainMeaning;
  if (left > 0 && !(single && (used === 0 || (used === 1 && counts[1] === 1)))) return false;
  let code = 0;
  for (let length = 1; length <= MAX_CODE_BITS; length++) {
    code = (code + (length === 1 ? 0 : (counts[length - 1] as number))) << 1;
    nextCode[length] = code;
  }
  table.fill(0, 0, 1 << bits);
  let end = 1 << bits;
  for (let symbol = 0; symbol < count; symbol++) {
    const length = lengths[from + symbol] as number;
    if (length === 0) continue;
    const own = nextCode[length] as number;
    nextCode[length] = own + 1;
    const reversed = reverse(own, length);
    end = place(table, bits, reversed, length, meaning(symbol), end);
  }
  return true;
}

function place(
  table: Int32Array,
  bits: number,
  code: number,
  length: number,
  meaning: number,
  end: number,
): number {
  const entry = meaning | length;
  if (length <= bits) {
    for (let i = code; i < 1 << bits; i += 1 << length) table[i] = entry;
    return end;
  }
  const root = code & ((1 << bits) - 1);
  const extra = MAX_CODE_BITS - bits;
  if (table[root] === 0) {
    // All second tables have the largest size: simple, and seldom more than a few are needed.
    table[root] = SUBTABLE | (end << 8) | (extra << 4);
    table.fill(0, end, end + (1 << extra));
    end += 1 << extra;
  }
  const start = ((table[root] as number) >>> 8) & 0xffff;
  for (let i = code >>> bits; i < 1 << extra; i += 1 << (length - bits)) table[start + i] = entry;
  return end;
}

export function fixedCodes(): { literal: Code; distance: Code } {
  if (fixedLiteral === undefined || fixedDistance === undefined) {
    lengths.fill(8, 0, 144);
    lengths.fill(9, 144, 256);
    lengths.fill(7, 256, 280);
    lengths.fill(8, 280, 288);
    fixedLiteral = { table: new Int32Array(1 << LITERAL_BITS), bits: LITERAL_BITS };
    buildCode(fixedLiteral.table, LITERAL_BITS, 0, 288, literalMeaning);
    lengths.fill(5, 0, 32);
    fixedDistance = { table: new Int32Array(1 << DISTANCE_BITS), bits: DISTANCE_BITS };
    buildCode(fixedDistance.table, DISTANCE_BITS, 0, 32, distanceMeaning);
  }
  return { literal: fixedLiteral, distance: fixedDistance };
}
