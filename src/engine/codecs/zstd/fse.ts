/** Finite State Entropy tables. RFC 8878, 4.1. */
import { bitsAt, ZstdError } from './bits.ts';

/** Symbols of any table at most. */
const MOST_SYMBOLS = 256;
/** The largest log of any table. */
const MOST_LOG = 9;

/** Where an entry has what: {@link FseTable.entries}. */
export const STATE_MASK = 15;
export const EXTRA_SHIFT = 4;
export const EXTRA_MASK = 31;
export const NEXT_SHIFT = 9;
export const NEXT_MASK = 511;
export const SYMBOL_SHIFT = 18;

/** A table that is kept and filled again and again. */
export interface FseTable {
  log: number;
  /**
   * For each state: how many bits to read for the next one (bits 0-3) and what to add them to (9-17),
   * the symbol (from 18 on), and how many extra bits this has (4-8).
   */
  readonly entries: Int32Array;
}

/** A table of up to 2^log states, without content. */
export function emptyTable(log: number): FseTable {
  return { log: 0, entries: new Int32Array(1 << log) };
}

/** Makes it a table for one symbol that takes no bits («RLE mode»). */
export function fillSingle(table: FseTable, symbol: number, extra: Uint8Array): void {
  table.log = 0;
  table.entries[0] = (symbol << SYMBOL_SHIFT) | ((extra[symbol] as number) << EXTRA_SHIFT);
}

const next = new Uint16Array(MOST_SYMBOLS);
const spread = new Uint8Array(1 << MOST_LOG);

/**
 * 4.1.1, «from normalized distribution to decoding tables». A count of -1 means less than one.
 * @param symbols how many of `counts` there are
 * @param extra how many extra bits each symbol has
 */
export function fillTable(
  table: FseTable,
  counts: ArrayLike<number>,
  symbols: number,
  log: number,
  extra: Uint8Array,
): void {
  const size = 1 << log;
  let high = size;
  for (let s = 0; s < symbols; s++) {
    const count = counts[s] as number;
    if (count === -1) spread[--high] = s;
    next[s] = count === -1 ? 1 : count;
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let position = 0;
  for (let s = 0; s < symbols; s++) {
    for (let i = counts[s] as number; i > 0; i--) {
      spread[position] = s;
      do position = (position + step) & (size - 1);
      while (position >= high);
    }
  }
  if (position !== 0) throw new ZstdError('distribution does not fill its table');
  const { entries } = table;
  table.log = log;
  for (let state = 0; state < size; state++) {
    const s = spread[state] as number;
    const value = next[s] as number;
    next[s] = value + 1;
    const width = log - (31 - Math.clz32(value));
    entries[state] =
      (s << SYMBOL_SHIFT) |
      (((value << width) - size) << NEXT_SHIFT) |
      ((extra[s] as number) << EXTRA_SHIFT) |
      width;
  }
}

const counts = new Int16Array(MOST_SYMBOLS + 1);

/**
 * 4.1.1, «FSE table description», in the buffer of the block, and the table of it.
 * @param maxSymbol the largest symbol that may occur
 * @returns the byte behind the description
 */
export function readTable(
  table: FseTable,
  start: number,
  end: number,
  maxLog: number,
  maxSymbol: number,
  extra: Uint8Array,
): number {
  const log = start < end ? bitsAt(start * 8, 4) + 5 : 5;
  if (log > maxLog) throw new ZstdError('table log too large');
  const last = end * 8;
  let bit = start * 8 + 4;
  let remaining = 1 << log;
  let symbol = 0;
  while (remaining > 0) {
    if (symbol > maxSymbol) throw new ZstdError('too many symbols');
    if (bit > last) throw new ZstdError('broken distribution');
    // Values up to `remaining + 1`; the lower ones take a bit less.
    const width = 32 - Math.clz32(remaining + 1);
    const low = (1 << width) - 1 - (remaining + 1);
    let value = bitsAt(bit, width);
    const short = value & ((1 << (width - 1)) - 1);
    if (short < low) {
      value = short;
      bit += width - 1;
    } else {
      if (value >= 1 << (width - 1)) value -= low;
      bit += width;
    }
    const count = value - 1;
    counts[symbol++] = count;
    remaining -= count < 0 ? 1 : count;
    if (count !== 0) continue;
    for (let repeat = 3; repeat === 3;) {
      repeat = bitsAt(bit, 2);
      bit += 2;
      if (bit > last) throw new ZstdError('broken distribution');
      if (symbol + repeat > maxSymbol + 1) throw new ZstdError('too many symbols');
      for (let i = 0; i < repeat; i++) counts[symbol++] = 0;
    }
  }
  const after = (bit + 7) >>> 3;
  if (remaining < 0 || after > end) throw new ZstdError('broken distribution');
  fillTable(table, counts, symbol, log, extra);
  return after;
}
