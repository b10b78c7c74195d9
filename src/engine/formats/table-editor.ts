/** Tables of 64-bit entries that change: brought, made, kept for a while and written back. */
import type { Storage } from '../storage/storage.ts';
import { encodeTable, readTable, type ByteOrder, type Table } from './tables.ts';

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
  readonly #length: number;
  readonly #order: ByteOrder;
  readonly #limit: number;
  /** By offset, most recently used last. */
  readonly #tables = new Map<number, L2Table>();

  /** @param length of each table, bytes; a part of a table may count as a table of its own */
  constructor(storage: Storage, length: number, order: ByteOrder = 'big') {
    this.#storage = storage;
    this.#length = length;
    this.#order = order;
    this.#limit = Math.max(8, Math.floor(KEPT_BYTES / length));
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
    const words = await readTable(this.#storage, offset, this.#length / 8, this.#order);
    return this.#keep({ offset, words, dirty: false });
  }

  /** An empty table for a place that was taken for it. */
  make(offset: number): Promise<L2Table> {
    return this.#keep({ offset, words: new Uint32Array(this.#length / 4), dirty: true });
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
    this.forget();
  }

  /** Forgets all of it, whether written or not. */
  forget(): void {
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
    await this.#storage.write(table.offset, encodeTable(table.words, this.#order));
    table.dirty = false;
  }
}
