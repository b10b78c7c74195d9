import type { Storage } from './storage.ts';

/**
 * What lies from an offset of another storage on, as a storage of its own that can be written and
 * grows: a file within an archive that is being made. Closing it leaves the whole open.
 */
export class PartStorage implements Storage {
  readonly name: string;
  readonly writable = true;
  readonly #whole: Storage;
  readonly #offset: number;

  /** @param offset of its first byte in `whole`, bytes */
  constructor(whole: Storage, offset: number, name: string) {
    this.#whole = whole;
    this.#offset = offset;
    this.name = name;
  }

  get size(): number {
    return Math.max(0, this.#whole.size - this.#offset);
  }

  read(offset: number, target: Uint8Array): Promise<number> {
    return this.#whole.read(this.#offset + offset, target);
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    return this.#whole.write(this.#offset + offset, source);
  }

  resize(size: number): Promise<void> {
    return this.#whole.resize(this.#offset + size);
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
