/** Sizes as qemu-img reads and prints them. */

/** Powers of 1024. */
const SUFFIXES = ['B', 'K', 'M', 'G', 'T', 'P', 'E'];
const MAX_INT64 = 2n ** 63n - 1n;
const SPACE = '[ \\t\\n\\v\\f\\r]*';
const HEXADECIMAL = new RegExp(`^${SPACE}\\+?0[xX]([0-9a-fA-F]+)([kKmMgGtTpP]?)$`);
const DECIMAL = new RegExp(`^${SPACE}\\+?([0-9]+)(\\.[0-9]*)?([bBkKmMgGtTpPeE]?)$`);

/** What a text says as a size. */
export type ParsedSize =
  | { kind: 'ok'; value: bigint; /** A hexadecimal number with a suffix. */ deprecated: boolean }
  | { kind: 'invalid' }
  /** Beyond what it may be. */
  | { kind: 'out-of-range' };

/**
 * Reads a size: decimal or hexadecimal, with a fraction only where a suffix makes it whole.
 * `0x1b` and `0x1e` are numbers, not numbers with a suffix.
 * @param most by default 2^63-1
 */
export function parseSize(text: string, most = MAX_INT64): ParsedSize {
  const hexadecimal = HEXADECIMAL.exec(text);
  if (hexadecimal !== null) {
    const [, digits = '0', suffix = ''] = hexadecimal;
    const value = BigInt(`0x${digits}`) * multiplier(suffix);
    return inRange(value, most, suffix !== '');
  }
  const decimal = DECIMAL.exec(text);
  if (decimal === null) return { kind: 'invalid' };
  const [, digits = '0', fraction = '', suffix = ''] = decimal;
  const unit = multiplier(suffix);
  const part = fraction.length > 1 ? Number(`0${fraction}`) : 0;
  if (part !== 0 && unit === 1n) return { kind: 'invalid' };
  const rest = BigInt(Math.floor(part * Number(unit) + 0.5));
  return inRange(BigInt(digits) * unit + rest, most, false);
}

function multiplier(suffix: string): bigint {
  const power = SUFFIXES.indexOf(suffix.toUpperCase());
  return 1024n ** BigInt(Math.max(0, power));
}

function inRange(value: bigint, most: bigint, deprecated: boolean): ParsedSize {
  return value > most ? { kind: 'out-of-range' } : { kind: 'ok', value, deprecated };
}

const INTEGER = new RegExp(`^${SPACE}([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$`);

/** A whole number as C's strtol reads it, octal behind a 0; undefined for anything else. */
export function parseInteger(text: string): bigint | undefined {
  const [, sign = '', digits] = INTEGER.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  return sign === '-' ? -value : value;
}

/** A whole number in full: large ones are powers of two and the like, exact although not safe. */
export function formatInteger(value: number): string {
  return Number.isSafeInteger(value) ? String(value) : BigInt(value).toString();
}

/** A size for people with three digits: `1.5 GiB`. Bytes. */
export function formatSize(bytes: number): string {
  let power = 0;
  // The next unit begins at 1000 of this one, so that three digits are enough.
  while (bytes >= 1000 * 1024 ** power && power < SUFFIXES.length - 1) power++;
  const prefix = power === 0 ? '' : `${SUFFIXES[power] ?? ''}i`;
  return `${threeDigits(bytes / 1024 ** power)} ${prefix}B`;
}

/** As C prints `%0.3g`: three significant digits, no zeros behind them. */
function threeDigits(value: number): string {
  const decimals = value < 1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0;
  const rounded = Number(toDecimals(value, decimals));
  if (rounded < 1000) return String(rounded);
  return rounded.toExponential().replace(/e\+(\d)$/, 'e+0$1');
}

/**
 * As C prints `%.2f` (for two decimals): exactly between two results it takes the even one, where
 * toFixed takes the larger.
 */
export function toDecimals(value: number, decimals: number): string {
  const scaled = value * 10 ** decimals;
  // Only fractions of a power of two can lie exactly between, and those are exact as numbers.
  const isBetween = Number.isInteger(value * 2 ** (decimals + 1)) && scaled % 1 === 0.5;
  if (!isBetween) return value.toFixed(decimals);
  const down = Math.floor(scaled);
  return ((down % 2 === 0 ? down : down + 1) / 10 ** decimals).toFixed(decimals);
}
