/** Huffman coded literals, the writing side. RFC 8878, 4.2. */
import { BitWriter } from './bit-writer.ts';
import { chooseLog, FseEncoder, normalize, writeDistribution } from './fse-encoder.ts';

const MAX_BITS = 11;
/** The most that a description may take when it is packed itself, bytes. */
const MAX_DESCRIPTION = 127;
const WEIGHTS_LOG = 6;
/** With fewer literals one stream is less than four with their sizes. */
const ONE_STREAM = 256;

/** Codes for bytes, and how the reader learns of them. */
export interface HuffmanCode {
  /** Bits of each byte's code; 0 for bytes that do not occur. */
  readonly lengths: Uint8Array;
  readonly codes: Uint16Array;
  /** «Huffman tree description». */
  readonly description: Uint8Array;
}

/**
 * A code for these frequencies; undefined where none can be described (fewer than two bytes that
 * occur).
 */
export function makeCode(frequencies: Uint32Array): HuffmanCode | undefined {
  const lengths = codeLengths(frequencies);
  if (lengths === undefined) return undefined;
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  const last = lengths.findLastIndex((length) => length > 0);
  const weights = new Uint8Array(last + 1);
  for (let symbol = 0; symbol <= last; symbol++) {
    const length = lengths[symbol] as number;
    weights[symbol] = length === 0 ? 0 : longest + 1 - length;
  }
  const description = describe(weights.subarray(0, last));
  if (description === undefined) return undefined;
  return { lengths, codes: codesFor(weights, longest), description };
}

/** 4.2.1.3: codes rise with the weight, and among equals with the symbol. */
function codesFor(weights: Uint8Array, longest: number): Uint16Array {
  const codes = new Uint16Array(256);
  let at = 0;
  for (let weight = 1; weight <= longest; weight++) {
    for (let symbol = 0; symbol < weights.length; symbol++) {
      if (weights[symbol] !== weight) continue;
      codes[symbol] = at >>> (weight - 1);
      at += 1 << (weight - 1);
    }
  }
  return codes;
}

/** Lengths of an optimal prefix code, then shortened to what the format allows. */
function codeLengths(frequencies: Uint32Array): Uint8Array | undefined {
  const symbols: number[] = [];
  for (let symbol = 0; symbol < 256; symbol++) {
    if ((frequencies[symbol] as number) > 0) symbols.push(symbol);
  }
  if (symbols.length < 2) return undefined;
  symbols.sort((a, b) => (frequencies[a] as number) - (frequencies[b] as number));
  const depths = leafDepths(symbols.map((symbol) => frequencies[symbol] as number));
  limitDepths(depths);
  const lengths = new Uint8Array(256);
  for (const [index, symbol] of symbols.entries()) lengths[symbol] = depths[index] as number;
  return lengths;
}

/** Depths in a Huffman tree of leaves with rising weights: two queues, no heap. */
function leafDepths(weights: readonly number[]): number[] {
  const count = weights.length;
  const total = new Float64Array(2 * count - 1);
  const parent = new Int32Array(2 * count - 1);
  total.set(weights);
  let leaf = 0;
  let inner = count;
  for (let made = count; made < total.length; made++) {
    const take = (): number =>
      leaf < count && (inner >= made || (total[leaf] as number) <= (total[inner] as number))
        ? leaf++
        : inner++;
    const first = take();
    const second = take();
    total[made] = (total[first] as number) + (total[second] as number);
    parent[first] = made;
    parent[second] = made;
  }
  const depth = new Int32Array(total.length);
  for (let node = total.length - 2; node >= 0; node--) {
    depth[node] = (depth[parent[node] as number] as number) + 1;
  }
  return [...depth.subarray(0, count)];
}

