/** Compressed blocks, the writing side. RFC 8878, 3.1.1.3. */
import {
  LITERALS_BASE,
  LITERALS_BITS,
  LITERALS_COUNTS,
  MATCH_BASE,
  MATCH_BITS,
  MATCH_COUNTS,
  OFFSET_COUNTS,
} from '../tables.ts';
import { BitWriter } from './bit-writer.ts';
import {
  chooseLog,
  cost,
  type Distribution,
  FseEncoder,
  normalize,
  writeDistribution,
} from './fse-encoder.ts';
import { isOneStream, makeCode, writeLiterals } from './huffman-encoder.ts';
import type { Sequences } from './matches.ts';

/** «Compression_Modes» of a code. */
const MODE = { predefined: 0, single: 1, described: 2 } as const;

/** One of the three codes of a sequence. */
interface Kind {
  readonly predefined: Distribution;
  readonly maxLog: number;
}

const LITERALS: Kind = {
  predefined: { counts: Int16Array.from(LITERALS_COUNTS), log: 6 },
  maxLog: 9,
};
const OFFSETS: Kind = {
  predefined: { counts: Int16Array.from(OFFSET_COUNTS), log: 5 },
  maxLog: 8,
};
const MATCHES: Kind = {
  predefined: { counts: Int16Array.from(MATCH_COUNTS), log: 6 },
  maxLog: 9,
};

/** The content of a compressed block. */
export function encodeBlock(bytes: Uint8Array, start: number, end: number, found: Sequences) {
  const literals = collectLiterals(bytes, start, end, found);
  return join([...literalsSection(literals), ...sequencesSection(found)]);
}

/** Parts as one. */
export function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function collectLiterals(
  bytes: Uint8Array,
  start: number,
  end: number,
  found: Sequences,
): Uint8Array {
  const literals = new Uint8Array(end - start);
  let count = 0;
  let at = start;
  for (let i = 0; i < found.count; i++) {
    const length = found.literals[i] as number;
    literals.set(bytes.subarray(at, at + length), count);
    count += length;
    at += length + (found.matches[i] as number);
  }
  literals.set(bytes.subarray(at, end), count);
  return literals.subarray(0, count + end - at);
}

/** 3.1.1.3.1 */
function literalsSection(literals: Uint8Array): Uint8Array[] {
  const frequencies = new Uint32Array(256);
  for (const literal of literals) frequencies[literal] = (frequencies[literal] as number) + 1;
  if (literals.length > 1 && frequencies[literals[0] as number] === literals.length) {
    return [plainHead(1, literals.length), literals.subarray(0, 1)];
  }
  const raw = [plainHead(0, literals.length), literals];
  if (literals.length < 32) return raw;
  const code = makeCode(frequencies);
  if (code === undefined) return raw;
  const body = [code.description, ...writeLiterals(literals, code)];
  const packed = body.reduce((sum, part) => sum + part.length, 0);
  if (packed >= literals.length) return raw;
  return [packedHead(literals.length, packed), ...body];
}

/** For literals as they are (type 0) or one that is repeated (type 1). */
function plainHead(type: number, size: number): Uint8Array {
  if (size < 32) return Uint8Array.of(type | (size << 3));
  if (size < 4096) return Uint8Array.of(type | (1 << 2) | ((size & 15) << 4), size >>> 4);
  return Uint8Array.of(type | (3 << 2) | ((size & 15) << 4), (size >>> 4) & 255, size >>> 12);
}

/** For Huffman coded literals. */
function packedHead(size: number, packed: number): Uint8Array {
  const one = isOneStream(size);
  const largest = Math.max(size, packed);
  const [format, width] = largest < 1024 ? [one ? 0 : 1, 10] : largest < 16384 ? [2, 14] : [3, 18];
  const bits = new BitWriter(5);
  bits.add(2, 2);
  bits.add(format, 2);
  bits.add(size, width);
  bits.add(packed, width);
  return bits.finish();
}

