/** Addresses as people write them: `0x30000`, `64k`, `1.5 GiB`, `+512`, `end`, `cluster 3`. Bytes. */

/** What an address is understood by. */
export interface AddressContext {
  /** Bytes of the file or disk. */
  size: number;
  /** Where `+` and `-` count from. */
  current: number;
  clusterSize: number;
}

export type AddressProblem = 'empty' | 'unreadable' | 'behind' | 'before';
export type ParsedAddress = { offset: number } | { problem: AddressProblem };

const SECTOR = 512;
const SUFFIXES = 'kmgtpe';

const NAMED: Readonly<Record<string, (context: AddressContext) => number>> = {
  begin: () => 0,
  start: () => 0,
  end: ({ size }) => size - 1,
  开头: () => 0,
  结尾: ({ size }) => size - 1,
};

/** Words in front of a number, and how many bytes one of them has. */
const UNITS: readonly { word: RegExp; unit: (context: AddressContext) => number }[] = [
  { word: /^(?:cluster|簇)\s*/, unit: ({ clusterSize }) => clusterSize },
  { word: /^(?:sector|扇区)\s*/, unit: () => SECTOR },
];

/** Understands an address, which has to be inside of the file or disk. */
export function parseAddress(text: string, context: AddressContext): ParsedAddress {
  const plain = text.trim().toLowerCase();
  if (plain === '') return { problem: 'empty' };
  const offset = NAMED[plain]?.(context) ?? counted(plain, context);
  if (Number.isNaN(offset)) return { problem: 'unreadable' };
  if (offset < 0) return { problem: 'before' };
  return offset < context.size ? { offset } : { problem: 'behind' };
}

function counted(plain: string, context: AddressContext): number {
  for (const { word, unit } of UNITS) {
    if (word.test(plain)) return amount(plain.replace(word, '')) * unit(context);
  }
  if (plain.startsWith('+')) return context.current + amount(plain.slice(1));
  if (/^[-−]/.test(plain)) return context.current - amount(plain.slice(1));
  return amount(plain);
}

/** A number of bytes; NaN when it is none. Hex with `0x`, an `h` behind it, or when letters tell. */
function amount(text: string): number {
  const plain = text.trim();
  const hex = /^0x([\da-f_]+)$/.exec(plain)?.[1] ?? /^([\da-f]+)h$/.exec(plain)?.[1];
  if (hex !== undefined) return Number.parseInt(hex.replaceAll('_', ''), 16);
  const decimal = /^(\d[\d,_ ]*(?:\.\d+)?)\s*(?:([kmgtpe])(?:i?b)?|b|bytes?)?$/.exec(plain);
  if (decimal !== null) {
    const factor = 1024 ** (SUFFIXES.indexOf(decimal[2] ?? '-') + 1);
    return Math.round(Number((decimal[1] ?? '').replaceAll(/[,_ ]/g, '')) * factor);
  }
  return /^[\da-f]+$/.test(plain) ? Number.parseInt(plain, 16) : NaN;
}
