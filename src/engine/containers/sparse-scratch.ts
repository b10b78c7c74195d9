import type { Storage } from '../storage/storage.ts';
import { DecodeFault } from './container.ts';

/** Shorter runs of zeros are written as they are, bytes. */
const HOLE = 4096;

/** What was unpacked so far, zeros left out: a scratch storage with holes. */
export class SparseScratch {
  readonly #storage: Storage;
  readonly #limit: number;
  #written = 0;

  /** @param limit bytes that may be written at most */
  constructor(storage: Storage, limit: number) {
    this.#storage = storage;
    this.#limit = limit;
  }

  /** Keeps bytes of a place that was not written before. @throws DecodeFault room; ImageError disk-full */
  async put(offset: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const start = firstData(bytes, at);
      at = nextHole(bytes, start);
      if (at > start) await this.#write(offset + start, bytes.subarray(start, at));
    }
  }

  async #write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#written += bytes.length;
    if (this.#written > this.#limit) throw new DecodeFault('room');
    await this.#storage.write(offset, bytes);
  }

  /** Fills `target` from `offset`; what was not written is zeros. */
  async get(offset: number, target: Uint8Array): Promise<void> {
    const there = Math.max(0, Math.min(target.length, this.#storage.size - offset));
    if (there > 0) await this.#storage.read(offset, target.subarray(0, there));
    target.fill(0, there);
  }

  close(): Promise<void> {
    return this.#storage.close();
  }
}

/** Where the first byte that is not zero lies, from `at` on, or just before it. */
function firstData(bytes: Uint8Array, at: number): number {
  let start = at;
  while (start < bytes.length && bytes[start] === 0) start++;
  // A few zeros are not worth a request of their own.
  return start - at < HOLE ? (start < bytes.length ? at : start) : start;
}

/** Where the next run of zeros begins that is long enough to be left out. */
function nextHole(bytes: Uint8Array, at: number): number {
  for (let from = at; from < bytes.length;) {
    const zero = bytes.indexOf(0, from);
    if (zero < 0) break;
    let end = zero;
    while (end < bytes.length && bytes[end] === 0) end++;
    if (end - zero >= HOLE) return zero;
    from = end;
  }
  return bytes.length;
}
