import { ReadOnlyStorage } from '../storage/read-only.ts';
import { available } from '../storage/failures.ts';
import type { Storage } from '../storage/storage.ts';
import type { SparsePiece } from './tar-header.ts';

/** Where stored bytes of a sparse file belong. */
interface Placed extends SparsePiece {
  /** Where they lie in what is stored. */
  readonly stored: number;
}

/** A file of which only some ranges are stored; the others read as zeros. For reading. */
export class SparseStorage extends ReadOnlyStorage {
  readonly name: string;
  readonly size: number;
  readonly #stored: Storage;
  readonly #pieces: Placed[] = [];

  /** @param pieces in rising order, none over another, all within `size` (see {@link arePieces}) */
  constructor(stored: Storage, size: number, pieces: readonly SparsePiece[]) {
    super();
    this.name = stored.name;
    this.size = size;
    this.#stored = stored;
    let at = 0;
    for (const { offset, length } of pieces) {
      if (length > 0) this.#pieces.push({ offset, length, stored: at });
      at += length;
    }
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    const length = available(this.size, offset, target.length);
    let at = 0;
    for (let index = this.#indexAt(offset); at < length; index++) {
      const piece = this.#pieces[index];
      const start = piece === undefined ? length : piece.offset - offset;
      const hole = Math.min(length, Math.max(at, start));
      target.fill(0, at, hole);
      at = hole;
      if (piece === undefined || at >= length) break;
      const into = offset + at - piece.offset;
      const count = Math.min(length - at, piece.length - into);
      if (count <= 0) continue;
      await this.#stored.read(piece.stored + into, target.subarray(at, at + count));
      at += count;
    }
    return length;
  }

  override close(): Promise<void> {
    return this.#stored.close();
  }

  /** The first piece that ends behind `offset`. */
  #indexAt(offset: number): number {
    let low = 0;
    let high = this.#pieces.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const piece = this.#pieces[middle];
      if (piece !== undefined && piece.offset + piece.length <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Whether ranges can be those of a sparse file with so many bytes of which so many are stored. */
export function arePieces(pieces: readonly SparsePiece[], size: number, stored: number): boolean {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of pieces) {
    if (offset < end || offset + length > size) return false;
    end = offset + length;
    sum += length;
  }
  return sum <= stored;
}
