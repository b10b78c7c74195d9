/** RFC 1951, 3.2.5 and 3.2.6: how lengths and distances are named, and the codes that need no table. */

export const LITERALS = 256;
/** Literals, the end of the block, and lengths. */
export const LITERAL_CODES = 286;
export const DISTANCE_CODES = 30;
export const END_OF_BLOCK = 256;
/** Bytes of the shortest and the longest match. */
export const MIN_MATCH = 3;
export const MAX_MATCH = 258;
/** Bits of the longest code, and of the longest one in the table of code lengths. */
export const MAX_BITS = 15;
export const MAX_LENGTH_BITS = 7;

/** Extra bits behind each code of a length, from code 257 on. */
export const LENGTH_EXTRA = Uint8Array.of(
  ...[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2],
  ...[3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0],
);
/** Extra bits behind each code of a distance. */
export const DISTANCE_EXTRA = Uint8Array.from({ length: DISTANCE_CODES }, (_, code) =>
  Math.max(0, (code >> 1) - 1),
);
/** The order in which a block names the lengths of the codes of code lengths (3.2.7). */
export const LENGTH_ORDER = Uint8Array.of(
  ...[16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15],
);

/** The code of each length, by the length minus 3, counted from 257; 258 has one of its own. */
export const LENGTH_CODE = new Uint8Array(256);
/** The first length of each code, minus 3. */
export const LENGTH_BASE = new Uint8Array(LENGTH_EXTRA.length);
/** The first distance of each code, minus 1. */
export const DISTANCE_BASE = new Uint16Array(DISTANCE_CODES);
/** The code of a distance minus 1: below 256 at its place, others by all but their lowest 7 bits. */
const DISTANCE_CODE = new Uint8Array(512);

/** Literals and lengths in blocks with fixed codes: bits of each code, and the codes, reversed. */
export const FIXED_BITS = new Uint8Array(288);
export const FIXED_CODES = new Uint16Array(288);
/** Distances in them: 5 bits each. */
export const FIXED_DISTANCE_BITS = new Uint8Array(DISTANCE_CODES).fill(5);
export const FIXED_DISTANCE_CODES = new Uint16Array(DISTANCE_CODES);

/** The code of a distance. @param less the distance minus 1, below 32768 */
export function distanceCode(less: number): number {
  return DISTANCE_CODE[less < 256 ? less : 256 + (less >>> 7)] as number;
}

/** The bits of a code, the last one first: codes are written from their highest bit on. */
function reversed(code: number, bits: number): number {
  let rest = code;
  let result = 0;
  for (let bit = 0; bit < bits; bit++) {
    result = (result << 1) | (rest & 1);
    rest >>>= 1;
  }
  return result;
}

const perLength = new Uint16Array(MAX_BITS + 1);
const nextCode = new Uint16Array(MAX_BITS + 2);

/**
 * Codes from their lengths (3.2.2), reversed.
 * @param count how many of `bits` there are; those of 0 bits have no code
 */
export function assignCodes(bits: Uint8Array, count: number, codes: Uint16Array): void {
  perLength.fill(0);
  for (let symbol = 0; symbol < count; symbol++) {
    const length = bits[symbol] as number;
    perLength[length] = (perLength[length] as number) + 1;
  }
  perLength[0] = 0;
  let code = 0;
  for (let length = 1; length <= MAX_BITS; length++) {
    code = (code + (perLength[length - 1] as number)) << 1;
    nextCode[length] = code;
  }
  for (let symbol = 0; symbol < count; symbol++) {
    const length = bits[symbol] as number;
    if (length === 0) continue;
    const next = nextCode[length] as number;
    nextCode[length] = next + 1;
    codes[symbol] = reversed(next, length);
  }
}

function fillTables(): void {
  let length = 0;
  for (const [code, extra] of LENGTH_EXTRA.entries()) {
    LENGTH_BASE[code] = Math.min(length, 255);
    for (let step = 0; step < 1 << extra && length < 256; step++) LENGTH_CODE[length++] = code;
  }
  LENGTH_CODE[255] = LENGTH_EXTRA.length - 1;
  let distance = 0;
  for (const [code, extra] of DISTANCE_EXTRA.entries()) {
    DISTANCE_BASE[code] = distance;
    for (let step = 0; step < 1 << extra; step++, distance++) {
      DISTANCE_CODE[distance < 256 ? distance : 256 + (distance >>> 7)] = code;
    }
  }
  FIXED_BITS.fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280);
  assignCodes(FIXED_BITS, FIXED_BITS.length, FIXED_CODES);
  for (let code = 0; code < DISTANCE_CODES; code++) FIXED_DISTANCE_CODES[code] = reversed(code, 5);
}

fillTables();
