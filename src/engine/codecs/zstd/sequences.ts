/** The sequences of a block: literals, then a match, again and again. RFC 8878, 3.1.1.4. */
import { bitsAt, BLOCK_LIMIT, inputView, MARGIN, streamTop, ZstdError } from './bits.ts';
import {
  EXTRA_MASK,
  EXTRA_SHIFT,
  NEXT_MASK,
  NEXT_SHIFT,
  STATE_MASK,
  SYMBOL_SHIFT,
  type FseTable,
} from './fse.ts';
import { LITERALS_BASE, MATCH_BASE } from './tables.ts';

/** The literals of the block that is being decoded. */
export const literals = new Uint8Array(BLOCK_LIMIT + MARGIN);
export const literalsView = new DataView(literals.buffer);

/** Codes of offsets beyond this lead further back than any window. */
const LAST_OFFSET_CODE = 27;
/** Bits that one load has, wherever it begins. */
const ONE_LOAD = 25;
/** Copying by words writes this much too far at most, bytes. */
const SURPLUS = 16;
/** From this length on a call that copies is worth its price, bytes. */
const LONG_COPY = 256;

/** Where content goes, and what is known of what there is. */
export interface SequenceState {
  readonly output: Uint8Array;
  readonly view: DataView;
  readonly start: number;
  at: number;
  readonly windowSize: number;
  readonly recent: Int32Array;
}

/** The tables of the three codes. */
export interface SequenceTables {
  readonly literals: FseTable;
  readonly offsets: FseTable;
  readonly matches: FseTable;
}

/**
 * Decodes and runs `count` (one at least) sequences from the stream `input[from..end)`, then appends
 * what is left of the `size` literals.
 */
export function runSequences(
  state: SequenceState,
  tables: SequenceTables,
  from: number,
  end: number,
  count: number,
  size: number,
): void {
  const { output, view, recent, windowSize } = state;
  const llTable = tables.literals.entries;
  const ofTable = tables.offsets.entries;
  const mlTable = tables.matches.entries;
  const bottom = from * 8;
  let bit = streamTop(from, end) - tables.literals.log;
  let llEntry = llTable[bitsAt(bit, tables.literals.log)] as number;
  bit -= tables.offsets.log;
  let ofEntry = ofTable[bitsAt(bit, tables.offsets.log)] as number;
  bit -= tables.matches.log;
  let mlEntry = mlTable[bitsAt(bit, tables.matches.log)] as number;
  let { at } = state;
  let used = 0;
  for (let left = count; ; left--) {
    const llBits = (llEntry >>> EXTRA_SHIFT) & EXTRA_MASK;
    const mlBits = (mlEntry >>> EXTRA_SHIFT) & EXTRA_MASK;
    const ofBits = (ofEntry >>> EXTRA_SHIFT) & EXTRA_MASK;
    if (ofBits > LAST_OFFSET_CODE) throw new ZstdError('offset too far back');
    const bits = llBits + mlBits + ofBits;
    bit -= bits;
    if (bit < bottom) throw new ZstdError('too few bits');
    let copied = LITERALS_BASE[llEntry >>> SYMBOL_SHIFT] as number;
    let match = MATCH_BASE[mlEntry >>> SYMBOL_SHIFT] as number;
    let offset = 1 << ofBits;
    if (bits <= ONE_LOAD) {
      const word = inputView.getInt32(bit >>> 3, true) >>> (bit & 7);
      copied += word & ((1 << llBits) - 1);
      match += (word >>> llBits) & ((1 << mlBits) - 1);
      offset += (word >>> (llBits + mlBits)) & (offset - 1);
    } else {
      copied += bitsAt(bit, llBits);
      match += bitsAt(bit + llBits, mlBits);
      offset += longBitsAt(bit + llBits + mlBits, ofBits);
    }
    if (offset > 3) {
      offset -= 3;
      recent[2] = recent[1] as number;
      recent[1] = recent[0] as number;
      recent[0] = offset;
    } else {
      offset = recall(recent, copied === 0 ? offset + 1 : offset);
    }
    const next = at + copied;
    if (used + copied > size) throw new ZstdError('not enough literals');
    if (offset > next - state.start || offset > windowSize) throw new ZstdError('offset too far');
    if (next + match + SURPLUS <= output.length) {
      copyLiterals(output, view, at, used, copied);
      copyMatch(output, view, next, offset, match);
    } else {
      copySlowly(output, at, used, copied, offset, match);
    }
    used += copied;
    at = next + match;
    if (left === 1) break;
    const llNext = llEntry & STATE_MASK;
    const mlNext = mlEntry & STATE_MASK;
    const ofNext = ofEntry & STATE_MASK;
    // The three take 26 bits at most: one more than a load has.
    bit -= llNext;
    const ll = bitsAt(bit, llNext);
    bit -= mlNext + ofNext;
    const word = inputView.getInt32(bit >>> 3, true) >>> (bit & 7);
    llEntry = llTable[((llEntry >>> NEXT_SHIFT) & NEXT_MASK) + ll] as number;
    const ml = (word >>> ofNext) & ((1 << mlNext) - 1);
    const of = word & ((1 << ofNext) - 1);
    mlEntry = mlTable[((mlEntry >>> NEXT_SHIFT) & NEXT_MASK) + ml] as number;
    ofEntry = ofTable[((ofEntry >>> NEXT_SHIFT) & NEXT_MASK) + of] as number;
  }
  if (bit !== bottom) throw new ZstdError('sequences do not end where their stream does');
  if (at + size - used > output.length) throw new ZstdError('more than a cluster');
  output.set(literals.subarray(used, size), at);
  state.at = at + size - used;
}

