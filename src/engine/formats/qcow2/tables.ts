/**
 * L1 and L2 tables: reading them in long pieces, keeping the recent ones.
 * Specification: «Cluster mapping».
 */
import { isAligned, TWO_32 } from '../../binary/units.ts';
import { isImageError } from '../../errors.ts';
import { gather } from '../../storage/gather.ts';
import { readPartially, type Hole } from '../../storage/partial.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';

/** Bits 9 to 55 of an L1 or L2 entry, high and low half. */
export const OFFSET_HIGH = 0x00ffffff;
export const OFFSET_LOW = 0xfffffe00;
/** Bit 63, in the high half: the refcount of the cluster is exactly one. */
export const COPIED_HIGH = 0x80000000;
/** Bit 62, in the high half: a compressed cluster. */
export const COMPRESSED_HIGH = 0x40000000;
/** Bit 0, in the low half: reads as zeros (version 3, not with extended L2). */
export const ZERO_LOW = 1;

/** The host offset (bytes) in an L1 or standard L2 entry. Exact: at most 2^56, in 512-byte steps. */
export function entryOffset(high: number, low: number): number {
  return (high & OFFSET_HIGH) * TWO_32 + ((low & OFFSET_LOW) >>> 0);
}

/** A table of 64-bit entries as pairs of 32-bit words, high first, in the machine's byte order. */
export type Table = Uint32Array<ArrayBuffer>;

/** Turns big-endian bytes into words. A view of half the memory of a number array, ten times as
 * fast to walk as BigInt. */
export function decodeTable(bytes: Uint8Array): Table {
  const words = new Uint32Array(bytes.length >>> 2);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < words.length; i++) words[i] = view.getUint32(i * 4);
  return words;
}

/** Bytes of a table that are read at once: the words are made of them piece by piece. */
const TABLE_READ = 4 * 1024 * 1024;

/** Reads a table of 64-bit entries; what lies behind the end of the storage is zeros. */
export async function readTable(storage: Storage, offset: number, entries: number): Promise<Table> {
  const words: Table = new Uint32Array(entries * 2);
  const end = Math.min(offset + entries * 8, storage.size);
  for (let at = offset; at < end; at += TABLE_READ) {
    const bytes = await readPadded(storage, at, Math.min(TABLE_READ, offset + entries * 8 - at));
    words.set(decodeTable(bytes), (at - offset) / 4);
  }
  return words;
}

/** How many bytes of L2 tables are kept: enough for 32 GiB of guest at 64 KiB clusters. */
const CACHE_BYTES = 8 * 1024 * 1024;

const NO_HOLES: readonly Hole[] = [];

/** Recently used L2 tables by their place in the file, the least recently used one goes first. */
export class L2Cache {
  readonly #storage: Storage;
  readonly #clusterSize: number;
  readonly #limit: number;
  readonly #tables = new Map<number, Table>();
  /** What could not be read of tables, by the place of the table. */
  readonly #holes = new Map<number, readonly Hole[]>();

  constructor(storage: Storage, clusterSize: number) {
    this.#storage = storage;
    this.#clusterSize = clusterSize;
    this.#limit = Math.max(4, Math.floor(CACHE_BYTES / clusterSize));
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
   * Brings the tables at these host offsets (bytes, cluster aligned; others are ignored) in as few
   * requests as possible and returns them by offset. Entries that cannot be read are zeros, and
   * {@link holesOf} says which.
   */
  async load(offsets: readonly number[]): Promise<Map<number, Table>> {
    const found = new Map<number, Table>();
    const missing = new Map<number, { offset: number; length: number }>();
    for (const offset of offsets) {
      if (!isAligned(offset, this.#clusterSize)) continue;
      const table = this.#tables.get(offset);
      if (table === undefined) {
        missing.set(offset, { offset, length: this.#clusterSize });
        continue;
      }
      this.#tables.delete(offset);
      this.#tables.set(offset, table);
      found.set(offset, table);
    }
    const add = (offset: number, bytes: Uint8Array): void => {
      const table = decodeTable(bytes);
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
