/** Bits in little-endian order, least significant first. RFC 8878, 4.1 and 4.2. */
import { BLOCK_LIMIT } from '../bits.ts';

/**
 * Where the block that is being encoded is put together. A match has four bytes at least, and no
 * sequence takes more than eleven: there is room for whatever comes, and for writing by words.
 */
export const packed = new Uint8Array(4 * BLOCK_LIMIT + 4096);
export const packedView = new DataView(packed.buffer);

/** Writes bits into {@link packed}. For what is not written by the thousands. */
export class BitWriter {
  #at: number;
  #held = 0;
  #count = 0;

  /** @param at the byte to begin with */
  constructor(at: number) {
    this.#at = at;
  }

  /** Adds the low `count` bits (at most 24) of `value`, whose other bits are zeros. */
  add(value: number, count: number): void {
    this.#held |= value << this.#count;
    this.#count += count;
    packedView.setInt32(this.#at, this.#held, true);
    this.#at += this.#count >>> 3;
    this.#held >>>= this.#count & 24;
    this.#count &= 7;
  }

  /** Fills the last byte with zeros; returns the byte behind it. */
  finish(): number {
    return this.#count > 0 ? this.#at + 1 : this.#at;
  }

  /** The same for a stream that is read from its end: a one says where that is. */
  finishBackward(): number {
    this.add(1, 1);
    return this.finish();
  }
}
