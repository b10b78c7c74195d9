/** Huffman coded literals. RFC 8878, 4.2. */
import { bitsAt, input, inputView, streamTop, ZstdError } from './bits.ts';
import { emptyTable, NEXT_MASK, NEXT_SHIFT, readTable, STATE_MASK, SYMBOL_SHIFT } from './fse.ts';

const MAX_BITS = 11;
/** Table log of the code that packs the weights. */
const WEIGHTS_LOG = 6;
/** With fewer literals than this, a table of pairs costs more than it saves. */
const WORTH_PAIRS = 2048;
/** Bits of a stream that have to be left for two steps of the fast loops. */
const TWO_STEPS = 2 * MAX_BITS;

/** A code, in a table that is kept and filled again and again. */
export class HuffmanTable {
  /** Bits of the index. */
  bits = 0;
  /** Indexed by the next `bits` bits: `symbol << 4 | length of its code`. */
  readonly entries = new Uint16Array(1 << MAX_BITS);
  /**
   * For the same index, the one or two symbols whose codes lie in it: the first (bits 0-7), the
   * second (8-15), the bits of both (16-19), and how many they are (20-21).
   */
  readonly pairs = new Int32Array(1 << MAX_BITS);
  #hasPairs = false;

  /** 4.2.1, «Huffman tree description», in the buffer of the block. Returns the byte behind it. */
  read(start: number, end: number): number {
    this.#hasPairs = false;
    const head = start < end ? (input[start] as number) : -1;
    if (head < 0) throw new ZstdError('no tree');
    const isPlain = head >= 128;
    let count = head - 127;
    const after = start + 1 + (isPlain ? (count + 1) >>> 1 : head);
    if (after > end) throw new ZstdError('tree cut short');
    if (isPlain) {
      for (let i = 0; i < count; i++) {
        const byte = input[start + 1 + (i >>> 1)] as number;
        weights[i] = (i & 1) === 0 ? byte >>> 4 : byte & 15;
      }
    } else {
      count = readWeights(start + 1, after);
    }
    this.bits = fillHuffman(this.entries, count);
    return after;
  }

  /** Makes sure that there are {@link pairs}. */
  needPairs(): Int32Array {
    const { entries, pairs, bits } = this;
    if (this.#hasPairs) return pairs;
    const mask = (1 << bits) - 1;
    for (let index = 0; index <= mask; index++) {
      const first = entries[index] as number;
      const length = first & 15;
      const second = entries[(index << length) & mask] as number;
      const both = length + (second & 15);
      pairs[index] =
        both <= bits
          ? (first >>> 4) | ((second >>> 4) << 8) | (both << 16) | (2 << 20)
          : (first >>> 4) | (length << 16) | (1 << 20);
    }
    this.#hasPairs = true;
    return pairs;
  }
}

const weights = new Uint8Array(256);
const weightsTable = emptyTable(WEIGHTS_LOG);
const NO_EXTRA = new Uint8Array(256);

/** 4.2.1.2: two states take turns until the bits run out. */
function readWeights(start: number, end: number): number {
  const from = readTable(weightsTable, start, end, WEIGHTS_LOG, 255, NO_EXTRA);
  const { log, entries } = weightsTable;
  const bottom = from * 8;
  let at = streamTop(from, end) - log;
  let state = bitsAbove(bottom, at, log);
  at -= log;
  let other = bitsAbove(bottom, at, log);
  for (let count = 0; count < 254;) {
    const entry = entries[state] as number;
    weights[count++] = entry >>> SYMBOL_SHIFT;
    at -= entry & STATE_MASK;
    if (at < bottom) {
      weights[count++] = (entries[other] as number) >>> SYMBOL_SHIFT;
      return count;
    }
    state = other;
    other = ((entry >>> NEXT_SHIFT) & NEXT_MASK) + bitsAt(at, entry & STATE_MASK);
  }
  throw new ZstdError('too many weights');
}

/** The `count` bits from `at` on; those before `bottom` read as zeros. */
function bitsAbove(bottom: number, at: number, count: number): number {
  const missing = bottom - at;
  if (missing <= 0) return bitsAt(at, count);
  return missing >= count ? 0 : bitsAt(bottom, count - missing) << missing;
}

/** The first place of each weight in the table. */
const places = new Uint16Array(MAX_BITS + 2);

/** 4.2.1.3: the last weight makes the sum a power of two. Returns the bits of the index. */
function fillHuffman(entries: Uint16Array, count: number): number {
  if (count > 255) throw new ZstdError('no weights');
  places.fill(0);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const weight = weights[i] as number;
    if (weight > MAX_BITS) throw new ZstdError('weight too large');
    if (weight === 0) continue;
    sum += 1 << (weight - 1);
    places[weight] = (places[weight] as number) + 1;
  }
  if (sum === 0) throw new ZstdError('no weights');
  const bits = 32 - Math.clz32(sum);
  const rest = (1 << bits) - sum;
  if (bits > MAX_BITS || (rest & (rest - 1)) !== 0) throw new ZstdError('weights do not add up');
  const last = 32 - Math.clz32(rest);
  weights[count] = last;
  places[last] = (places[last] as number) + 1;
  let at = 0;
  for (let weight = 1; weight <= bits; weight++) {
    const symbols = places[weight] as number;
    places[weight] = at;
    at += symbols << (weight - 1);
  }
  for (let symbol = 0; symbol <= count; symbol++) {
    const weight = weights[symbol] as number;
    if (weight === 0) continue;
    const entry = (symbol << 4) | (bits + 1 - weight);
    const from = places[weight] as number;
    const to = from + (1 << (weight - 1));
    places[weight] = to;
    for (let i = from; i < to; i++) entries[i] = entry;
  }
  return bits;
}

