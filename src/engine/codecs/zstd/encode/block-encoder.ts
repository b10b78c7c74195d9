/** Compressed blocks, the writing side. RFC 8878, 3.1.1.3. */
import { BLOCK_LIMIT } from '../bits.ts';
import {
  LITERALS_BASE,
  LITERALS_BITS,
  LITERALS_COUNTS,
  MATCH_BASE,
  MATCH_BITS,
  MATCH_COUNTS,
  OFFSET_COUNTS,
} from '../tables.ts';
import { packed, packedView } from './bit-writer.ts';
import {
  chooseLog,
  cost,
  type Distribution,
  emptyDistribution,
  FseEncoder,
  MOST_SYMBOLS,
  normalize,
  writeDistribution,
} from './fse-encoder.ts';
import { isOneStream, makeCode, writeLiterals, writeTree } from './huffman-encoder.ts';
import type { Sequences } from './matches.ts';
import { MOST_SEQUENCES } from './matches.ts';

/** «Compression_Modes» of a code. */
const MODE = { predefined: 0, single: 1, described: 2 } as const;
/** A copy by words reads and writes this much too far at most, bytes. */
const SURPLUS = 16;
/** From this length on a call that copies is worth its price, bytes. */
const LONG_COPY = 128;

const literals = new Uint8Array(BLOCK_LIMIT + SURPLUS);
const literalsView = new DataView(literals.buffer);
const frequencies = new Uint32Array(256);

/**
 * The content of a compressed block, from the beginning of {@link packed} on. Only one block is at
 * work at any time.
 * @returns its size, bytes
 */
export function encodeBlock(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  found: Sequences,
): number {
  const count = collectLiterals(bytes, view, start, end, found);
  return writeSequences(found, writeLiteralsSection(count));
}

/** Returns how many there are. */
function collectLiterals(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  found: Sequences,
): number {
  const last = bytes.length - SURPLUS;
  let count = 0;
  let at = start;
  for (let i = 0; i < found.count; i++) {
    const length = found.literals[i] as number;
    if (length > LONG_COPY || at + length > last) {
      literals.set(bytes.subarray(at, at + length), count);
    } else {
      for (let k = 0; k < length; k += 4) {
        literalsView.setInt32(count + k, view.getInt32(at + k, true), true);
      }
    }
    count += length;
    at += length + (found.matches[i] as number);
  }
  literals.set(bytes.subarray(at, end), count);
  return count + end - at;
}

/** 3.1.1.3.1. Returns the byte behind it. */
function writeLiteralsSection(count: number): number {
  frequencies.fill(0);
  for (let i = 0; i < count; i++) {
    const literal = literals[i] as number;
    frequencies[literal] = (frequencies[literal] as number) + 1;
  }
  let most = 0;
  for (let symbol = 0; symbol < 256; symbol++) {
    if ((frequencies[symbol] as number) > most) most = frequencies[symbol] as number;
  }
  if (most === count && count > 1) {
    const at = writePlainHead(1, count);
    packed[at] = literals[0] as number;
    return at + 1;
  }
  // Where no byte stands out, a code would gain nothing.
  const isFlat = most <= (count >>> 7) + 4;
  const end = count < 32 || isFlat ? undefined : writeCoded(count);
  if (end !== undefined) return end;
  const at = writePlainHead(0, count);
  packed.set(literals.subarray(0, count), at);
  return at + count;
}

/** For literals as they are (type 0) or one that is repeated (type 1). Returns the byte behind it. */
function writePlainHead(type: number, size: number): number {
  if (size < 32) {
    packed[0] = type | (size << 3);
    return 1;
  }
  if (size < 4096) {
    packedView.setUint16(0, type | (1 << 2) | (size << 4), true);
    return 2;
  }
  packedView.setInt32(0, type | (3 << 2) | (size << 4), true);
  return 3;
}

/** Huffman coded literals. Returns the byte behind them; undefined where nothing is gained. */
function writeCoded(count: number): number | undefined {
  const expected = makeCode(frequencies);
  const enough = count - (count >>> 6);
  if (expected === undefined || expected >= enough) return undefined;
  const headBytes = count < 1024 ? 3 : count < 16384 ? 4 : 5;
  const body = writeTree(headBytes);
  if (body === undefined || body + expected >= enough) return undefined;
  const end = writeLiterals(literals, count, body);
  const size = end - headBytes;
  if (size >= count) return undefined;
  const format = headBytes === 3 ? (isOneStream(count) ? 0 : 1) : headBytes - 2;
  const width = headBytes * 4 - 2;
  // Four bits and twice `width` of them.
  const head = 2 | (format << 2) | (count << 4) | (size << (width + 4));
  for (let i = 0; i < Math.min(4, headBytes); i++) packed[i] = head >>> (i * 8);
  if (headBytes > 4) packed[4] = size >>> 10;
  return end;
}