/** 3.1.1.3.2 */
function sequencesSection(found: Sequences): Uint8Array[] {
  const { count } = found;
  if (count === 0) return [Uint8Array.of(0)];
  const head =
    count < 128
      ? Uint8Array.of(count)
      : count < 0x7f00
        ? Uint8Array.of((count >>> 8) + 128, count & 255)
        : Uint8Array.of(255, (count - 0x7f00) & 255, (count - 0x7f00) >>> 8);
  const codes = codesOf(found);
  const literals = new Coded(LITERALS, codes.literals);
  const offsets = new Coded(OFFSETS, codes.offsets);
  const matches = new Coded(MATCHES, codes.matches);
  const modes = (literals.mode << 6) | (offsets.mode << 4) | (matches.mode << 2);
  const bits = new BitWriter(count * 4 + 16);
  for (let i = count - 1; i >= 0; i--) {
    // From the last to the first, and each part in the reverse order: it is read from its end.
    offsets.write(bits, i);
    matches.write(bits, i);
    literals.write(bits, i);
    const literalsCode = codes.literals[i] as number;
    const matchCode = codes.matches[i] as number;
    const offsetCode = codes.offsets[i] as number;
    const literalsBase = LITERALS_BASE[literalsCode] as number;
    bits.add((found.literals[i] as number) - literalsBase, LITERALS_BITS[literalsCode] as number);
    const matchBase = MATCH_BASE[matchCode] as number;
    bits.add((found.matches[i] as number) - matchBase, MATCH_BITS[matchCode] as number);
    bits.add((found.offsets[i] as number) - 2 ** offsetCode, offsetCode);
  }
  matches.finish(bits);
  offsets.finish(bits);
  literals.finish(bits);
  const tables = [literals.description, offsets.description, matches.description];
  return [head, Uint8Array.of(modes), ...tables, bits.finishBackward()];
}

/** The codes of one kind, and the table that is chosen for them. */
class Coded {
  readonly mode: number;
  readonly description: Uint8Array;
  readonly #codes: Uint8Array;
  readonly #encoder: FseEncoder | undefined;
  #state = -1;

  constructor(kind: Kind, codes: Uint8Array) {
    this.#codes = codes;
    const frequencies = new Uint32Array(64);
    for (const code of codes) frequencies[code] = (frequencies[code] as number) + 1;
    const distinct = frequencies.filter((frequency) => frequency > 0).length;
    const predefined = cost(frequencies, kind.predefined);
    if (distinct === 1 && predefined > 8) {
      this.mode = MODE.single;
      this.description = codes.subarray(0, 1);
      return;
    }
    const own = distinct === 1 ? undefined : describe(kind, frequencies, codes.length, distinct);
    if (own !== undefined && own.bits < predefined) {
      this.mode = MODE.described;
      this.description = own.description;
      this.#encoder = new FseEncoder(own.distribution);
    } else {
      this.mode = MODE.predefined;
      this.description = new Uint8Array(0);
      this.#encoder = new FseEncoder(kind.predefined);
    }
  }

  /** The code of sequence `index`; the last sequence comes first and takes no bits. */
  write(bits: BitWriter, index: number): void {
    if (this.#encoder === undefined) return;
    const code = this.#codes[index] as number;
    this.#state =
      this.#state < 0 ? this.#encoder.start(code) : this.#encoder.write(bits, this.#state, code);
  }

  finish(bits: BitWriter): void {
    this.#encoder?.finish(bits, this.#state);
  }
}

function describe(kind: Kind, frequencies: Uint32Array, total: number, distinct: number) {
  const distribution = normalize(frequencies, total, chooseLog(total, distinct, kind.maxLog));
  const description = writeDistribution(distribution);
  const bits = cost(frequencies, distribution) + description.length * 8;
  return { distribution, description, bits };
}

function codesOf(found: Sequences) {
  const { count } = found;
  const literals = new Uint8Array(count);
  const matches = new Uint8Array(count);
  const offsets = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    literals[i] = codeOf(LITERALS_BASE, found.literals[i] as number);
    matches[i] = codeOf(MATCH_BASE, found.matches[i] as number);
    offsets[i] = 31 - Math.clz32(found.offsets[i] as number);
  }
  return { literals, matches, offsets };
}

/** The last code whose baseline is not above `value`. */
function codeOf(baselines: Uint32Array, value: number): number {
  let low = 0;
  let high = baselines.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((baselines[middle] as number) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
