/** Sizes as people write them. */

const UNITS = ['', 'K', 'M', 'G', 'T', 'P', 'E'];
const PATTERN = /^([\d.,\s_]*\d[.,]?)\s*(?:([kmgtpe])(i?b?)?|b|bytes?)?$/i;

/**
 * Bytes of `20G`, `1.5 TiB`, `512`, `100 MB`: powers of 1024 whatever the unit is called, as qemu-img
 * has it. A comma counts as a point where it is the only one and no three digits follow.
 * @returns undefined for what is no size, or larger than 2^53
 */
export function parseSize(text: string): number | undefined {
  const match = PATTERN.exec(text.trim());
  if (match === null) return undefined;
  const [, digits = '', unit = ''] = match;
  const number = Number(plainNumber(digits));
  const bytes = Math.round(number * 1024 ** UNITS.indexOf(unit.toUpperCase()));
  return Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : undefined;
}

function plainNumber(digits: string): string {
  const bare = digits.replace(/[\s_]/g, '');
  if (/^\d{1,3}(,\d{3})+(\.\d+)?$/.test(bare)) return bare.replaceAll(',', '');
  return bare.replace(',', '.');
}

/** The shortest way to write a size that {@link parseSize} reads back: `20G`, `1536M`, `700`. */
export function shortSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value > 0 && value % 1024 === 0 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${String(value)}${UNITS[unit] ?? ''}`;
}