/**
 * 4.2.2: one stream of the block, `input[start..end)`, to `target[out..stop)`: exactly so many
 * symbols and not a bit more.
 */
export function decodeStream(
  table: HuffmanTable,
  start: number,
  end: number,
  target: Uint8Array,
  out: number,
  stop: number,
): void {
  finishStream(table, start * 8, streamTop(start, end), target, out, stop);
}

/** The rest of a stream: from bit `at` down to bit `bottom`. */
function finishStream(
  { bits: width, entries }: HuffmanTable,
  bottom: number,
  top: number,
  target: Uint8Array,
  out: number,
  stop: number,
): void {
  const shift = 32 - width;
  let at = top;
  let i = out;
  // 24 bits hold two codes of 11 bits at most: one load for two symbols.
  for (const most = stop - 1; i < most && at - bottom >= TWO_STEPS; i += 2) {
    const word = inputView.getInt32((at >>> 3) - 3, true) << (8 - (at & 7));
    const first = entries[word >>> shift] as number;
    const length = first & 15;
    const second = entries[(word << length) >>> shift] as number;
    target[i] = first >>> 4;
    target[i + 1] = second >>> 4;
    at -= length + (second & 15);
  }
  for (; i < stop && at > bottom; i++) {
    const word = inputView.getInt32((at >>> 3) - 3, true) << (8 - (at & 7));
    const entry = entries[word >>> shift] as number;
    target[i] = entry >>> 4;
    at -= entry & 15;
  }
  if (i !== stop || at !== bottom) {
    throw new ZstdError('literals do not end where their stream does');
  }
}

/** Where the four streams are, and where their symbols go. */
const ats = new Int32Array(4);
const outs = new Int32Array(4);
const bottoms = new Int32Array(4);
const stops = new Int32Array(4);

