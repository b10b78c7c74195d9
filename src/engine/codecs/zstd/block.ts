/** Compressed blocks: literals and the sequences that weave them with matches. RFC 8878, 3.1.1.3. */
import { BackwardBits, ZstdError } from './bits.ts';
import { buildTable, readDistribution, singleSymbol, type FseTable } from './fse.ts';
import { decodeStream, readTree, type HuffmanTable } from './huffman.ts';
import {
  LITERALS_BASE,
  LITERALS_BITS,
  LITERALS_CODE,
  MATCH_BASE,
  MATCH_BITS,
  MATCH_CODE,
  OFFSET_CODE,
  type CodeKind,
} from './tables.ts';

/** Bytes of content of one block at most. */
export const BLOCK_LIMIT = 128 * 1024;

/** What goes on from block to block within a frame. */
export class FrameState {
  readonly output: Uint8Array;
  /** Where the frame's content begins in `output`: nothing before it can be matched. */
  start: number;
  at: number;
  readonly windowSize: number;
  huffman: HuffmanTable | undefined;
  tables: (FseTable | undefined)[] = [undefined, undefined, undefined];
  /** The three recent offsets. */
  recent: [number, number, number] = [1, 4, 8];

  constructor(output: Uint8Array, start: number, windowSize: number) {
    this.output = output;
    this.start = start;
    this.at = start;
    this.windowSize = windowSize;
  }
}

const literalsBuffer = new Uint8Array(BLOCK_LIMIT);

/** Decodes the compressed block `bytes[start..end)` to `state.output`. */
export function decodeBlock(
  state: FrameState,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const literals = readLiterals(state, bytes, start, end);
  decodeSequences(state, bytes, literals.end, end, literals.content);
}

interface Literals {
  content: Uint8Array;
  end: number;
}

/** 3.1.1.3.1, «Literals_Section_Header» and what follows it. */
function readLiterals(state: FrameState, bytes: Uint8Array, start: number, end: number): Literals {
  const byte = (i: number): number => (start + i < end ? (bytes[start + i] as number) : cutShort());
  const head = byte(0);
  const type = head & 3;
  const format = (head >>> 2) & 3;
  if (type >= 2) return readPacked(state, bytes, start, end, type === 3, format, byte);
  let size: number;
  let at: number;
  if (format === 1) {
    size = (head >>> 4) | (byte(1) << 4);
    at = start + 2;
  } else if (format === 3) {
    size = (head >>> 4) | (byte(1) << 4) | (byte(2) << 12);
    at = start + 3;
  } else {
    size = head >>> 3;
    at = start + 1;
  }
  if (size > BLOCK_LIMIT) throw new ZstdError('too many literals');
  if (type === 0) {
    if (at + size > end) cutShort();
    return { content: bytes.subarray(at, at + size), end: at + size };
  }
  if (at >= end) cutShort();
  const content = literalsBuffer.subarray(0, size);
  content.fill(bytes[at] as number);
  return { content, end: at + 1 };
}

function cutShort(): never {
  throw new ZstdError('block cut short');
}

/** Huffman coded literals; `treeless`: with the tree of the block before. */
function readPacked(
  state: FrameState,
  bytes: Uint8Array,
  start: number,
  end: number,
  treeless: boolean,
  format: number,
  byte: (index: number) => number,
): Literals {
  // 10, 14 or 18 bits for each of the two sizes, behind four bits of type and format.
  const width = format < 2 ? 10 : format === 2 ? 14 : 18;
  const headBytes = format < 2 ? 3 : format === 2 ? 4 : 5;
  const low = byte(0) | (byte(1) << 8) | (byte(2) << 16);
  const word =
    (low >>> 4) + (headBytes > 3 ? byte(3) * 2 ** 20 : 0) + (headBytes > 4 ? byte(4) * 2 ** 28 : 0);
  const size = word % 2 ** width;
  const packed = Math.floor(word / 2 ** width);
  let at = start + headBytes;
  const after = at + packed;
  if (after > end || size > BLOCK_LIMIT) cutShort();
  if (!treeless) {
    const tree = readTree(bytes, at, after);
    state.huffman = tree.table;
    at = tree.end;
  }
  if (state.huffman === undefined) throw new ZstdError('no tree to repeat');
  const content = literalsBuffer.subarray(0, size);
  if (format === 0) decodeStream(state.huffman, bytes, at, after, content);
  else decodeFour(state.huffman, bytes, at, after, content);
  return { content, end: after };
}

/** 3.1.1.3.1.6: four streams behind a table of the sizes of the first three. */
function decodeFour(
  table: HuffmanTable,
  bytes: Uint8Array,
  start: number,
  end: number,
  content: Uint8Array,
): void {
  if (start + 6 > end) cutShort();
  const part = (content.length + 3) >>> 2;
  if (part * 3 > content.length) throw new ZstdError('too few literals for four streams');
  let at = start + 6;
  for (let i = 0; i < 4; i++) {
    const place = start + i * 2;
    const size = (bytes[place] as number) | ((bytes[place + 1] as number) << 8);
    const stop = i < 3 ? at + size : end;
    if (stop > end) cutShort();
    const target = content.subarray(part * i, i < 3 ? part * (i + 1) : content.length);
    decodeStream(table, bytes, at, stop, target);
    at = stop;
  }
}

