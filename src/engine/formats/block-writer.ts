/**
 * Writing into an image whose blocks lie one behind the other in the file, found by one table of
 * 32-bit entries: new blocks go behind those that are there. Tables and headers are written by
 * `flush`; of the table, what changes is in memory (32 MiB of it at most).
 */
import { SECTOR } from '../binary/units.ts';
import { ImageError } from '../errors.ts';
import { writeFresh, type Storage } from '../storage/storage.ts';
import type { EntryTable } from './entry-table.ts';
import type { DiskWriter, ReadBelow } from './format.ts';

/** What a format says of its blocks. */
export interface BlockLayout {
  readonly storage: Storage;
  readonly table: EntryTable;
  /** Of the disk, bytes. */
  readonly size: number;
  readonly blockSize: number;
  /** Undefined where nothing lies below. */
  readonly readBelow: ReadBelow | undefined;
  /** It was just made: nothing of it can be read back. */
  readonly isNew: boolean;
  /**
   * What an entry of the table says: where the block begins in the file (bytes), that it reads as
   * zeros, or that what lies below shows.
   */
  readonly find: (entry: number) => number | 'zero' | 'below';
  /** Takes the next block of the file: its entry. @throws ImageError too-large */
  readonly take: () => number;
  /** The entry of a block that reads as zeros whatever is below; undefined where there is none. */
  readonly zeroEntry: number | undefined;
  /** Writes the header, after the table. */
  readonly finish: (isChanged: boolean) => Promise<void>;
}

/** Blocks are filled up in pieces of this many bytes. */
const PIECE = 1024 * 1024;

export class BlockWriter implements DiskWriter {
  readonly clusterSize: number;
  readonly packing = undefined;
  readonly #layout: BlockLayout;
  /** Where the file ends when all blocks are whole, bytes. */
  #end: number;
  #isChanged = false;

  constructor(layout: BlockLayout) {
    this.#layout = layout;
    this.clusterSize = layout.blockSize;
    this.#end = layout.storage.size;
  }

  async write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#checkRange(offset, bytes.length);
    const { table, storage, find } = this.#layout;
    const end = offset + bytes.length;
    this.#isChanged ||= bytes.length > 0;
    for (let at = offset; at < end;) {
      const index = Math.floor(at / this.clusterSize);
      const base = index * this.clusterSize;
      const to = Math.min(end, base + this.clusterSize);
      const part = bytes.subarray(at - offset, to - offset);
      const place = find(await table.get(index));
      if (typeof place === 'number') await storage.write(place + (at - base), part);
      else await this.#allocate(index, place === 'below', at - base, part);
      at = to;
    }
  }

  async zero(offset: number, length: number): Promise<void> {
    this.#checkRange(offset, length);
    const { table, find, readBelow } = this.#layout;
    const end = offset + length;
    const stop = Math.ceil(end / this.clusterSize);
    for (let index = Math.floor(offset / this.clusterSize); index < stop;) {
      const { first, values } = await table.whole(index);
      const until = Math.min(stop, first + values.length);
      for (; index < until; index++) {
        const place = find(values[index - first] ?? 0);
        if (place === 'zero' || (place === 'below' && readBelow === undefined)) continue;
        const base = index * this.clusterSize;
        const from = Math.max(offset, base);
        const to = Math.min(end, base + this.clusterSize);
        this.#isChanged = true;
        if (place === 'below') await this.#hideBelow(index, from, to);
        else await this.#clear(place + (from - base), to - from);
      }
    }
  }

  writePacked(): Promise<void> {
    return Promise.reject(new ImageError('internal', { reason: 'blocks cannot be packed' }));
  }

  async flush(): Promise<void> {
    const { storage, table, finish } = this.#layout;
    if (storage.size < this.#end) await storage.resize(this.#end);
    await table.flush();
    await finish(this.#isChanged);
    this.#isChanged = false;
  }

  #checkRange(offset: number, length: number): void {
    const fits = offset >= 0 && length >= 0 && offset + length <= this.#layout.size;
    if (fits && offset % SECTOR === 0 && length % SECTOR === 0) return;
    throw new ImageError('internal', { reason: 'a write that is not within the disk' });
  }

  /** Takes a new block of the file and writes into it, and what else the block of the disk holds. */
  async #allocate(
    index: number,
    showsBelow: boolean,
    within: number,
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    const { storage, table, find, take, readBelow, size } = this.#layout;
    const entry = take();
    const place = find(entry);
    if (typeof place !== 'number') throw new ImageError('internal', { reason: 'no such block' });
    const guest = index * this.clusterSize;
    const end = within + bytes.length;
    const below = showsBelow ? readBelow : undefined;
    const fill = async (from: number, to: number) => {
      for (let at = from; at < to; at += PIECE) {
        const length = Math.min(PIECE, to - at);
        const known = Math.max(0, Math.min(length, size - guest - at));
        const piece = new Uint8Array(length);
        if (below !== undefined && known > 0) piece.set(await below(guest + at, known));
        await writeFresh(storage, place + at, piece);
      }
    };
    // Behind the end of the file there are zeros already.
    const isFilled = below !== undefined || place < storage.size;
    if (isFilled) await fill(0, within);
    await writeFresh(storage, place + within, bytes);
    if (isFilled) await fill(end, this.clusterSize);
    this.#end = Math.max(this.#end, place + this.clusterSize);
    await table.set(index, entry);
  }

  /** Zeros in a block that shows what lies below, which is not known to be zeros. Guest bytes. */
  async #hideBelow(index: number, from: number, to: number): Promise<void> {
    const { table, size, zeroEntry } = this.#layout;
    const base = index * this.clusterSize;
    const isWhole = from === base && to === Math.min(size, base + this.clusterSize);
    if (isWhole && zeroEntry !== undefined) {
      await table.set(index, zeroEntry);
      return;
    }
    for (let at = from; at < to; at += PIECE) {
      await this.write(at, new Uint8Array(Math.min(PIECE, to - at)));
    }
  }

  /** Zeros in a block of the file. Bytes of the file. */
  async #clear(offset: number, length: number): Promise<void> {
    const { storage, isNew } = this.#layout;
    for (let at = 0; at < length; at += PIECE) {
      const piece = new Uint8Array(Math.min(PIECE, length - at));
      // What are zeros already may be a hole, which writing would fill.
      if (!isNew && (await isZeroIn(storage, offset + at, piece.length))) continue;
      await storage.write(offset + at, piece);
    }
  }
}

async function isZeroIn(storage: Storage, offset: number, length: number): Promise<boolean> {
  const bytes = new Uint8Array(length);
  await storage.read(offset, bytes);
  return bytes.every((byte) => byte === 0);
}
