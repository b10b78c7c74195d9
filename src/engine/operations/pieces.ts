/** Guest bytes where they were read: views of the buffers that the media brought, without a copy. */

/** Bytes from a guest offset on. */
export interface DiskPiece {
  readonly offset: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Bytes that buffers may hold beyond twice what was asked for: reads take gaps along. */
const SLACK = 1024 * 1024;

/** Takes what comes from a read, in any order. */
export class PieceList {
  readonly #pieces: DiskPiece[] = [];
  readonly #buffers = new Set<ArrayBuffer>();
  /** Bytes that may still be held. */
  #room: number;

  /** @param length of all that is read, bytes: what is held is at most about three times as much */
  constructor(length: number) {
    this.#room = 2 * length + SLACK;
  }

  add(offset: number, bytes: Uint8Array<ArrayBuffer>): void {
    const { buffer } = bytes;
    if (this.#buffers.has(buffer)) {
      this.#pieces.push({ offset, bytes });
    } else if (buffer.byteLength <= this.#room) {
      this.#room -= buffer.byteLength;
      this.#buffers.add(buffer);
      this.#pieces.push({ offset, bytes });
    } else {
      // A little out of a large buffer would keep all of that.
      this.#pieces.push({ offset, bytes: bytes.slice() });
    }
  }

  /** All of them in guest order; what lies side by side in one buffer is one piece. */
  inOrder(): DiskPiece[] {
    const sorted = this.#pieces;
    if (!isSorted(sorted)) sorted.sort((a, b) => a.offset - b.offset);
    const merged: DiskPiece[] = [];
    let last: DiskPiece | undefined;
    for (const piece of sorted) {
      const joined: DiskPiece | undefined = last && join(last, piece);
      if (joined === undefined) merged.push(piece);
      else merged[merged.length - 1] = joined;
      last = joined ?? piece;
    }
    return merged;
  }
}

function isSorted(pieces: readonly DiskPiece[]): boolean {
  let end = -1;
  for (const { offset } of pieces) {
    if (offset < end) return false;
    end = offset;
  }
  return true;
}

function join(a: DiskPiece, b: DiskPiece): DiskPiece | undefined {
  const { buffer, byteOffset, length } = a.bytes;
  if (buffer !== b.bytes.buffer || a.offset + length !== b.offset) return undefined;
  if (byteOffset + length !== b.bytes.byteOffset) return undefined;
  return { offset: a.offset, bytes: new Uint8Array(buffer, byteOffset, length + b.bytes.length) };
}

/** Hands out stretches of pieces, from front to back; what lies between pieces is zeros. */
export class PieceReader {
  readonly #pieces: readonly DiskPiece[];
  #index = 0;
  #scratch: Uint8Array<ArrayBuffer> | undefined;

  /** @param pieces in guest order */
  constructor(pieces: readonly DiskPiece[]) {
    this.#pieces = pieces;
  }

  /**
   * The bytes from `from` to `to`, which must not lie before those of the last call. Valid until the
   * next one.
   */
  part(from: number, to: number): Uint8Array<ArrayBuffer> {
    let piece = this.#pieces[this.#index];
    while (piece !== undefined && piece.offset + piece.bytes.length <= from) {
      this.#index += 1;
      piece = this.#pieces[this.#index];
    }
    if (piece !== undefined && piece.offset <= from && to <= piece.offset + piece.bytes.length) {
      return piece.bytes.subarray(from - piece.offset, to - piece.offset);
    }
    return this.#assembled(from, to);
  }

  #assembled(from: number, to: number): Uint8Array<ArrayBuffer> {
    const length = to - from;
    if (this.#scratch === undefined || this.#scratch.length < length) {
      this.#scratch = new Uint8Array(length);
    }
    const part = this.#scratch.subarray(0, length);
    let done = 0;
    for (let index = this.#index; index < this.#pieces.length; index++) {
      const { offset, bytes } = this.#pieces[index] as DiskPiece;
      if (offset >= to) break;
      const start = Math.max(0, offset - from);
      part.fill(0, done, start);
      const taken = bytes.subarray(Math.max(0, from - offset), to - offset);
      part.set(taken, start);
      done = start + taken.length;
    }
    part.fill(0, done);
    return part;
  }
}