/** 3.1.1.3.2, «Sequences_Section». */
function decodeSequences(
  state: FrameState,
  bytes: Uint8Array,
  start: number,
  end: number,
  literals: Uint8Array,
): void {
  if (start >= end) cutShort();
  const first = bytes[start] as number;
  let at = start + 1;
  let count = first;
  if (first >= 128) {
    const long = first === 255;
    if (at + (long ? 2 : 1) > end) cutShort();
    const next = bytes[at] as number;
    count = long ? next + ((bytes[at + 1] as number) << 8) + 0x7f00 : ((first - 128) << 8) + next;
    at += long ? 2 : 1;
  }
  if (count === 0) {
    if (at !== end) throw new ZstdError('bytes behind the last sequence');
    append(state, literals, 0, literals.length);
    return;
  }
  if (at >= end) cutShort();
  const modes = bytes[at++] as number;
  if ((modes & 3) !== 0) throw new ZstdError('reserved bits set');
  for (const [index, kind] of [LITERALS_CODE, OFFSET_CODE, MATCH_CODE].entries()) {
    at = readTable(state, index, kind, (modes >>> (6 - index * 2)) & 3, bytes, at, end);
  }
  runSequences(state, new BackwardBits(bytes, at, end), count, literals);
}

/** 3.1.1.3.2.1, the table of one code by its mode. Returns the byte behind it. */
function readTable(
  state: FrameState,
  index: number,
  kind: CodeKind,
  mode: number,
  bytes: Uint8Array,
  at: number,
  end: number,
): number {
  if (mode === 0) {
    state.tables[index] = kind.predefined;
    return at;
  }
  if (mode === 1) {
    if (at >= end) cutShort();
    const symbol = bytes[at] as number;
    if (symbol > kind.maxSymbol) throw new ZstdError('no such code');
    state.tables[index] = singleSymbol(symbol);
    return at + 1;
  }
  if (mode === 2) {
    const distribution = readDistribution(bytes, at, end, kind.maxLog, kind.maxSymbol);
    state.tables[index] = buildTable(distribution.counts, distribution.log);
    return distribution.end;
  }
  if (state.tables[index] === undefined) throw new ZstdError('no table to repeat');
  return at;
}

/** 3.1.1.4, «Sequence Execution». */
function runSequences(
  state: FrameState,
  stream: BackwardBits,
  count: number,
  literals: Uint8Array,
): void {
  const [literalsTable, offsetTable, matchTable] = state.tables;
  if (literalsTable === undefined || offsetTable === undefined || matchTable === undefined)
    cutShort();
  let ll = stream.read(literalsTable.log);
  let of = stream.read(offsetTable.log);
  let ml = stream.read(matchTable.log);
  let used = 0;
  for (let i = 0; i < count; i++) {
    const offsetCode = offsetTable.symbol[of] as number;
    const matchCode = matchTable.symbol[ml] as number;
    const literalsCode = literalsTable.symbol[ll] as number;
    const offsetValue = 2 ** offsetCode + stream.readLong(offsetCode);
    const match = (MATCH_BASE[matchCode] as number) + stream.read(MATCH_BITS[matchCode] as number);
    const copied =
      (LITERALS_BASE[literalsCode] as number) + stream.read(LITERALS_BITS[literalsCode] as number);
    if (used + copied > literals.length) throw new ZstdError('not enough literals');
    append(state, literals, used, copied);
    used += copied;
    copyMatch(state, resolveOffset(state, offsetValue, copied), match);
    if (i === count - 1) break;
    ll = (literalsTable.base[ll] as number) + stream.read(literalsTable.bits[ll] as number);
    ml = (matchTable.base[ml] as number) + stream.read(matchTable.bits[ml] as number);
    of = (offsetTable.base[of] as number) + stream.read(offsetTable.bits[of] as number);
  }
  if (stream.left !== 0) throw new ZstdError('sequences do not end where their stream does');
  append(state, literals, used, literals.length - used);
}

/** 3.1.1.5, «Repeat Offsets». */
function resolveOffset(state: FrameState, value: number, literalsCopied: number): number {
  const [first, second, third] = state.recent;
  if (value > 3) {
    state.recent = [value - 3, first, second];
    return value - 3;
  }
  const which = literalsCopied === 0 ? value + 1 : value;
  if (which === 1) return first;
  if (which === 2) {
    state.recent = [second, first, third];
    return second;
  }
  const offset = which === 3 ? third : first - 1;
  if (offset === 0) throw new ZstdError('offset of zero');
  state.recent = [offset, first, second];
  return offset;
}

function append(state: FrameState, source: Uint8Array, from: number, length: number): void {
  const { output, at } = state;
  if (at + length > output.length) throw new ZstdError('more than a cluster');
  if (length < 32) for (let i = 0; i < length; i++) output[at + i] = source[from + i] as number;
  else output.set(source.subarray(from, from + length), at);
  state.at = at + length;
}

function copyMatch(state: FrameState, offset: number, length: number): void {
  const { output, start } = state;
  let { at } = state;
  if (offset > at - start || offset > state.windowSize) throw new ZstdError('offset too far back');
  if (at + length > output.length) throw new ZstdError('more than a cluster');
  let from = at - offset;
  if (offset >= length && length >= 40) output.copyWithin(at, from, from + length);
  else for (const end = at + length; at < end;) output[at++] = output[from++] as number;
  state.at += length;
}
