/** Huffman coded literals. RFC 8878, 4.2. */
import { BackwardBits, littleEndian, ZstdError } from './bits.ts';
import { buildTable, readDistribution } from './fse.ts';

const MAX_BITS = 11;
/** Table log of the code that packs the weights. */
const WEIGHTS_LOG = 6;

/** Indexed by the next `bits` bits: `symbol << 8 | length of its code`. */
export interface HuffmanTable {
  readonly bits: number;
  readonly entries: Uint16Array;
}

/** A tree as read, and the byte behind its description. */
export interface HuffmanTree {
  readonly table: HuffmanTable;
  readonly end: number;
}

/** 4.2.1, «Huffman tree description». */
export function readTree(bytes: Uint8Array, start: number, end: number): HuffmanTree {
  const head = start < end ? (bytes[start] as number) : -1;
  if (head < 0) throw new ZstdError('no tree');
  const weights = new Uint8Array(256);
  let count: number;
  let after: number;
  if (head >= 128) {
    count = head - 127;
    after = start + 1 + ((count + 1) >>> 1);
    if (after > end) throw new ZstdError('tree cut short');
    for (let i = 0; i < count; i++) {
      const byte = bytes[start + 1 + (i >>> 1)] as number;
      weights[i] = (i & 1) === 0 ? byte >>> 4 : byte & 15;
    }
  } else {
    after = start + 1 + head;
    if (after > end) throw new ZstdError('tree cut short');
    count = readWeights(bytes, start + 1, after, weights);
  }
  return { table: buildHuffman(weights, count), end: after };
}

/** 4.2.1.2: two states take turns until the bits run out. */
function readWeights(bytes: Uint8Array, start: number, end: number, weights: Uint8Array): number {
  const distribution = readDistribution(bytes, start, end, WEIGHTS_LOG, 255);
  const { log, symbol, bits, base } = buildTable(distribution.counts, distribution.log);
  const stream = new BackwardBits(bytes, distribution.end, end);
  let even = stream.read(log);
  let odd = stream.read(log);
  for (let count = 0; count < 254;) {
    weights[count++] = symbol[even] as number;
    even = (base[even] as number) + stream.read(bits[even] as number);
    if (stream.left < 0) {
      weights[count++] = symbol[odd] as number;
      return count;
    }
    weights[count++] = symbol[odd] as number;
    odd = (base[odd] as number) + stream.read(bits[odd] as number);
    if (stream.left < 0) {
      weights[count++] = symbol[even] as number;
      return count;
    }
  }
  throw new ZstdError('too many weights');
}

/** 4.2.1.3: the last weight makes the sum a power of two. */
function buildHuffman(weights: Uint8Array, count: number): HuffmanTable {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const weight = weights[i] as number;
    if (weight > MAX_BITS) throw new ZstdError('weight too large');
    if (weight > 0) sum += 1 << (weight - 1);
  }
  if (sum === 0 || count > 255) throw new ZstdError('no weights');
  const bits = 32 - Math.clz32(sum);
  const rest = (1 << bits) - sum;
  if (bits > MAX_BITS || (rest & (rest - 1)) !== 0) throw new ZstdError('weights do not add up');
  weights[count] = 32 - Math.clz32(rest);
  const entries = new Uint16Array(1 << bits);
  let at = 0;
  for (let weight = 1; weight <= bits; weight++) {
    for (let symbol = 0; symbol <= count; symbol++) {
      if (weights[symbol] !== weight) continue;
      const length = 1 << (weight - 1);
      entries.fill((symbol << 8) | (bits + 1 - weight), at, at + length);
      at += length;
    }
  }
  return { bits, entries };
}

/** 4.2.2: one stream; exactly `target.length` symbols and not a bit more. */
export function decodeStream(
  { bits: width, entries }: HuffmanTable,
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
): void {
  const stream = new BackwardBits(bytes, start, end);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const mask = (1 << width) - 1;
  let { left } = stream;
  let i = 0;
  // 24 bits hold two codes of 11 bits at most: one load for two symbols.
  for (const most = target.length - 1; i < most && left >= 24; i += 2) {
    const from = left - 24;
    const word = (littleEndian(view, start + (from >>> 3)) >>> (from & 7)) & 0xffffff;
    const first = entries[word >>> (24 - width)] as number;
    const length = first & 255;
    const second = entries[(word >>> (24 - width - length)) & mask] as number;
    target[i] = first >>> 8;
    target[i + 1] = second >>> 8;
    left -= length + (second & 255);
  }
  stream.left = left;
  for (; i < target.length; i++) {
    const entry = entries[stream.peek(width)] as number;
    target[i] = entry >>> 8;
    stream.left -= entry & 255;
  }
  if (stream.left !== 0) throw new ZstdError('literals do not end where their stream does');
}
