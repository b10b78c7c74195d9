/** LZFSE, Apple's own: blocks of bytes as they are, of LZVN, and of matches in entropy codes. */
import type { DecompressResult } from '../inflate.ts';
import { StreamFault } from '../stream-decoder.ts';
import { resultOf } from '../stream-result.ts';
import { parseV1, parseV2, type BlockHeader } from './block-header.ts';
import { unpackLzvn } from './lzvn.ts';
import { Output } from './output.ts';
import { BackwardBits, D_VALUES, L_VALUES, LITERALS, M_VALUES, StateTable } from './tables.ts';

/** `bvx` and one more character. */
const MAGIC = 0x787662;
const KIND = { end: 0x24, plain: 0x2d, v1: 0x31, v2: 0x32, lzvn: 0x6e } as const;

/** The literals of a block: four streams of states take turns. */
function unpackLiterals(packed: Uint8Array, header: BlockHeader): Uint8Array {
  const table = new StateTable(LITERALS, header.frequencies[3] ?? []);
  const bits = new BackwardBits(packed, header.literalSpare);
  const states = Uint16Array.from(header.literalStates);
  const literals = new Uint8Array(header.literals);
  for (let i = 0; i < literals.length; i++) {
    const state = states[i & 3] as number;
    literals[i] = table.symbol(state);
    states[i & 3] = table.next(state, bits);
  }
  return literals;
}

/** One of the three numbers of a match, with its state. */
class Numbers {
  readonly #table: StateTable;
  readonly #bits: BackwardBits;
  #state: number;

  constructor(table: StateTable, state: number, bits: BackwardBits) {
    this.#table = table;
    this.#state = state;
    this.#bits = bits;
  }

  next(): number {
    const state = this.#state;
    this.#state = this.#table.next(state, this.#bits);
    return this.#table.value(state, this.#bits);
  }
}

/** Unpacks a block of matches; returns how many bytes it takes. */
function unpackMatches(packed: Uint8Array, header: BlockHeader, output: Output): number {
  const { length, literalBytes, matchBytes, matches, rawBytes } = header;
  const matchStart = length + literalBytes;
  const end = matchStart + matchBytes;
  if (end > packed.length) throw new StreamFault('short', 'block');
  const literals = unpackLiterals(packed.subarray(length, matchStart), header);
  const bits = new BackwardBits(packed.subarray(matchStart, end), header.matchSpare);
  const [l, m, d] = [L_VALUES, M_VALUES, D_VALUES].map(
    (kind, index) =>
      new Numbers(
        new StateTable(kind, header.frequencies[index] ?? []),
        header.states[index] ?? 0,
        bits,
      ),
  ) as [Numbers, Numbers, Numbers];
  const start = output.at;
  let literal = 0;
  let distance = 0;
  for (let i = 0; i < matches; i++) {
    const literalCount = l.next();
    const matchLength = m.next();
    distance = d.next() || distance;
    if (literal + literalCount > literals.length) throw new StreamFault('corrupt', 'literals');
    output.plain(literals, literal, literalCount);
    literal += literalCount;
    if (distance === 0 || distance > output.at) throw new StreamFault('corrupt', 'distance');
    if (matchLength > 0) output.repeat(distance, matchLength);
  }
  if (output.at - start !== rawBytes) throw new StreamFault('corrupt', 'block size');
  return end;
}

/** Unpacks the block at the beginning of `packed`; returns how many bytes it takes, 0: the end. */
function unpackBlock(packed: Uint8Array, output: Output): number {
  if (packed.length < 4) throw new StreamFault('short', 'block');
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const magic = view.getUint32(0, true);
  const kind = magic >>> 24;
  if ((magic & 0xffffff) !== MAGIC) throw new StreamFault('corrupt', 'magic');
  if (kind === KIND.end) return 0;
  if (kind === KIND.v1) return unpackMatches(packed, parseV1(packed), output);
  if (kind === KIND.v2) return unpackMatches(packed, parseV2(packed), output);
  if (kind !== KIND.plain && kind !== KIND.lzvn) throw new StreamFault('corrupt', 'magic');
  const header = kind === KIND.plain ? 8 : 12;
  if (packed.length < header) throw new StreamFault('short', 'block');
  const rawBytes = view.getUint32(4, true);
  const end = header + (kind === KIND.plain ? rawBytes : view.getUint32(8, true));
  if (end > packed.length) throw new StreamFault('short', 'block');
  const start = output.at;
  if (kind === KIND.plain) output.plain(packed, header, rawBytes);
  else unpackLzvn(packed.subarray(header, end), output);
  if (output.at - start !== rawBytes) throw new StreamFault('corrupt', 'block size');
  return end;
}

function unpackInto(packed: Uint8Array, target: Uint8Array): DecompressResult {
  const output = new Output(target);
  let at = 0;
  for (;;) {
    const length = unpackBlock(packed.subarray(at), output);
    if (length === 0) return output.at === target.length ? 'ok' : 'short';
    at += length;
  }
}

/** Unpacks an LZFSE stream, which has to fill `target` and no more. What follows is ignored. */
export function unlzfseCluster(packed: Uint8Array, target: Uint8Array): DecompressResult {
  return resultOf(() => unpackInto(packed, target));
}
