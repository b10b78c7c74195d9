import { MemoryStorage } from './memory.ts';
import type { RangeSet } from './range-set.ts';
import type { Storage } from './storage.ts';

/** Opens an empty storage for what is too much for memory. It is removed when it is closed. */
export type ScratchOpener = () => Promise<Storage>;

/** Pages of what is in memory: changes are mostly table entries, scattered. */
const PAGE = 4096;
/** Copied at once on the way out of memory. */
const CHUNK = 1024 * 1024;
/** Bytes that stay in memory where there is somewhere else to go. */
export const MEMORY_BUDGET = 64 * 1024 * 1024;

/** The bytes of an overlay: in memory while they are few, in a scratch storage when they are not. */
export class KeptBytes {
  readonly #openScratch: ScratchOpener | undefined;
  readonly #budget: number;
  #storage: Storage = memory();
  #isInMemory = true;
  /** At least as many bytes as pages of memory were taken since it was last counted. */
  #estimate = 0;
  /** Settles when what is on its way out of memory has arrived. */
  #moving: Promise<void> | undefined;

  constructor(openScratch: ScratchOpener | undefined, budget: number) {
    this.#openScratch = openScratch;
    this.#budget = budget;
  }

  read(offset: number, target: Uint8Array): Promise<number> {
    return this.#storage.read(offset, target);
  }

  /** @param written all ranges that are kept, this one too: what may have to move out of memory */
  async write(offset: number, source: Uint8Array, written: RangeSet): Promise<void> {
    if (this.#isInMemory && this.#openScratch !== undefined) {
      this.#estimate += source.length + 2 * PAGE;
      if (this.#moving === undefined && this.#estimate > this.#budget) {
        this.#moving = this.#weigh(source.length, written);
      }
      if (this.#moving !== undefined) await this.#moving;
    }
    await this.#storage.write(offset, source);
  }

  async resize(size: number): Promise<void> {
    await this.#moving;
    await this.#storage.resize(size);
  }

  /** Forgets everything. */
  async clear(): Promise<void> {
    const old = this.#storage;
    this.#storage = memory();
    this.#isInMemory = true;
    this.#estimate = 0;
    await old.close();
  }

  /** Counts what memory really holds; moves everything out when `more` bytes are too many. */
  async #weigh(more: number, written: RangeSet): Promise<void> {
    try {
      await this.#moveIfLarge(more, written);
    } finally {
      this.#moving = undefined;
    }
  }

  async #moveIfLarge(more: number, written: RangeSet): Promise<void> {
    const held = (await this.#storage.allocated?.()) ?? 0;
    this.#estimate = held + more + 2 * PAGE;
    if (this.#estimate <= this.#budget || this.#openScratch === undefined) return;
    const memory = this.#storage;
    const scratch = await this.#openScratch();
    try {
      for (const { offset, length } of written.within(0, Number.MAX_SAFE_INTEGER)) {
        for (let done = 0; done < length; done += CHUNK) {
          const bytes = new Uint8Array(Math.min(CHUNK, length - done));
          await memory.read(offset + done, bytes);
          await scratch.write(offset + done, bytes);
        }
      }
      if (scratch.size < memory.size) await scratch.resize(memory.size);
    } catch (error) {
      await scratch.close();
      throw error;
    }
    this.#storage = scratch;
    this.#isInMemory = false;
  }
}

function memory(): MemoryStorage {
  return new MemoryStorage({ pageSize: PAGE });
}
