import { ImageError } from '../errors.ts';
import { available, refuseWrite } from './failures.ts';
import type { Storage } from './storage.ts';

/** How a {@link MemoryStorage} is made. */
export interface MemoryOptions {
  name?: string;
  /** The bytes at the start; copied. */
  content?: Uint8Array;
  /** Default true. */
  writable?: boolean;
  /** Bytes a page: the unit in which room is taken. Default 64 KiB. */
  pageSize?: number;
}

/**
 * Bytes in memory, sparse by pages: 1 TiB of apparent size costs nothing until it is written.
 * For tests, small images and what an overlay holds.
 */
export class MemoryStorage implements Storage {
  readonly name: string;
  readonly writable: boolean;
  readonly #pageSize: number;
  readonly #pages = new Map<number, Uint8Array>();
  #size = 0;

  constructor(options: MemoryOptions = {}) {
    this.name = options.name ?? 'memory';
    this.writable = options.writable ?? true;
    this.#pageSize = options.pageSize ?? 65536;
    if (options.content !== undefined) this.#put(0, options.content);
  }

  get size(): number {
    return this.#size;
  }

  read(offset: number, target: Uint8Array): Promise<number> {
    const length = available(this.#size, offset, target.length);
    this.#eachPage(offset, length, (page, within, done, count) => {
      const bytes = this.#pages.get(page);
      if (bytes === undefined) target.fill(0, done, done + count);
      else target.set(bytes.subarray(within, within + count), done);
    });
    return Promise.resolve(length);
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    if (!this.writable) return refuseWrite(this.name);
    if (!Number.isSafeInteger(offset + source.length)) return this.#tooLarge(offset);
    this.#put(offset, source);
    return Promise.resolve();
  }

  resize(size: number): Promise<void> {
    if (!this.writable) return refuseWrite(this.name);
    if (!Number.isSafeInteger(size)) return this.#tooLarge(size);
    if (size < this.#size) this.#cut(size);
    this.#size = size;
    return Promise.resolve();
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Bytes of the pages that were ever written. */
  allocated(): Promise<number> {
    return Promise.resolve(this.#pages.size * this.#pageSize);
  }

  #put(offset: number, source: Uint8Array): void {
    this.#eachPage(offset, source.length, (page, within, done, count) => {
      let bytes = this.#pages.get(page);
      if (bytes === undefined) {
        bytes = new Uint8Array(this.#pageSize);
        this.#pages.set(page, bytes);
      }
      bytes.set(source.subarray(done, done + count), within);
    });
    if (source.length > 0) this.#size = Math.max(this.#size, offset + source.length);
  }

  /** Drops the pages behind `size`, so that they read as zeros when it grows again. */
  #cut(size: number): void {
    const last = Math.floor(size / this.#pageSize);
    for (const page of this.#pages.keys()) if (page > last) this.#pages.delete(page);
    const within = size - last * this.#pageSize;
    if (within === 0) this.#pages.delete(last);
    else this.#pages.get(last)?.fill(0, within);
  }

  /** Calls `visit(page, offset in the page, bytes done before, bytes here)` for each page. */
  #eachPage(
    offset: number,
    length: number,
    visit: (page: number, within: number, done: number, count: number) => void,
  ): void {
    let page = Math.floor(offset / this.#pageSize);
    let within = offset - page * this.#pageSize;
    for (let done = 0; done < length; page++) {
      const count = Math.min(length - done, this.#pageSize - within);
      visit(page, within, done, count);
      done += count;
      within = 0;
    }
  }

  #tooLarge(size: number): Promise<never> {
    const limit = Number.MAX_SAFE_INTEGER;
    return Promise.reject(
      new ImageError('too-large', { what: this.name, value: String(size), limit }),
    );
  }
}
