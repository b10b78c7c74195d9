/** L2 tables that change: brought, made, kept for a while and written back. */
import { readTable } from '../tables.ts';
import type { Table } from '../tables.ts';
import type { Storage } from '../../../storage/storage.ts';
import { wordsToBytes } from './words.ts';

/** A table in memory. */
export interface L2Table {
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly words: Table;
  dirty: boolean;
}

/** Tables that are kept, bytes. */
const KEPT_BYTES = 32 * 1024 * 1024;

export class L2Editor {
  readonly #storage: Storage;
  readonly #clusterSize: number;
  readonly #limit: number;
  /** By offset, most recently used last. */
  readonly #tables = new Map<number, L2Table>();

  constructor(storage: Storage, clusterSize: number) {
    this.#storage = storage;
    this.#clusterSize = clusterSize;
    this.#limit = Math.max(8, Math.floor(KEPT_BYTES / clusterSize));
  }

  /** The table at `offset` (bytes), if it is at hand. */
  known(offset: number): L2Table | undefined {
    const table = this.#tables.get(offset);
    if (table === undefined || this.#tables.size < this.#limit) return table;
    this.#tables.delete(offset);
    this.#tables.set(offset, table);
    return table;
  }

  /** The table at `offset` (bytes) of the file. */
  async load(offset: number): Promise<L2Table> {
    const words = await readTable(this.#storage, offset, this.#clusterSize / 8);
    return this.#keep({ offset, words, dirty: false });
  }

  /** An empty table for a cluster that was taken for it. */
  make(offset: number): Promise<L2Table> {
    return this.#keep({ offset, words: new Uint32Array(this.#clusterSize / 4), dirty: true });
  }

  /** Writes what has changed. */
  async flush(): Promise<void> {
    const changed = [...this.#tables.values()].filter(({ dirty }) => dirty);
    changed.sort((a, b) => a.offset - b.offset);
    for (const table of changed) await this.#write(table);
  }

  /** Writes what has changed and forgets all of it: others are about to change the tables. */
  async settle(): Promise<void> {
    await this.flush();
    this.#tables.clear();
  }

  async #keep(table: L2Table): Promise<L2Table> {
    for (const [offset, old] of this.#tables) {
      if (this.#tables.size < this.#limit) break;
      if (old.dirty) await this.#write(old);
      this.#tables.delete(offset);
    }
    this.#tables.set(table.offset, table);
    return table;
  }

  async #write(table: L2Table): Promise<void> {
    await this.#storage.write(table.offset, wordsToBytes(table.words));
    table.dirty = false;
  }
}
