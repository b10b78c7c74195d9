/** Huffman codes of deflate (RFC 1951, 3.2) as tables that tell a whole decoding step at once. */

export const LITERAL_BITS = 11;
export const DISTANCE_BITS = 9;
export const LITERAL_MASK = (1 << LITERAL_BITS) - 1;
export const DISTANCE_MASK = (1 << DISTANCE_BITS) - 1;
export const MAX_CODE_BITS = 15;

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
 * needs: bits 0-3 the length of the code (0: no such code), bits 4-8 the same and how many extra bits
 * follow, bits 9-23 the base of a length or distance (0: not in use), bits 8-15 a literal, and flags.
 * Codes longer than `bits` lead to a second table: bits 8-23 where it begins.
 *
 * Two literals in one entry ({@link pairLiterals}): the lengths are those of both, bits 16-23 have
 * the second, and bits 24-27 the length of the first one's code, for those who take one at a time.
 */
export interface Code {
  readonly table: Int32Array;
  readonly bits: number;
}

/** Entries with the sign bit lead to a second table. */
const SUBTABLE = 1 << 31;
export const LITERAL = 1 << 30;
export const END_OF_BLOCK = 1 << 29;
/** Where bases begin, and the length of the code of the first of two literals. */
export const BASE_SHIFT = 9;
export const FIRST_SHIFT = 24;
/** Set where an entry has two literals. */
export const PAIR_SHIFT = 28;
const PAIR = 1 << PAIR_SHIFT;
/** What a code's length is put into an entry with: into both places. */
const LENGTH = 1 | (1 << 4);
/** Index bits of the second tables. */
export const LITERAL_EXTRA_MASK = (1 << (MAX_CODE_BITS - LITERAL_BITS)) - 1;
export const DISTANCE_EXTRA_MASK = (1 << (MAX_CODE_BITS - DISTANCE_BITS)) - 1;

/** What each symbol of an alphabet means: table entries without the length of their codes. */
function meaningsOf(count: number, meaning: (symbol: number) => number): Int32Array {
  return Int32Array.from({ length: count }, (_, symbol) => meaning(symbol));
}

export const literalMeanings = meaningsOf(288, (symbol) => {
  if (symbol < 256) return LITERAL | (symbol << 8);
  if (symbol === 256) return END_OF_BLOCK;
  const index = symbol - 257;
  return ((LENGTH_BASE[index] ?? 0) << BASE_SHIFT) | ((LENGTH_EXTRA[index] ?? 0) << 4);
});

export const distanceMeanings = meaningsOf(
  32,
  (symbol) => ((DISTANCE_BASE[symbol] ?? 0) << BASE_SHIFT) | ((DISTANCE_EXTRA[symbol] ?? 0) << 4),
);

export const plainMeanings = meaningsOf(19, (symbol) => symbol << 8);

/** Lengths of the codes of an alphabet, where {@link buildCode} takes them from. */
export const lengths = new Uint8Array(320);
const counts = new Uint16Array(MAX_CODE_BITS + 1);
const next = new Uint16Array(MAX_CODE_BITS + 1);
export const literalTable = new Int32Array(1 << 15);
export const distanceTable = new Int32Array(1 << 15);
export const codeLengthTable = new Int32Array(1 << 7);

/** Symbols by the length of their codes, and those of one length in order. */
const sorted = new Uint16Array(320);

let fixedLiteral: Code | undefined;
let fixedDistance: Code | undefined;

/**
 * Builds the table of a canonical code from `lengths[from..from+count)`.
 * @returns whether the code is usable: complete, or (where zlib allows it) a single code of one bit
 */
export function buildCode(
  table: Int32Array,
  bits: number,
  from: number,
  count: number,
  meanings: Int32Array,
): boolean {
  counts.fill(0);
  for (let i = 0; i < count; i++) {
    const length = lengths[from + i] as number;
    counts[length] = (counts[length] as number) + 1;
  }
  const used = count - (counts[0] as number);
  let left = 1;
  let index = 0;
  for (let length = 1; length <= MAX_CODE_BITS; length++) {
    const many = counts[length] as number;
    left = left * 2 - many;
    if (left < 0) return false;
    next[length] = index;
    index += many;
  }
  // Incomplete codes: none at all, or one symbol of one bit. Both end in «no code» when met.
  const single = meanings !== plainMeanings;
  if (left > 0 && !(single && (used === 0 || (used === 1 && counts[1] === 1)))) return false;
  for (let symbol = 0; symbol < count; symbol++) {
    const length = lengths[from + symbol] as number;
    if (length === 0) continue;
    const place = next[length] as number;
    next[length] = place + 1;
    sorted[place] = symbol;
  }
  fillTable(table, bits, meanings);
  return true;
}

