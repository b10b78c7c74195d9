/** Huffman coded literals, the writing side. RFC 8878, 4.2. */
import { BitWriter, packed, packedView } from './bit-writer.ts';
import {
  chooseLog,
  emptyDistribution,
  FseEncoder,
  MOST_SYMBOLS,
  normalize,
  writeDistribution,
} from './fse-encoder.ts';

const MAX_BITS = 11;
/** The most that a description may take when it is packed itself, bytes. */
const MAX_DESCRIPTION = 127;
const WEIGHTS_LOG = 6;
/** With fewer literals one stream is less than four with their sizes. */
const ONE_STREAM = 256;

/** The code made last: for each byte, `code << 4 | its bits`. */
const codes = new Uint16Array(256);
const lengths = new Uint8Array(256);
const weights = new Uint8Array(256);

/**
 * Makes a code for these frequencies, to be written by {@link writeTree} and {@link writeLiterals}.
 * @returns how many bytes the literals take then, without the description; undefined where there is
 *   no code (fewer than two bytes that occur)
 */
export function makeCode(frequencies: Uint32Array): number | undefined {
  const longest = codeLengths(frequencies);
  if (longest === 0) return undefined;
  let bits = 0;
  for (let symbol = 0; symbol < 256; symbol++) {
    const length = lengths[symbol] as number;
    bits += length * (frequencies[symbol] as number);
    weights[symbol] = length === 0 ? 0 : longest + 1 - length;
  }
  fillCodes(longest);
  return (bits + 7) >>> 3;
}

const places = new Uint16Array(MAX_BITS + 2);

/** 4.2.1.3: codes rise with the weight, and among equals with the symbol. */
function fillCodes(longest: number): void {
  places.fill(0);
  for (let symbol = 0; symbol < 256; symbol++) {
    const weight = weights[symbol] as number;
    places[weight] = (places[weight] as number) + 1;
  }
  let at = 0;
  for (let weight = 1; weight <= longest; weight++) {
    const symbols = places[weight] as number;
    places[weight] = at;
    at = (at + symbols) >>> 1;
  }
  for (let symbol = 0; symbol < 256; symbol++) {
    const weight = weights[symbol] as number;
    if (weight === 0) continue;
    const code = places[weight] as number;
    places[weight] = code + 1;
    codes[symbol] = (code << 4) | (lengths[symbol] as number);
  }
}

/** Bytes that occur, the rarest first: `frequency << 8 | byte`. */
const order = new Uint32Array(256);
const depths = new Uint8Array(256);

/** Lengths of an optimal prefix code, then shortened to what the format allows. Returns the longest. */
function codeLengths(frequencies: Uint32Array): number {
  let count = 0;
  for (let symbol = 0; symbol < 256; symbol++) {
    const frequency = frequencies[symbol] as number;
    if (frequency > 0) order[count++] = (frequency << 8) | symbol;
  }
  if (count < 2) return 0;
  order.subarray(0, count).sort();
  leafDepths(count);
  limitDepths(count);
  lengths.fill(0);
  let longest = 0;
  for (let index = 0; index < count; index++) {
    const depth = depths[index] as number;
    lengths[(order[index] as number) & 255] = depth;
    if (depth > longest) longest = depth;
  }
  return longest;
}

const totals = new Uint32Array(512);
const parents = new Uint16Array(512);
const treeDepths = new Uint8Array(512);

/** Depths in a Huffman tree of leaves with rising weights: two queues, no heap. */
function leafDepths(count: number): void {
  const all = 2 * count - 1;
  for (let leaf = 0; leaf < count; leaf++) totals[leaf] = (order[leaf] as number) >>> 8;
  let leaf = 0;
  let inner = count;
  for (let made = count; made < all; made++) {
    let total = 0;
    for (let child = 0; child < 2; child++) {
      const isLeaf =
        leaf < count && (inner >= made || (totals[leaf] as number) <= (totals[inner] as number));
      const taken = isLeaf ? leaf++ : inner++;
      total += totals[taken] as number;
      parents[taken] = made;
    }
    totals[made] = total;
  }
  treeDepths[all - 1] = 0;
  for (let node = all - 2; node >= 0; node--) {
    treeDepths[node] = (treeDepths[parents[node] as number] as number) + 1;
  }
  depths.set(treeDepths.subarray(0, count));
}

