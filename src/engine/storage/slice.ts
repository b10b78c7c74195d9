import { ReadOnlyStorage } from './read-only.ts';
import { available } from './failures.ts';
import { modifiedOf, type Storage } from './storage.ts';

/**
 * A part of another storage as a storage of its own, for reading. Closing it leaves the whole
 * open: that belongs to whoever opened it.
 */
export class SliceStorage extends ReadOnlyStorage {
  readonly name: string;
  readonly #whole: Storage;
  readonly #offset: number;
  readonly #length: number;

  /** The `length` bytes of `whole` from `offset` on; what lies behind its end is not there. */
  constructor(whole: Storage, offset: number, length: number, name = whole.name) {
    super();
    this.name = name;
    this.#whole = whole;
    this.#offset = offset;
    this.#length = length;
  }

  get size(): number {
    return available(this.#whole.size, this.#offset, this.#length);
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    const length = available(this.size, offset, target.length);
    if (length === 0) return 0;
    return this.#whole.read(this.#offset + offset, target.subarray(0, length));
  }

  modified(): Promise<number | undefined> {
    return modifiedOf(this.#whole);
  }
}