/** As {@link bitsAt} for up to 31 bits. */
function longBitsAt(from: number, count: number): number {
  const half = count >>> 1;
  return bitsAt(from, half) + (bitsAt(from + half, count - half) << half);
}

/**
 * 3.1.1.5, «Repeat Offsets», but for what changes nothing.
 * @param which 1 to 4: the fourth is the first less one
 */
function recall(recent: Int32Array, which: number): number {
  const first = recent[0] as number;
  if (which === 1) return first;
  const offset = which === 4 ? first - 1 : (recent[which - 1] as number);
  if (offset === 0) throw new ZstdError('offset of zero');
  if (which > 2) recent[2] = recent[1] as number;
  recent[1] = first;
  recent[0] = offset;
  return offset;
}

/** Copies literals by words: up to {@link SURPLUS} bytes more than it should. */
function copyLiterals(
  output: Uint8Array,
  view: DataView,
  at: number,
  from: number,
  length: number,
): void {
  if (length >= LONG_COPY) {
    output.set(literals.subarray(from, from + length), at);
    return;
  }
  // Most are short: what is copied without asking costs less than a branch that is guessed wrong.
  view.setInt32(at, literalsView.getInt32(from, true), true);
  view.setInt32(at + 4, literalsView.getInt32(from + 4, true), true);
  for (let i = 8; i < length; i += 4) {
    view.setInt32(at + i, literalsView.getInt32(from + i, true), true);
  }
}

/** The same for a match, which may reach into what it makes. */
function copyMatch(
  output: Uint8Array,
  view: DataView,
  at: number,
  offset: number,
  length: number,
): void {
  const from = at - offset;
  if (offset >= 4) {
    view.setInt32(at, view.getInt32(from, true), true);
    view.setInt32(at + 4, view.getInt32(from + 4, true), true);
    view.setInt32(at + 8, view.getInt32(from + 8, true), true);
    if (length <= 12) return;
    if (length >= LONG_COPY && offset >= length) {
      output.copyWithin(at, from, from + length);
      return;
    }
    for (let i = 12; i < length; i += 4) {
      view.setInt32(at + i, view.getInt32(from + i, true), true);
    }
  } else if (offset === 1) {
    output.fill(output[from] as number, at, at + length);
  } else {
    for (let i = 0; i < length; i++) output[at + i] = output[from + i] as number;
  }
}

/** Both near the end of the output: not a byte too far. */
function copySlowly(
  output: Uint8Array,
  at: number,
  from: number,
  copied: number,
  offset: number,
  match: number,
): void {
  const next = at + copied;
  if (next + match > output.length) throw new ZstdError('more than a cluster');
  output.set(literals.subarray(from, from + copied), at);
  for (let i = next; i < next + match; i++) output[i] = output[i - offset] as number;
}