/** One of the three codes of a sequence, with what is kept for it. */
class Code {
  readonly predefined: Distribution;
  readonly maxLog: number;
  /** The codes of all sequences, and how often each occurs. */
  readonly codes = new Uint8Array(MOST_SEQUENCES);
  readonly frequencies = new Uint32Array(MOST_SYMBOLS);
  readonly #own = emptyDistribution();
  readonly #ownEncoder = new FseEncoder();
  readonly #predefinedEncoder = new FseEncoder();
  encoder = this.#predefinedEncoder;

  constructor(counts: readonly number[], log: number, maxLog: number) {
    this.predefined = { counts: Int16Array.from(counts), symbols: counts.length, log };
    this.maxLog = maxLog;
    this.#predefinedEncoder.fill(this.predefined);
  }

  /** Chooses a table and writes its description. Returns «Compression_Mode» and the byte behind it. */
  choose(count: number, at: number): [number, number] {
    const predefined = cost(this.frequencies, this.predefined);
    let distinct = 0;
    for (let code = 0; code < MOST_SYMBOLS; code++) {
      if ((this.frequencies[code] as number) > 0) distinct++;
    }
    if (distinct === 1 && predefined > 8) {
      const code = this.codes[0] as number;
      packed[at] = code;
      this.encoder = this.#ownEncoder;
      this.encoder.fillSingle(code);
      return [MODE.single, at + 1];
    }
    if (distinct > 1) {
      const own = this.#own;
      normalize(own, this.frequencies, count, chooseLog(count, distinct, this.maxLog));
      const end = writeDistribution(own, at);
      if (cost(this.frequencies, own) + (end - at) * 8 < predefined) {
        this.encoder = this.#ownEncoder;
        this.encoder.fill(own);
        return [MODE.described, end];
      }
    }
    this.encoder = this.#predefinedEncoder;
    return [MODE.predefined, at];
  }
}

const literalsCode = new Code(LITERALS_COUNTS, 6, 9);
const offsetsCode = new Code(OFFSET_COUNTS, 5, 8);
const matchesCode = new Code(MATCH_COUNTS, 6, 9);

/** Codes of lengths by length, as far as these tables go; above, each power of two has its own. */
const LITERALS_CODES = codesBelow(64, LITERALS_BASE);
const MATCH_CODES = codesBelow(131, MATCH_BASE);
const LONG_LITERALS = 25 - 6;
const LONG_MATCHES = 43 - 7;

function codesBelow(limit: number, baselines: Uint32Array): Uint8Array {
  return Uint8Array.from({ length: limit }, (_, value) =>
    Math.max(
      0,
      baselines.findLastIndex((base) => base <= value),
    ),
  );
}

function findCodes(found: Sequences): void {
  const codes = [literalsCode.codes, offsetsCode.codes, matchesCode.codes] as const;
  const [literalsCodes, offsetsCodes, matchesCodes] = codes;
  for (const code of [literalsCode, offsetsCode, matchesCode]) code.frequencies.fill(0);
  for (let i = 0; i < found.count; i++) {
    const length = found.literals[i] as number;
    const match = found.matches[i] as number;
    const ll =
      length < 64 ? (LITERALS_CODES[length] as number) : 31 - Math.clz32(length) + LONG_LITERALS;
    const ml =
      match < 131 ? (MATCH_CODES[match] as number) : 31 - Math.clz32(match - 3) + LONG_MATCHES;
    const of = 31 - Math.clz32(found.offsets[i] as number);
    literalsCodes[i] = ll;
    matchesCodes[i] = ml;
    offsetsCodes[i] = of;
    literalsCode.frequencies[ll] = (literalsCode.frequencies[ll] as number) + 1;
    matchesCode.frequencies[ml] = (matchesCode.frequencies[ml] as number) + 1;
    offsetsCode.frequencies[of] = (offsetsCode.frequencies[of] as number) + 1;
  }
}

