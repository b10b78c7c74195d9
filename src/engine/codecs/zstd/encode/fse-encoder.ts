/** Finite State Entropy, the writing side. RFC 8878, 4.1. */
import { BitWriter } from './bit-writer.ts';

/** Symbols of any code that is written, at most. */
export const MOST_SYMBOLS = 64;
/** The largest log of any table. */
const MOST_LOG = 9;

/** How often each symbol is to be expected: counts that sum up to 2^log, -1 for «less than one». */
export interface Distribution {
  readonly counts: Int16Array;
  /** How many of `counts` there are. */
  symbols: number;
  log: number;
}

/** A distribution that is kept and filled again and again. */
export function emptyDistribution(): Distribution {
  return { counts: new Int16Array(MOST_SYMBOLS), symbols: 0, log: 0 };
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
export function normalize(
  distribution: Distribution,
  frequencies: Uint32Array,
  total: number,
  log: number,
): void {
  const size = 1 << log;
  const { counts } = distribution;
  let symbols = 0;
  let used = 0;
  let largest = 0;
  for (let symbol = 0; symbol < frequencies.length; symbol++) {
    const frequency = frequencies[symbol] as number;
    counts[symbol] = 0;
    if (frequency === 0) continue;
    const share = (frequency * size) / total;
    const count = share < 1 ? -1 : Math.round(share);
    counts[symbol] = count;
    used += Math.abs(count);
    symbols = symbol + 1;
    if (frequency > (frequencies[largest] as number)) largest = symbol;
  }
  // Rounding errors go where they weigh least.
  while (used !== size) {
    const step = used < size ? size - used : -1;
    const symbol = step > 0 ? largest : largestAboveOne(counts, symbols);
    counts[symbol] = (counts[symbol] as number) + step;
    used += step;
  }
  distribution.symbols = symbols;
  distribution.log = log;
}

function largestAboveOne(counts: Int16Array, symbols: number): number {
  let best = 0;
  for (let symbol = 1; symbol < symbols; symbol++) {
    if ((counts[symbol] as number) > (counts[best] as number)) best = symbol;
  }
  return best;
}

/** 4.1.1, «FSE table description», from byte `at` on. Returns the byte behind it. */
export function writeDistribution({ counts, symbols, log }: Distribution, at: number): number {
  const bits = new BitWriter(at);
  bits.add(log - 5, 4);
  let remaining = 1 << log;
  for (let symbol = 0; symbol < symbols && remaining > 0; symbol++) {
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

const next = new Uint16Array(MOST_SYMBOLS);
const spread = new Uint8Array(1 << MOST_LOG);

/** What is to be known of a distribution for writing symbols by it; kept and filled again. */
export class FseEncoder {
  log = 0;
  /** States by symbol, in the order in which the reader meets them. */
  readonly states = new Uint16Array(1 << MOST_LOG);
  /** A state and this make the number of bits it gives away when the symbol is written, times 2^16. */
  readonly bitsOf = new Int32Array(MOST_SYMBOLS);
  /** What is left of the state then, and this, is the place in `states` where it goes on. */
  readonly first = new Int32Array(MOST_SYMBOLS);

  fill(distribution: Distribution): void {
    const { counts, symbols, log } = distribution;
    this.log = log;
    const size = 1 << log;
    let total = 0;
    for (let symbol = 0; symbol < symbols; symbol++) {
      const count = Math.abs(counts[symbol] as number);
      next[symbol] = total;
      if (count === 0) continue;
      const most = count === 1 ? log : log - highBit(count - 1);
      this.bitsOf[symbol] = (most << 16) - (count << most);
      this.first[symbol] = total - count;
      total += count;
    }
    spreadSymbols(distribution);
    for (let state = 0; state < size; state++) {
      const symbol = spread[state] as number;
      const at = next[symbol] as number;
      next[symbol] = at + 1;
      this.states[at] = size + state;
    }
  }

  /** A code of one symbol takes no bits («RLE mode»). */
  fillSingle(symbol: number): void {
    this.log = 0;
    this.states[0] = 1;
    this.bitsOf[symbol] = -1;
    this.first[symbol] = -1;
  }

  /** A state that the reader takes for `symbol` without a bit of input. */
  start(symbol: number): number {
    const bitsOf = this.bitsOf[symbol] as number;
    const count = (bitsOf + (1 << 15)) >>> 16;
    const value = (count << 16) - bitsOf;
    return this.states[(value >>> count) + (this.first[symbol] as number)] as number;
  }

  /** Writes a symbol before the one that led to `state`; returns the state that leads to it. */
  write(bits: BitWriter, state: number, symbol: number): number {
    const count = (state + (this.bitsOf[symbol] as number)) >>> 16;
    bits.add(state & ((1 << count) - 1), count);
    return this.states[(state >>> count) + (this.first[symbol] as number)] as number;
  }

  /** Writes the state that the reader begins with. */
  finish(bits: BitWriter, state: number): void {
    bits.add(state & ((1 << this.log) - 1), this.log);
  }
}

/** Which symbol each state stands for: as the reader has it. */
function spreadSymbols({ counts, symbols, log }: Distribution): void {
  const size = 1 << log;
  let high = size;
  for (let symbol = 0; symbol < symbols; symbol++) {
    if (counts[symbol] === -1) spread[--high] = symbol;
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let position = 0;
  for (let symbol = 0; symbol < symbols; symbol++) {
    for (let i = counts[symbol] as number; i > 0; i--) {
      spread[position] = symbol;
      do position = (position + step) & (size - 1);
      while (position >= high);
    }
  }
}

const LOGARITHMS = Float64Array.from({ length: (1 << MOST_LOG) + 1 }, (_, n) => Math.log2(n));

/** About how many bits symbols of these frequencies take. */
export function cost(frequencies: Uint32Array, { counts, symbols, log }: Distribution): number {
  let bits = 0;
  for (let symbol = 0; symbol < frequencies.length; symbol++) {
    const frequency = frequencies[symbol] as number;
    if (frequency === 0) continue;
    const count = symbol < symbols ? Math.abs(counts[symbol] as number) : 0;
    if (count === 0) return Infinity;
    bits += frequency * (log - (LOGARITHMS[count] as number));
  }
  return bits;
}
