/**
 * Tables of 64-bit entries, as several formats map guest offsets with: reading them in long pieces,
 * keeping the recent ones, putting them back into bytes.
 */
import { isAligned, TWO_32 } from '../binary/units.ts';
import { isImageError } from '../errors.ts';
import { gather } from '../storage/gather.ts';
import { readPartially, type Hole } from '../storage/partial.ts';
import { readPadded, type Storage } from '../storage/storage.ts';

/** A table of 64-bit entries as pairs of 32-bit words, high first, in the machine's byte order. */
export type Table = Uint32Array<ArrayBuffer>;

/** How entries are written in the file. */
export type ByteOrder = 'big' | 'little';

/** The high half of a 64-bit entry that is an offset (bytes, below 2^53). */
export function entryHigh(offset: number): number {
  return Math.floor(offset / TWO_32);
}

/** The low half. */
export function entryLow(offset: number): number {
  return offset % TWO_32;
}

/** Turns bytes into words. A view of half the memory of a number array, ten times as fast to walk
 * as BigInt. */
export function decodeTable(bytes: Uint8Array, order: ByteOrder = 'big'): Table {
  const words = new Uint32Array(bytes.length >>> 2);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (order === 'big') {
    for (let i = 0; i < words.length; i++) words[i] = view.getUint32(i * 4);
  } else {
    for (let i = 0; i < words.length; i++) words[i] = view.getUint32((i ^ 1) * 4, true);
  }
  return words;
}

/** Words in the machine's order as bytes of a file: whole entries of two words. */
export function encodeTable(words: Uint32Array, order: ByteOrder = 'big'): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  if (order === 'big') {
    for (let i = 0; i < words.length; i++) view.setUint32(i * 4, words[i] as number);
  } else {
    for (let i = 0; i < words.length; i++) view.setUint32((i ^ 1) * 4, words[i] as number, true);
  }
  return bytes;
}

/** Bytes of a table that are read at once: the words are made of them piece by piece. */
const TABLE_READ = 4 * 1024 * 1024;

/** Reads a table of 64-bit entries; what lies behind the end of the storage is zeros. */
export async function readTable(
  storage: Storage,
  offset: number,
  entries: number,
  order: ByteOrder = 'big',
): Promise<Table> {
  const words: Table = new Uint32Array(entries * 2);
  const end = Math.min(offset + entries * 8, storage.size);
  for (let at = offset; at < end; at += TABLE_READ) {
    const bytes = await readPadded(storage, at, Math.min(TABLE_READ, offset + entries * 8 - at));
    words.set(decodeTable(bytes, order), (at - offset) / 4);
  }
  return words;
}

/** How many bytes of L2 tables are kept: enough for 32 GiB of guest at 64 KiB clusters. */
const CACHE_BYTES = 8 * 1024 * 1024;

const NO_HOLES: readonly Hole[] = [];

/** How the tables of a cache are in the file. */
export interface TableLayout {
  readonly order?: ByteOrder;
  /** What their offsets are multiples of, bytes: their own length, where nothing is said. */
  readonly alignment?: number;
}

/**
 * Recently used tables, all of one length, by their place in the file; the least recently used one
 * goes first. A part of a table may count as a table of its own.
 */
export class L2Cache {
  readonly #storage: Storage;
  readonly #length: number;
  readonly #order: ByteOrder;
  readonly #alignment: number;
  readonly #limit: number;
  readonly #tables = new Map<number, Table>();
  /** What could not be read of tables, by the place of the table. */
  readonly #holes = new Map<number, readonly Hole[]>();

  /** @param length of a table, bytes */
  constructor(
    storage: Storage,
    length: number,
    { order = 'big', alignment = length }: TableLayout = {},
  ) {
    this.#storage = storage;
    this.#length = length;
    this.#order = order;
    this.#alignment = alignment;
    this.#limit = Math.max(4, Math.floor(CACHE_BYTES / length));
  }

  /** How many tables a caller may ask for at once. */
  get batch(): number {
    return Math.max(2, this.#limit >>> 1);
  }

  /** What the medium did not give of the table at a host offset, when it was read. */
  holesOf(offset: number): readonly Hole[] {
    return this.#holes.size === 0 ? NO_HOLES : (this.#holes.get(offset) ?? NO_HOLES);
  }

  /**
   * Brings the tables at these host offsets (bytes, aligned; others are ignored) in as few requests
   * as possible and returns them by offset. Entries that cannot be read are zeros, and
   * {@link holesOf} says which.
   */
  async load(offsets: readonly number[]): Promise<Map<number, Table>> {
    const found = new Map<number, Table>();
    const missing = new Map<number, { offset: number; length: number }>();
    for (const offset of offsets) {
      if (!isAligned(offset, this.#alignment)) continue;
      const table = this.#tables.get(offset);
      if (table === undefined) {
        missing.set(offset, { offset, length: this.#length });
        continue;
      }
      this.#tables.delete(offset);
      this.#tables.set(offset, table);
      found.set(offset, table);
    }
    const add = (offset: number, bytes: Uint8Array): void => {
      const table = decodeTable(bytes, this.#order);
      found.set(offset, table);
      this.#tables.set(offset, table);
      this.#holes.delete(offset);
    };
    try {
      await gather(this.#storage, [...missing.values()], ({ offset }, bytes) => {
        add(offset, bytes);
      });
    } catch (error) {
      if (!isImageError(error, 'read-failed')) throw error;
      for (const { offset, length } of missing.values()) {
        if (found.has(offset)) continue;
        const { bytes, holes } = await readPartially(this.#storage, offset, length);
        add(offset, bytes);
        if (holes.length > 0) this.#holes.set(offset, holes);
      }
    }
    this.#shrink();
    return found;
  }

  #shrink(): void {
    for (const offset of this.#tables.keys()) {
      if (this.#tables.size <= this.#limit) return;
      this.#tables.delete(offset);
    }
  }
}
