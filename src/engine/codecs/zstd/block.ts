/** Compressed blocks: literals and the sequences that weave them with matches. RFC 8878, 3.1.1.3. */
import { BLOCK_LIMIT, input, MARGIN, ZstdError } from './bits.ts';
import { emptyTable, fillSingle, readTable, type FseTable } from './fse.ts';
import { decodeFour, decodeStream, HuffmanTable } from './huffman.ts';
import { literals, literalsView, runSequences } from './sequences.ts';
import { LITERALS_CODE, MATCH_CODE, OFFSET_CODE, type CodeKind } from './tables.ts';

/** One of the three codes of sequences within a frame, and the room for a table of its own. */
interface Code {
  readonly kind: CodeKind;
  readonly own: FseTable;
  /** The one in use: its own, the predefined one, or none yet. */
  table: FseTable | undefined;
}

function codeOf(kind: CodeKind): Code {
  return { kind, own: emptyTable(kind.maxLog), table: undefined };
}

/** The tables of a frame, 20 KiB: one after the other can use the same. */
export class Tables {
  readonly huffman = new HuffmanTable();
  hasTree = false;
  readonly literals = codeOf(LITERALS_CODE);
  readonly offsets = codeOf(OFFSET_CODE);
  readonly matches = codeOf(MATCH_CODE);

  /** Forgets all: another frame begins. */
  clear(): void {
    this.hasTree = false;
    for (const code of [this.literals, this.offsets, this.matches]) code.table = undefined;
  }
}

/** What goes on from block to block within a frame. */
export class FrameState {
  readonly output: Uint8Array;
  /** The same bytes. */
  readonly view: DataView;
  /** Where the frame's content begins in `output`: nothing before it can be matched. */
  start: number;
  at: number;
  readonly windowSize: number;
  readonly tables: Tables;
  /** The three recent offsets. */
  readonly recent = Int32Array.of(1, 4, 8);

  /** @param tables cleared, and of no other frame that is not at its end */
  constructor(output: Uint8Array, start: number, windowSize: number, tables: Tables) {
    this.output = output;
    this.view = new DataView(output.buffer, output.byteOffset, output.byteLength);
    this.start = start;
    this.at = start;
    this.windowSize = windowSize;
    this.tables = tables;
  }
}

/** Decodes the compressed block `bytes[start..end)`, {@link BLOCK_LIMIT} at most, to its output. */
export function decodeBlock(
  state: FrameState,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  if (end - start > BLOCK_LIMIT) throw new ZstdError('no such block');
  input.set(bytes.subarray(start, end), MARGIN);
  const stop = MARGIN + end - start;
  const found = readLiterals(state.tables, MARGIN, stop);
  decodeSequences(state, found.end, stop, found.size);
}

/** How many literals there are in the buffer for them, and the byte behind their section. */
interface Literals {
  size: number;
  end: number;
}

/** 3.1.1.3.1, «Literals_Section_Header» and what follows it. */
function readLiterals(tables: Tables, start: number, end: number): Literals {
  const byte = (i: number): number => (start + i < end ? (input[start + i] as number) : cutShort());
  const head = byte(0);
  const type = head & 3;
  const format = (head >>> 2) & 3;
  if (type >= 2) return readPacked(tables, start, end, type === 3, format, byte);
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
    literals.set(input.subarray(at, at + size));
    return { size, end: at + size };
  }
  if (at >= end) cutShort();
  literals.fill(input[at] as number, 0, size);
  return { size, end: at + 1 };
}

function cutShort(): never {
  throw new ZstdError('block cut short');
}

/** Huffman coded literals; `treeless`: with the tree of the block before. */
function readPacked(
  tables: Tables,
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
    at = tables.huffman.read(at, after);
    tables.hasTree = true;
  }
  if (!tables.hasTree) throw new ZstdError('no tree to repeat');
  if (format === 0) decodeStream(tables.huffman, at, after, literals, 0, size);
  else decodeFour(tables.huffman, at, after, literals, literalsView, size);
  return { size, end: after };
}

/** 3.1.1.3.2, «Sequences_Section». */
function decodeSequences(state: FrameState, start: number, end: number, size: number): void {
  if (start >= end) cutShort();
  const first = input[start] as number;
  let at = start + 1;
  let count = first;
  if (first >= 128) {
    const long = first === 255;
    if (at + (long ? 2 : 1) > end) cutShort();
    const next = input[at] as number;
    count = long ? next + ((input[at + 1] as number) << 8) + 0x7f00 : ((first - 128) << 8) + next;
    at += long ? 2 : 1;
  }
  if (count === 0) {
    if (at !== end) throw new ZstdError('bytes behind the last sequence');
    const { output } = state;
    if (state.at + size > output.length) throw new ZstdError('more than a cluster');
    output.set(literals.subarray(0, size), state.at);
    state.at += size;
    return;
  }
  if (at >= end) cutShort();
  const modes = input[at++] as number;
  if ((modes & 3) !== 0) throw new ZstdError('reserved bits set');
  const { tables } = state;
  at = readCode(tables.literals, modes >>> 6, at, end);
  at = readCode(tables.offsets, (modes >>> 4) & 3, at, end);
  at = readCode(tables.matches, (modes >>> 2) & 3, at, end);
  const { literals: lengths, offsets, matches } = tables;
  if (lengths.table === undefined || offsets.table === undefined || matches.table === undefined) {
    cutShort();
  }
  const used = { literals: lengths.table, offsets: offsets.table, matches: matches.table };
  runSequences(state, used, at, end, count, size);
}

/** 3.1.1.3.2.1, the table of one code by its mode. Returns the byte behind it. */
function readCode(code: Code, mode: number, at: number, end: number): number {
  const { kind, own } = code;
  if (mode === 0) {
    code.table = kind.predefined;
    return at;
  }
  if (mode === 3) {
    if (code.table === undefined) throw new ZstdError('no table to repeat');
    return at;
  }
  code.table = own;
  if (mode === 2) return readTable(own, at, end, kind.maxLog, kind.maxSymbol, kind.extra);
  if (at >= end) cutShort();
  const symbol = input[at] as number;
  if (symbol > kind.maxSymbol) throw new ZstdError('no such code');
  fillSingle(own, symbol, kind.extra);
  return at + 1;
}