/** Shortens what is too long and lengthens others, so that the code stays complete. */
function limitDepths(depths: number[]): void {
  const full = 1 << MAX_BITS;
  let used = 0;
  for (const [index, depth] of depths.entries()) {
    depths[index] = Math.min(depth, MAX_BITS);
    used += full >>> depths[index];
  }
  // The rarest come first: theirs cost least to lengthen.
  while (used > full) {
    const index = depths.findIndex((depth) => depth < MAX_BITS);
    used -= full >>> ((depths[index] as number) + 1);
    depths[index] = (depths[index] as number) + 1;
  }
  // The most frequent are the last: what is left over shortens theirs.
  for (let index = depths.length - 1; index >= 0 && used < full;) {
    const gain = full >>> (depths[index] as number);
    if (used + gain <= full && (depths[index] as number) > 1) {
      depths[index] = (depths[index] as number) - 1;
      used += gain;
    } else {
      index--;
    }
  }
}

/** 4.2.1: packed where that is shorter, else four bits each. The last weight is not written. */
function describe(weights: Uint8Array): Uint8Array | undefined {
  const packed = packWeights(weights);
  const plain = weights.length <= 128 ? 1 + ((weights.length + 1) >>> 1) : Infinity;
  if (packed !== undefined && packed.length + 1 < plain) {
    const description = new Uint8Array(packed.length + 1);
    description[0] = packed.length;
    description.set(packed, 1);
    return description;
  }
  if (plain === Infinity) return undefined;
  const description = new Uint8Array(plain);
  description[0] = 127 + weights.length;
  for (const [index, weight] of weights.entries()) {
    const at = 1 + (index >>> 1);
    const shift = (index & 1) === 0 ? 4 : 0;
    description[at] = (description[at] as number) | (weight << shift);
  }
  return description;
}

/** 4.2.1.2: two states take turns. */
function packWeights(weights: Uint8Array): Uint8Array | undefined {
  if (weights.length < 3) return undefined;
  const frequencies = new Uint32Array(MAX_BITS + 1);
  for (const weight of weights) frequencies[weight] = (frequencies[weight] as number) + 1;
  const distinct = frequencies.filter((count) => count > 0).length;
  if (distinct < 2) return undefined;
  const log = chooseLog(weights.length, distinct, WEIGHTS_LOG);
  const distribution = normalize(frequencies, weights.length, log);
  const encoder = new FseEncoder(distribution);
  const bits = new BitWriter(128);
  const states = [0, 0];
  for (let index = weights.length - 1; index >= 0; index--) {
    const which = index & 1;
    const weight = weights[index] as number;
    const isFirst = index >= weights.length - 2;
    states[which] = isFirst
      ? encoder.start(weight)
      : encoder.write(bits, states[which] as number, weight);
  }
  encoder.finish(bits, states[1] as number);
  encoder.finish(bits, states[0] as number);
  const head = writeDistribution(distribution);
  const body = bits.finishBackward();
  const length = head.length + body.length;
  if (length > MAX_DESCRIPTION) return undefined;
  const packed = new Uint8Array(length);
  packed.set(head);
  packed.set(body, head.length);
  return packed;
}

/** 4.2.2: the literals as one stream, or as four with the sizes of the first three before them. */
export function writeLiterals(literals: Uint8Array, code: HuffmanCode): Uint8Array[] {
  if (literals.length < ONE_STREAM) return [writeStream(literals, code)];
  const quarter = (literals.length + 3) >>> 2;
  const streams: Uint8Array[] = [];
  for (let at = 0; at < literals.length; at += quarter) {
    streams.push(writeStream(literals.subarray(at, at + quarter), code));
  }
  const sizes = new Uint8Array(6);
  const view = new DataView(sizes.buffer);
  for (let i = 0; i < 3; i++) view.setUint16(i * 2, (streams[i] as Uint8Array).length, true);
  return [sizes, ...streams];
}

/** Whether {@link writeLiterals} makes one stream of so many literals. */
export function isOneStream(count: number): boolean {
  return count < ONE_STREAM;
}

/** From the last to the first: it is read from its end. */
function writeStream(literals: Uint8Array, { lengths, codes }: HuffmanCode): Uint8Array {
  const bits = new BitWriter(literals.length + 8);
  for (let i = literals.length - 1; i >= 0; i--) {
    const literal = literals[i] as number;
    bits.add(codes[literal] as number, lengths[literal] as number);
  }
  return bits.finishBackward();
}
