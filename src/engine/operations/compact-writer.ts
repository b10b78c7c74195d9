/** Writing a file from front to back in long pieces. */
import { ImageError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { nonZeroRuns } from './zeros.ts';

/** Bytes that are written at once. */
const CAPACITY = 4 * 1024 * 1024;
/** Zeros of this length and alignment are left out: the file is new, and has a hole there. */
export const HOLE = 64 * 1024;

/** Writes a part of a new file that begins at `start` (bytes). */
export type WritePart = (
  target: Storage,
  start: number,
  passed: (bytes: number) => Promise<void>,
) => Promise<void>;

export class SequentialWriter {
  readonly #target: Storage;
  readonly #passed: (position: number) => Promise<void>;
  readonly #buffer = new Uint8Array(CAPACITY);
  #used = 0;
  #start: number;

  /**
   * @param target empty
   * @param start where to begin, bytes
   * @param passed called after each piece; the work stands still until it settles
   */
  constructor(target: Storage, start: number, passed: (position: number) => Promise<void>) {
    this.#target = target;
    this.#start = start;
    this.#passed = passed;
  }

  /** Where the next byte goes. */
  get position(): number {
    return this.#start + this.#used;
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const length = Math.min(bytes.length - done, CAPACITY - this.#used);
      this.#buffer.set(bytes.subarray(done, done + length), this.#used);
      this.#used += length;
      done += length;
      if (this.#used === CAPACITY) await this.#send();
    }
  }

  /** Zeros up to `position`. @throws ImageError internal: that has been passed already */
  async padTo(position: number): Promise<void> {
    if (position < this.position) {
      const reason = `wrote up to ${this.position} what ends at ${position}`;
      throw new ImageError('internal', { reason });
    }
    while (this.position < position) {
      const length = Math.min(position - this.position, CAPACITY - this.#used);
      this.#buffer.fill(0, this.#used, this.#used + length);
      this.#used += length;
      if (this.#used === CAPACITY) await this.#send();
    }
  }

  /**
   * Leaves the next part of the file to somebody who writes it in any order, all of it or what is
   * not zeros.
   * @param length of that part, bytes
   * @param write gets the file, where the part begins, and whom to tell how much is done, bytes
   */
  async leave(length: number, write: WritePart): Promise<void> {
    await this.#send();
    const start = this.#start;
    await write(this.#target, start, (bytes) => this.#passed(start + bytes));
    this.#start = start + length;
  }

  /** Writes the rest and gives the file its size. */
  async finish(size: number): Promise<void> {
    await this.padTo(size);
    await this.#send();
    if (this.#target.size !== size) await this.#target.resize(size);
  }

  async #send(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#used);
    for (const { start, end } of nonZeroRuns(bytes, this.#start, HOLE)) {
      await this.#target.write(this.#start + start, bytes.subarray(start, end));
    }
    this.#start += this.#used;
    this.#used = 0;
    await this.#passed(this.#start);
  }
}
