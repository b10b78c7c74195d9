import type { Storage } from '../storage/storage.ts';
import { DecodeFault } from './container.ts';

/** Bytes that are read at once: small reads of a picked file are slow. */
const PIECE = 1024 * 1024;

/** A range of a storage, read from the front to the end by a decoder. */
export class RangeReader {
  /** What was read; the bytes from {@link at} on were not taken yet. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  at = 0;
  readonly #storage: Storage;
  readonly #end: number;
  /** Where the next read begins. */
  #next: number;

  /** The bytes of `storage` from `start` up to `end`. */
  constructor(storage: Storage, start: number, end: number = storage.size) {
    this.#storage = storage;
    this.#next = start;
    this.#end = Math.min(end, storage.size);
  }

  /** Where in the storage the next byte to be taken lies. */
  get position(): number {
    return this.#next - this.available;
  }

  /** Bytes at hand. */
  get available(): number {
    return this.bytes.length - this.at;
  }

  /** Makes at least `count` bytes be at hand; false where the input ends before. */
  async has(count: number): Promise<boolean> {
    if (this.available >= count) return true;
    const left = this.#end - this.#next;
    const wanted = Math.min(left, Math.max(PIECE, count - this.available));
    if (wanted <= 0) return false;
    const bytes = new Uint8Array(this.available + wanted);
    bytes.set(this.bytes.subarray(this.at));
    const got = await this.#storage.read(this.#next, bytes.subarray(this.available));
    this.bytes = bytes.subarray(0, this.available + got);
    this.at = 0;
    this.#next += got;
    return this.available >= count;
  }

  /** Takes `count` bytes, which stay as they are. @throws DecodeFault cut-off */
  async take(count: number): Promise<Uint8Array<ArrayBuffer>> {
    if (!(await this.has(count))) throw new DecodeFault('cut-off');
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  /** Passes over `count` bytes without reading those that are not at hand. */
  skip(count: number): void {
    const here = Math.min(count, this.available);
    this.at += here;
    this.#next += count - here;
  }
}
