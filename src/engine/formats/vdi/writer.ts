/**
 * Writing into a VDI: new blocks go behind those that are there. Header and block map are written at
 * the end; of the map, what changes is in memory (32 MiB of it at most).
 */
import { SECTOR } from '../../binary/units.ts';
import { randomGuid } from '../../codecs/crypto/random-guid.ts';
import { ImageError } from '../../errors.ts';
import { writeFresh, type Storage } from '../../storage/storage.ts';
import type { EntryTable } from '../entry-table.ts';
import type { DiskWriter, ReadBelow } from '../format.ts';
import { HEADER, UNALLOCATED, UUID_AT, ZERO } from './layout.ts';

/** An image as its writer needs to know it. */
export interface WrittenVdi {
  readonly storage: Storage;
  /** Of the whole header; changed by the writer. */
  readonly header: Uint8Array<ArrayBuffer>;
  readonly table: EntryTable;
  /** Of the disk, bytes. */
  readonly size: number;
  /** Where a block of the file begins, bytes. */
  readonly placeOf: (entry: number) => number;
  readonly readBelow: ReadBelow | undefined;
  /** It was just made: nothing of it can be read back. */
  readonly isNew: boolean;
}

/** Blocks are filled up in pieces of this many bytes. */
const PIECE = 1024 * 1024;

export class VdiWriter implements DiskWriter {
  readonly clusterSize: number;
  readonly packing = undefined;
  readonly #image: WrittenVdi;
  readonly #fields;
  /** Where the file ends when all blocks are whole, bytes. */
  #end: number;
  #isChanged = false;

  constructor(image: WrittenVdi) {
    this.#image = image;
    this.#fields = HEADER.read(image.header);
    this.clusterSize = this.#fields.blockSize;
    this.#end = image.storage.size;
  }

  async write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#checkRange(offset, bytes.length);
    const { table, storage } = this.#image;
    const end = offset + bytes.length;
    this.#isChanged ||= bytes.length > 0;
    for (let at = offset; at < end;) {
      const index = Math.floor(at / this.clusterSize);
      const base = index * this.clusterSize;
      const to = Math.min(end, base + this.clusterSize);
      const part = bytes.subarray(at - offset, to - offset);
      const entry = await table.get(index);
      if (entry >= ZERO) await this.#allocate(index, entry, at - base, part);
      else await storage.write(this.#image.placeOf(entry) + (at - base), part);
      at = to;
    }
  }

  async zero(offset: number, length: number): Promise<void> {
    this.#checkRange(offset, length);
    const { table, readBelow } = this.#image;
    const end = offset + length;
    const stop = Math.ceil(end / this.clusterSize);
    for (let index = Math.floor(offset / this.clusterSize); index < stop;) {
      const { first, values } = await table.whole(index);
      const until = Math.min(stop, first + values.length);
      for (; index < until; index++) {
        const entry = values[index - first] ?? 0;
        if (entry === ZERO || (entry === UNALLOCATED && readBelow === undefined)) continue;
        await this.#zeroBlock(index, entry, offset, end);
      }
    }
  }

  writePacked(): Promise<void> {
    return Promise.reject(new ImageError('internal', { reason: 'a VDI has no packed blocks' }));
  }

  async flush(): Promise<void> {
    const { storage, table, header, isNew } = this.#image;
    if (storage.size < this.#end) await storage.resize(this.#end);
    await table.flush();
    if (!this.#isChanged) return;
    HEADER.write(header, this.#fields);
    // Images that were made over this one, as it was, can tell that it is not the same any more.
    if (!isNew) header.set(randomGuid(), UUID_AT.modification);
    await storage.write(0, header);
    this.#isChanged = false;
  }

  #checkRange(offset: number, length: number): void {
    const fits = offset >= 0 && length >= 0 && offset + length <= this.#image.size;
    if (fits && offset % SECTOR === 0 && length % SECTOR === 0) return;
    throw new ImageError('internal', { reason: 'a write that is not within the disk' });
  }

  /** Takes a new block of the file and writes into it, and what else the block of the disk holds. */
  async #allocate(
    index: number,
    old: number,
    within: number,
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    const { storage, table, placeOf, readBelow, size } = this.#image;
    const entry = this.#fields.allocated;
    const host = placeOf(entry);
    const guest = index * this.clusterSize;
    const end = within + bytes.length;
    // Behind the end of the file there are zeros already.
    const hasZeros = host >= storage.size;
    const below = old === UNALLOCATED ? readBelow : undefined;
    const fill = async (from: number, to: number) => {
      for (let at = from; at < to; at += PIECE) {
        const length = Math.min(PIECE, to - at);
        const known = Math.max(0, Math.min(length, size - guest - at));
        const piece = new Uint8Array(length);
        if (below !== undefined && known > 0) piece.set(await below(guest + at, known));
        await writeFresh(storage, host + at, piece);
      }
    };
    if (below !== undefined || !hasZeros) await fill(0, within);
    await writeFresh(storage, host + within, bytes);
    if (below !== undefined || !hasZeros) await fill(end, this.clusterSize);
    this.#end = Math.max(this.#end, host + this.clusterSize);
    await table.set(index, entry);
    this.#fields.allocated = entry + 1;
  }

  /** What a range touches of a block that does not read as zeros, as far as is known. */
  async #zeroBlock(index: number, entry: number, offset: number, end: number): Promise<void> {
    const { storage, table, placeOf, size, isNew } = this.#image;
    const base = index * this.clusterSize;
    const from = Math.max(offset, base);
    const to = Math.min(end, base + this.clusterSize);
    this.#isChanged = true;
    if (entry === UNALLOCATED) {
      const isWhole = from === base && to === Math.min(size, base + this.clusterSize);
      if (isWhole) await table.set(index, ZERO);
      else await this.write(from, new Uint8Array(to - from));
      return;
    }
    const host = placeOf(entry) + (from - base);
    const length = to - from;
    for (let at = 0; at < length; at += PIECE) {
      const piece = new Uint8Array(Math.min(PIECE, length - at));
      // What are zeros already may be a hole, which writing would fill.
      if (!isNew && (await isZeroIn(storage, host + at, piece.length))) continue;
      await storage.write(host + at, piece);
    }
  }
}

async function isZeroIn(storage: Storage, offset: number, length: number): Promise<boolean> {
  const bytes = new Uint8Array(length);
  await storage.read(offset, bytes);
  return bytes.every((byte) => byte === 0);
}