/** Shortens what is too long and lengthens others, so that the code stays complete. */
function limitDepths(count: number): void {
  const full = 1 << MAX_BITS;
  let used = 0;
  for (let index = 0; index < count; index++) {
    const depth = Math.min(depths[index] as number, MAX_BITS);
    depths[index] = depth;
    used += full >>> depth;
  }
  // The rarest come first: theirs cost least to lengthen.
  for (let index = 0; used > full;) {
    const depth = depths[index] as number;
    if (depth === MAX_BITS) {
      index += 1;
    } else {
      used -= full >>> (depth + 1);
      depths[index] = depth + 1;
    }
  }
  // The most frequent are the last: what is left over shortens theirs.
  for (let index = count - 1; index >= 0 && used < full;) {
    const depth = depths[index] as number;
    const gain = full >>> depth;
    if (used + gain <= full && depth > 1) {
      depths[index] = depth - 1;
      used += gain;
    } else {
      index -= 1;
    }
  }
}

/**
 * 4.2.1, the description of the code: packed where that is shorter, else four bits for each weight.
 * The last weight is not written.
 * @returns the byte behind it; undefined where it cannot be described
 */
export function writeTree(at: number): number | undefined {
  let count = 255;
  while (weights[count] === 0) count--;
  const plain = count <= 128 ? 1 + ((count + 1) >>> 1) : Infinity;
  const end = packWeights(count, at + 1);
  const length = end - at - 1;
  if (length <= MAX_DESCRIPTION && length + 1 < plain) {
    packed[at] = length;
    return end;
  }
  if (plain === Infinity) return undefined;
  packed[at] = 127 + count;
  for (let i = 0; i < count; i += 2) {
    const second = i + 1 < count ? (weights[i + 1] as number) : 0;
    packed[at + 1 + (i >>> 1)] = ((weights[i] as number) << 4) | second;
  }
  return at + plain;
}

const weightFrequencies = new Uint32Array(MOST_SYMBOLS);
const distribution = emptyDistribution();
const encoder = new FseEncoder();

/** 4.2.1.2. Returns the byte behind it; Infinity where this way does not work. */
function packWeights(count: number, at: number): number {
  if (count < 3) return Infinity;
  weightFrequencies.fill(0);
  for (let i = 0; i < count; i++) {
    const weight = weights[i] as number;
    weightFrequencies[weight] = (weightFrequencies[weight] as number) + 1;
  }
  let distinct = 0;
  for (let weight = 0; weight <= MAX_BITS; weight++) {
    if ((weightFrequencies[weight] as number) > 0) distinct++;
  }
  if (distinct < 2) return Infinity;
  normalize(distribution, weightFrequencies, count, chooseLog(count, distinct, WEIGHTS_LOG));
  encoder.fill(distribution);
  const bits = new BitWriter(writeDistribution(distribution, at));
  let state = encoder.start(weights[count - 1] as number);
  let other = encoder.start(weights[count - 2] as number);
  for (let index = count - 3; index >= 0; index--) {
    const written = encoder.write(bits, state, weights[index] as number);
    state = other;
    other = written;
  }
  // The first weight was written last: the reader begins with it, so its state comes behind.
  encoder.finish(bits, state);
  encoder.finish(bits, other);
  return bits.finishBackward();
}

/** Whether {@link writeLiterals} makes one stream of so many literals. */
export function isOneStream(count: number): boolean {
  return count < ONE_STREAM;
}

/**
 * 4.2.2: the literals as one stream, or as four with the sizes of the first three before them.
 * Returns the byte behind them.
 */
export function writeLiterals(literals: Uint8Array, count: number, from: number): number {
  if (isOneStream(count)) return writeStream(literals, 0, count, from);
  const quarter = (count + 3) >>> 2;
  let at = from + 6;
  for (let i = 0; i < 4; i++) {
    const end = writeStream(literals, quarter * i, Math.min(count, quarter * (i + 1)), at);
    if (i < 3) packedView.setUint16(from + i * 2, end - at, true);
    at = end;
  }
  return at;
}

/** From the last to the first: it is read from its end. */
function writeStream(literals: Uint8Array, start: number, end: number, from: number): number {
  let at = from;
  let held = 0;
  let count = 0;
  let i = end - 1;
  for (; i > start; i -= 2) {
    const first = codes[literals[i] as number] as number;
    const second = codes[literals[i - 1] as number] as number;
    held |= (first >>> 4) << count;
    count += first & 15;
    held |= (second >>> 4) << count;
    count += second & 15;
    packedView.setInt32(at, held, true);
    at += count >>> 3;
    held >>>= count & 24;
    count &= 7;
  }
  if (i === start) {
    const last = codes[literals[i] as number] as number;
    held |= (last >>> 4) << count;
    count += last & 15;
  }
  // The mark of the end: 7 bits were left over, 11 added, and this one.
  held |= 1 << count;
  packedView.setInt32(at, held, true);
  return at + ((count + 8) >>> 3);
}