/** 3.1.1.3.1.6: four streams behind a table of the sizes of the first three. */
export function decodeFour(
  table: HuffmanTable,
  start: number,
  end: number,
  target: Uint8Array,
  targetView: DataView,
  size: number,
): void {
  if (start + 6 > end) throw new ZstdError('block cut short');
  const part = (size + 3) >>> 2;
  if (part * 3 > size) throw new ZstdError('too few literals for four streams');
  let at = start + 6;
  for (let i = 0; i < 4; i++) {
    const stop = i < 3 ? at + inputView.getUint16(start + i * 2, true) : end;
    if (stop > end) throw new ZstdError('block cut short');
    bottoms[i] = at * 8;
    ats[i] = streamTop(at, stop);
    outs[i] = part * i;
    stops[i] = i < 3 ? part * (i + 1) : size;
    at = stop;
  }
  if (size >= WORTH_PAIRS) decodePairs(table.needPairs(), table.bits, targetView);
  for (let i = 0; i < 4; i++) {
    finishStream(
      table,
      bottoms[i] as number,
      ats[i] as number,
      target,
      outs[i] as number,
      stops[i] as number,
    );
  }
}

/** How many turns of two steps in each stream are possible, whatever comes. */
function sureTurns(): number {
  let turns = Infinity;
  for (let i = 0; i < 4; i++) {
    const bits = (ats[i] as number) - (bottoms[i] as number);
    const room = (stops[i] as number) - (outs[i] as number);
    turns = Math.min(turns, Math.trunc(bits / TWO_STEPS), room >> 2);
  }
  return turns;
}

/** The four streams side by side, as far as none of them comes near its end. */
function decodePairs(pairs: Int32Array, width: number, target: DataView): void {
  const shift = 32 - width;
  for (let turns = sureTurns(); turns > 0; turns = sureTurns()) {
    let a = ats[0] as number;
    let b = ats[1] as number;
    let c = ats[2] as number;
    let d = ats[3] as number;
    let outA = outs[0] as number;
    let outB = outs[1] as number;
    let outC = outs[2] as number;
    let outD = outs[3] as number;
    for (; turns > 0; turns--) {
      const wordA = inputView.getInt32((a >>> 3) - 3, true) << (8 - (a & 7));
      const wordB = inputView.getInt32((b >>> 3) - 3, true) << (8 - (b & 7));
      const wordC = inputView.getInt32((c >>> 3) - 3, true) << (8 - (c & 7));
      const wordD = inputView.getInt32((d >>> 3) - 3, true) << (8 - (d & 7));
      const firstA = pairs[wordA >>> shift] as number;
      const firstB = pairs[wordB >>> shift] as number;
      const firstC = pairs[wordC >>> shift] as number;
      const firstD = pairs[wordD >>> shift] as number;
      target.setInt16(outA, firstA, true);
      target.setInt16(outB, firstB, true);
      target.setInt16(outC, firstC, true);
      target.setInt16(outD, firstD, true);
      outA += firstA >>> 20;
      outB += firstB >>> 20;
      outC += firstC >>> 20;
      outD += firstD >>> 20;
      const lengthA = (firstA >>> 16) & 15;
      const lengthB = (firstB >>> 16) & 15;
      const lengthC = (firstC >>> 16) & 15;
      const lengthD = (firstD >>> 16) & 15;
      const secondA = pairs[(wordA << lengthA) >>> shift] as number;
      const secondB = pairs[(wordB << lengthB) >>> shift] as number;
      const secondC = pairs[(wordC << lengthC) >>> shift] as number;
      const secondD = pairs[(wordD << lengthD) >>> shift] as number;
      target.setInt16(outA, secondA, true);
      target.setInt16(outB, secondB, true);
      target.setInt16(outC, secondC, true);
      target.setInt16(outD, secondD, true);
      outA += secondA >>> 20;
      outB += secondB >>> 20;
      outC += secondC >>> 20;
      outD += secondD >>> 20;
      a -= lengthA + ((secondA >>> 16) & 15);
      b -= lengthB + ((secondB >>> 16) & 15);
      c -= lengthC + ((secondC >>> 16) & 15);
      d -= lengthD + ((secondD >>> 16) & 15);
    }
    ats[0] = a;
    ats[1] = b;
    ats[2] = c;
    ats[3] = d;
    outs[0] = outA;
    outs[1] = outB;
    outs[2] = outC;
    outs[3] = outD;
  }
}
