/** Finite State Entropy tables. RFC 8878, 4.1. */
import { ZstdError } from './bits.ts';

/** For each state: its symbol, how many bits to read, and what to add them to for the next state. */
export interface FseTable {
  readonly log: number;
  readonly symbol: Uint8Array;
  readonly bits: Uint8Array;
  readonly base: Uint16Array;
}

/** A table for one symbol that takes no bits («RLE mode»). */
export function singleSymbol(symbol: number): FseTable {
  return {
    log: 0,
    symbol: Uint8Array.of(symbol),
    bits: new Uint8Array(1),
    base: new Uint16Array(1),
  };
}

/** 4.1.1, «from normalized distribution to decoding tables». A count of -1 means less than one. */
export function buildTable(counts: ArrayLike<number>, log: number): FseTable {
  const size = 1 << log;
  const symbol = new Uint8Array(size);
  const bits = new Uint8Array(size);
  const base = new Uint16Array(size);
  const next = new Uint16Array(counts.length);
  let high = size;
  for (let s = 0; s < counts.length; s++) {
    const count = counts[s] as number;
    if (count === -1) symbol[--high] = s;
    next[s] = count === -1 ? 1 : count;
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let position = 0;
  for (let s = 0; s < counts.length; s++) {
    for (let i = 0; i < (counts[s] as number); i++) {
      symbol[position] = s;
      do position = (position + step) & (size - 1);
      while (position >= high);
    }
  }
  if (position !== 0) throw new ZstdError('distribution does not fill its table');
  for (let state = 0; state < size; state++) {
    const s = symbol[state] as number;
    const value = next[s] as number;
    next[s] = value + 1;
    const width = log - (31 - Math.clz32(value));
    bits[state] = width;
    base[state] = (value << width) - size;
  }
  return { log, symbol, bits, base };
}

/** A distribution as read, and the byte behind it. */
export interface Distribution {
  readonly counts: Int16Array;
  readonly log: number;
  readonly end: number;
}

/**
 * 4.1.1, «FSE table description».
 * @param maxSymbol the largest symbol that may occur
 */
export function readDistribution(
  bytes: Uint8Array,
  start: number,
  end: number,
  maxLog: number,
  maxSymbol: number,
): Distribution {
  const bitsAt = (bit: number, count: number): number => {
    const at = start + (bit >>> 3);
    const word =
      (at < end ? (bytes[at] as number) : 0) |
      ((at + 1 < end ? (bytes[at + 1] as number) : 0) << 8) |
      ((at + 2 < end ? (bytes[at + 2] as number) : 0) << 16);
    return (word >>> (bit & 7)) & ((1 << count) - 1);
  };
  const log = bitsAt(0, 4) + 5;
  if (log > maxLog) throw new ZstdError('table log too large');
  const counts = new Int16Array(maxSymbol + 1);
  let bit = 4;
  let remaining = 1 << log;
  let symbol = 0;
  while (remaining > 0) {
    if (symbol > maxSymbol) throw new ZstdError('too many symbols');
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
      symbol += repeat;
      if (symbol > maxSymbol + 1) throw new ZstdError('too many symbols');
    }
  }
  const after = start + ((bit + 7) >>> 3);
  if (remaining < 0 || after > end) throw new ZstdError('broken distribution');
  return { counts: counts.subarray(0, symbol), log, end: after };
}
