/** Comparing bytes in memory. */
import { firstNonZero } from './zeros.ts';
import type { DiskPiece } from './pieces.ts';

/** Index of the first byte in which two buffers of one length differ; the length where none does. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const { length } = a;
  const lead = (4 - (a.byteOffset & 3)) & 3;
  // Words have to lie alike in both.
  if (length <= lead || ((a.byteOffset ^ b.byteOffset) & 3) !== 0) {
    return firstByte(a, b, 0, length);
  }
  const head = firstByte(a, b, 0, lead);
  if (head < lead) return head;
  const words = (length - lead) >>> 2;
  const x = new Int32Array(a.buffer, a.byteOffset + lead, words);
  const y = new Int32Array(b.buffer, b.byteOffset + lead, words);
  return firstByte(a, b, lead + 4 * firstWord(x, y, words), length);
}

function firstByte(a: Uint8Array, b: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && a[at] === b[at]) at += 1;
  return at;
}

/** Eight at a time: that many tests in a row are faster than as many turns of a loop. */
function firstWord(x: Int32Array, y: Int32Array, words: number): number {
  let at = 0;
  while (
    at + 8 <= words &&
    x[at] === y[at] &&
    x[at + 1] === y[at + 1] &&
    x[at + 2] === y[at + 2] &&
    x[at + 3] === y[at + 3] &&
    x[at + 4] === y[at + 4] &&
    x[at + 5] === y[at + 5] &&
    x[at + 6] === y[at + 6] &&
    x[at + 7] === y[at + 7]
  ) {
    at += 8;
  }
  while (at < words && x[at] === y[at]) at += 1;
  return at;
}

/** Compares two disks by their pieces, which are in guest order; what is not in any is zeros. */
export class PieceComparison {
  readonly #a: Side;
  readonly #b: Side;

  constructor(first: readonly DiskPiece[], second: readonly DiskPiece[]) {
    this.#a = new Side(first);
    this.#b = new Side(second);
  }

  /**
   * The first guest offset from `from` on in which the disks differ; undefined where none does
   * before `to`. No call may begin before an earlier one.
   */
  next(from: number, to: number): number | undefined {
    for (let at = from; at < to;) {
      const end = Math.min(to, this.#a.seek(at), this.#b.seek(at));
      const same = sameLength(this.#a.bytes(at, end), this.#b.bytes(at, end), end - at);
      if (same < end - at) return at + same;
      at = end;
    }
    return undefined;
  }
}

/** Bytes from the beginning on that are the same; undefined stands for zeros. */
function sameLength(a: Uint8Array | undefined, b: Uint8Array | undefined, length: number): number {
  if (a !== undefined && b !== undefined) return firstDifference(a, b);
  const one = a ?? b;
  return one === undefined ? length : firstNonZero(one, 0);
}

/** The pieces of one disk, from front to back. */
class Side {
  readonly #pieces: readonly DiskPiece[];
  #index = 0;

  constructor(pieces: readonly DiskPiece[]) {
    this.#pieces = pieces;
  }

  /** Where what is at `offset` ends: a piece, or the zeros in front of one. */
  seek(offset: number): number {
    for (; this.#index < this.#pieces.length; this.#index++) {
      const piece = this.#pieces[this.#index] as DiskPiece;
      const end = piece.offset + piece.bytes.length;
      if (end > offset) return piece.offset > offset ? piece.offset : end;
    }
    return Infinity;
  }

  /** After {@link seek} of the same offset: what is there up to `end`. */
  bytes(offset: number, end: number): Uint8Array | undefined {
    const piece = this.#pieces[this.#index];
    if (piece === undefined || piece.offset > offset) return undefined;
    return piece.bytes.subarray(offset - piece.offset, end - piece.offset);
  }
}