/**
 * Codes in their order, shortest first, each read from its last bit: the table of one length is
 * that of the length before twice, and so each code is put in just once.
 */
function fillTable(table: Int32Array, bits: number, meanings: Int32Array): void {
  let code = 0;
  let index = 0;
  let end = 1 << bits;
  table[0] = 0;
  table[1] = 0;
  for (let length = 1; length <= MAX_CODE_BITS; length++) {
    if (length > 1 && length <= bits) table.copyWithin(1 << (length - 1), 0, 1 << (length - 1));
    const ones = (1 << length) - 1;
    for (let left = counts[length] as number; left > 0; left--) {
      const entry = (meanings[sorted[index++] as number] as number) + length * LENGTH;
      if (length <= bits) table[code] = entry;
      else end = placeLong(table, bits, code, length, entry, end);
      if (code === ones) return finish(table, bits, length);
      const step = 1 << (31 - Math.clz32(code ^ ones));
      code = (code & (step - 1)) | step;
    }
  }
}

/** The longest code is shorter than the table's index: the rest of it repeats what is there. */
function finish(table: Int32Array, bits: number, length: number): void {
  for (; length < bits; length++) table.copyWithin(1 << length, 0, 1 << length);
}

/** A code that does not fit into the table: into the second table for its first bits. */
function placeLong(
  table: Int32Array,
  bits: number,
  code: number,
  length: number,
  entry: number,
  end: number,
): number {
  const root = code & ((1 << bits) - 1);
  const extra = MAX_CODE_BITS - bits;
  if (table[root] === 0) {
    // All second tables have the largest size: simple, and seldom more than a few are needed.
    table[root] = SUBTABLE | (end << 8);
    table.fill(0, end, end + (1 << extra));
    end += 1 << extra;
  }
  const start = ((table[root] as number) >>> 8) & 0xffff;
  for (let i = code >>> bits; i < 1 << extra; i += 1 << (length - bits)) table[start + i] = entry;
  return end;
}

/** Puts two literals into one entry, wherever the index tells both. */
export function pairLiterals(table: Int32Array): void {
  for (let index = 0; index < 1 << LITERAL_BITS; index++) {
    const entry = table[index] as number;
    if (entry < LITERAL) continue;
    const length = entry & 15;
    const first = entry | (length << FIRST_SHIFT);
    table[index] = first;
    const next = table[index >>> length] as number;
    // What is at a lower index may be a pair by now: then the first of it counts.
    const both = length + ((next >>> FIRST_SHIFT) & 15);
    if (next >= LITERAL && both <= LITERAL_BITS)
      table[index] = (first & ~0xff) | ((next & 0xff00) << 8) | PAIR | (both * LENGTH);
  }
}

export function fixedCodes(): { literal: Code; distance: Code } {
  if (fixedLiteral === undefined || fixedDistance === undefined) {
    lengths.fill(8, 0, 144);
    lengths.fill(9, 144, 256);
    lengths.fill(7, 256, 280);
    lengths.fill(8, 280, 288);
    fixedLiteral = { table: new Int32Array(1 << LITERAL_BITS), bits: LITERAL_BITS };
    buildCode(fixedLiteral.table, LITERAL_BITS, 0, 288, literalMeanings);
    pairLiterals(fixedLiteral.table);
    lengths.fill(5, 0, 32);
    fixedDistance = { table: new Int32Array(1 << DISTANCE_BITS), bits: DISTANCE_BITS };
    buildCode(fixedDistance.table, DISTANCE_BITS, 0, 32, distanceMeanings);
  }
  return { literal: fixedLiteral, distance: fixedDistance };
}