/** 3.1.1.3.2. Returns the byte behind it. */
function writeSequences(found: Sequences, from: number): number {
  const { count } = found;
  let at = from;
  if (count < 128) {
    packed[at++] = count;
  } else if (count < 0x7f00) {
    packed[at++] = (count >>> 8) + 128;
    packed[at++] = count;
  } else {
    packed[at++] = 255;
    packedView.setUint16(at, count - 0x7f00, true);
    at += 2;
  }
  if (count === 0) return at;
  findCodes(found);
  const modesAt = at++;
  const [literalsMode, afterLiterals] = literalsCode.choose(count, at);
  const [offsetsMode, afterOffsets] = offsetsCode.choose(count, afterLiterals);
  const [matchesMode, end] = matchesCode.choose(count, afterOffsets);
  packed[modesAt] = (literalsMode << 6) | (offsetsMode << 4) | (matchesMode << 2);
  return writeStream(found, end);
}

/** The stream of all sequences. Returns the byte behind it. */
function writeStream(found: Sequences, from: number): number {
  const { codes: llCodes, encoder: llEncoder } = literalsCode;
  const { codes: ofCodes, encoder: ofEncoder } = offsetsCode;
  const { codes: mlCodes, encoder: mlEncoder } = matchesCode;
  const { states: llStates, bitsOf: llBitsOf, first: llFirst } = llEncoder;
  const { states: ofStates, bitsOf: ofBitsOf, first: ofFirst } = ofEncoder;
  const { states: mlStates, bitsOf: mlBitsOf, first: mlFirst } = mlEncoder;
  const last = found.count - 1;
  let ll = llEncoder.start(llCodes[last] as number);
  let of = ofEncoder.start(ofCodes[last] as number);
  let ml = mlEncoder.start(mlCodes[last] as number);
  let at = from;
  let held = 0;
  let count = 0;
  // From the last to the first, and each part in the reverse order: it is read from its end. Less
  // than a byte is held before each part, and no part has more than 24 bits.
  for (let i = last; i >= 0; i--) {
    const llCode = llCodes[i] as number;
    const ofCode = ofCodes[i] as number;
    const mlCode = mlCodes[i] as number;
    if (i !== last) {
      const ofBits = (of + (ofBitsOf[ofCode] as number)) >>> 16;
      held |= (of & ((1 << ofBits) - 1)) << count;
      count += ofBits;
      of = ofStates[(of >>> ofBits) + (ofFirst[ofCode] as number)] as number;
      const mlBits = (ml + (mlBitsOf[mlCode] as number)) >>> 16;
      held |= (ml & ((1 << mlBits) - 1)) << count;
      count += mlBits;
      ml = mlStates[(ml >>> mlBits) + (mlFirst[mlCode] as number)] as number;
      packedView.setInt32(at, held, true);
      at += count >>> 3;
      held >>>= count & 24;
      count &= 7;
      const llBits = (ll + (llBitsOf[llCode] as number)) >>> 16;
      held |= (ll & ((1 << llBits) - 1)) << count;
      count += llBits;
      ll = llStates[(ll >>> llBits) + (llFirst[llCode] as number)] as number;
    }
    const llExtra = LITERALS_BITS[llCode] as number;
    if (llExtra > 8) {
      packedView.setInt32(at, held, true);
      at += count >>> 3;
      held >>>= count & 24;
      count &= 7;
    }
    held |= ((found.literals[i] as number) - (LITERALS_BASE[llCode] as number)) << count;
    count += llExtra;
    packedView.setInt32(at, held, true);
    at += count >>> 3;
    held >>>= count & 24;
    count &= 7;
    held |= ((found.matches[i] as number) - (MATCH_BASE[mlCode] as number)) << count;
    count += MATCH_BITS[mlCode] as number;
    packedView.setInt32(at, held, true);
    at += count >>> 3;
    held >>>= count & 24;
    count &= 7;
    held |= ((found.offsets[i] as number) - (1 << ofCode)) << count;
    count += ofCode;
    packedView.setInt32(at, held, true);
    at += count >>> 3;
    held >>>= count & 24;
    count &= 7;
  }
  return finishStream(at, held, count, [
    [ml, mlEncoder.log],
    [of, ofEncoder.log],
    [ll, llEncoder.log],
  ]);
}

/** The states that the reader begins with, and the mark of the end. Returns the byte behind it. */
function finishStream(
  from: number,
  bits: number,
  bitsHeld: number,
  states: readonly (readonly [state: number, log: number])[],
): number {
  let at = from;
  let held = bits;
  let count = bitsHeld;
  for (const [state, log] of states) {
    held |= (state & ((1 << log) - 1)) << count;
    count += log;
    packedView.setInt32(at, held, true);
    at += count >>> 3;
    held >>>= count & 24;
    count &= 7;
  }
  packed[at] = held | (1 << count);
  return at + 1;
}
