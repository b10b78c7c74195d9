/** Finite State Entropy, the writing side. RFC 8878, 4.1. */
import { BitWriter } from './bit-writer.ts';

/** How often each symbol is to be expected: counts that sum up to 2^log, -1 for «less than one». */
export interface Distribution {
  readonly counts: Int16Array;
  readonly log: number;
}

function highBit(value: number): number {
  return 31 - Math.clz32(value);
}

/** A table log that fits so many symbols, within the bounds of the format. */
export function chooseLog(total: number, distinct: number, maxLog: number): number {
  const smallest = Math.max(5, highBit(distinct) + 1);
  return Math.min(maxLog, Math.max(smallest, highBit(Math.max(1, total - 1)) - 2));
}

/**
 * Scales frequencies to a table of 2^log states; every symbol that occurs gets one at least.
 * @param frequencies with at least two symbols that occur, and no more of them than states
 */
export function normalize(frequencies: Uint32Array, total: number, log: number): Distribution {
  const size = 1 << log;
  const last = frequencies.findLastIndex((count) => count > 0);
  const counts = new Int16Array(last + 1);
  let used = 0;
  let largest = 0;
  for (let symbol = 0; symbol <= last; symbol++) {
    const frequency = frequencies[symbol] as number;
    if (frequency === 0) continue;
    const share = (frequency * size) / total;
    counts[symbol] = share < 1 ? -1 : Math.round(share);
    used += Math.abs(counts[symbol] as number);
    if (frequency > (frequencies[largest] as number)) largest = symbol;
  }
  // Rounding errors go where they weigh least.
  while (used !== size) {
    const step = used < size ? Math.min(size - used, 1 << 14) : -1;
    const symbol = step > 0 ? largest : largestAboveOne(counts);
    counts[symbol] = (counts[symbol] as number) + step;
    used += step;
  }
  return { counts, log };
}

function largestAboveOne(counts: Int16Array): number {
  let best = 0;
  for (let symbol = 1; symbol < counts.length; symbol++) {
    if ((counts[symbol] as number) > (counts[best] as number)) best = symbol;
  }
  return best;
}

/** 4.1.1, «FSE table description». */
export function writeDistribution({ counts, log }: Distribution): Uint8Array {
  const bits = new BitWriter(64);
  bits.add(log - 5, 4);
  let remaining = 1 << log;
  for (let symbol = 0; symbol < counts.length && remaining > 0; symbol++) {
    const count = counts[symbol] as number;
    const most = remaining + 1;
    const width = highBit(most) + 1;
    const low = (1 << width) - 1 - most;
    const value = count + 1;
    // The lower values take a bit less.
    if (value < low) bits.add(value, width - 1);
    else bits.add(value >= 1 << (width - 1) ? value + low : value, width);
    remaining -= Math.abs(count);
    if (count !== 0) continue;
    let zeros = 0;
    while (counts[symbol + 1 + zeros] === 0) zeros++;
    symbol += zeros;
    for (; zeros >= 3; zeros -= 3) bits.add(3, 2);
    bits.add(zeros, 2);
  }
  return bits.finish();
}

/** What is to be known of a distribution for writing symbols by it. */
export class FseEncoder {
  readonly log: number;
  /** States by symbol, in the order in which the reader meets them. */
  readonly #states: Uint16Array;
  readonly #bitsOf: Int32Array;
  readonly #first: Int32Array;

  constructor({ counts, log }: Distribution) {
    this.log = log;
    const size = 1 << log;
    const spread = spreadSymbols(counts, log);
    this.#bitsOf = new Int32Array(counts.length);
    this.#first = new Int32Array(counts.length);
    const next = new Uint16Array(counts.length);
    let total = 0;
    for (let symbol = 0; symbol < counts.length; symbol++) {
      const count = Math.abs(counts[symbol] as number);
      next[symbol] = total;
      if (count === 0) continue;
      // How many bits a state gives away when this symbol is written from it, and where it goes on.
      const most = count === 1 ? log : log - highBit(count - 1);
      this.#bitsOf[symbol] = (most << 16) - (count << most);
      this.#first[symbol] = total - count;
      total += count;
    }
    this.#states = new Uint16Array(size);
    for (let state = 0; state < size; state++) {
      const symbol = spread[state] as number;
      const at = next[symbol] as number;
      next[symbol] = at + 1;
      this.#states[at] = size + state;
    }
  }

  /** A state that the reader takes for `symbol` without a bit of input. */
  start(symbol: number): number {
    const bitsOf = this.#bitsOf[symbol] as number;
    const count = (bitsOf + (1 << 15)) >>> 16;
    const value = (count << 16) - bitsOf;
    return this.#states[(value >>> count) + (this.#first[symbol] as number)] as number;
  }

  /** Writes a symbol before the one that led to `state`; returns the state that leads to it. */
  write(bits: BitWriter, state: number, symbol: number): number {
    const count = (state + (this.#bitsOf[symbol] as number)) >>> 16;
    bits.add(state & ((1 << count) - 1), count);
    return this.#states[(state >>> count) + (this.#first[symbol] as number)] as number;
  }

  /** Writes the state that the reader begins with. */
  finish(bits: BitWriter, state: number): void {
    bits.add(state & ((1 << this.log) - 1), this.log);
  }
}

/** Which symbol each state stands for: as the reader has it. */
function spreadSymbols(counts: Int16Array, log: number): Uint8Array {
  const size = 1 << log;
  const spread = new Uint8Array(size);
  let high = size;
  for (let symbol = 0; symbol < counts.length; symbol++) {
    if (counts[symbol] === -1) spread[--high] = symbol;
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let position = 0;
  for (let symbol = 0; symbol < counts.length; symbol++) {
    for (let i = 0; i < (counts[symbol] as number); i++) {
      spread[position] = symbol;
      do position = (position + step) & (size - 1);
      while (position >= high);
    }
  }
  return spread;
}

/** About how many bits symbols of these frequencies take. */
export function cost(frequencies: Uint32Array, { counts, log }: Distribution): number {
  let bits = 0;
  for (let symbol = 0; symbol < frequencies.length; symbol++) {
    const frequency = frequencies[symbol] as number;
    if (frequency === 0) continue;
    const count = Math.abs(counts[symbol] ?? 0);
    if (count === 0) return Infinity;
    bits += frequency * (log - Math.log2(count));
  }
  return bits;
}
