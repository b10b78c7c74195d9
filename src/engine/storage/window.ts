/** Reading a long table from front to back, a piece at a time. */
import { readPadded, type Storage } from './storage.ts';

/** Bytes that are at hand at once, if nobody asks for more. */
const WINDOW = 256 * 1024;

/** A view of a storage that moves on. Offsets are those of the table, bytes. */
export class ReadWindow {
  readonly #storage: Storage;
  readonly #offset: number;
  #bytes = new Uint8Array();
  #start = 0;

  /** @param offset where the table begins in the storage */
  constructor(storage: Storage, offset: number) {
    this.#storage = storage;
    this.#offset = offset;
  }

  /** Exactly `length` bytes from `at` on; what lies behind the end of the storage is zeros. */
  async read(at: number, length: number): Promise<Uint8Array> {
    const from = at - this.#start;
    if (from < 0 || from + length > this.#bytes.length) {
      this.#start = at;
      this.#bytes = await readPadded(this.#storage, this.#offset + at, this.#wanted(at, length));
    }
    return this.#bytes.subarray(at - this.#start, at - this.#start + length);
  }

  /** Not more than the storage has there, unless that was asked for. */
  #wanted(at: number, length: number): number {
    const left = this.#storage.size - this.#offset - at;
    return Math.max(length, Math.min(WINDOW, left));
  }
}
