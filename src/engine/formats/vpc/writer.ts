/** Writing into a VHD. */
import { SECTOR } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import { readPadded, writeFresh, type Storage } from '../../storage/storage.ts';
import type { DiskWriter } from '../format.ts';
import { addSectors, type Bitmaps } from './bitmaps.ts';
import { endFooterAt } from './footer.ts';
import { UNUSED } from './layout.ts';
import type { BlockTable } from './table.ts';

/** Bytes that are made zero at once. */
const PIECE = 1024 * 1024;
/** Entries of the table that are written together: a sector of it. */
const GROUP = SECTOR / 4;

/** What both kinds of writers are. */
abstract class VpcWriter implements DiskWriter {
  abstract readonly clusterSize: number;
  readonly packing = undefined;
  protected readonly storage: Storage;
  readonly #size: number;
  readonly #isNew: boolean;

  /**
   * @param size of the disk, bytes
   * @param isNew it was just made: nothing of it can be read back
   */
  constructor(storage: Storage, size: number, isNew: boolean) {
    this.storage = storage;
    this.#size = size;
    this.#isNew = isNew;
  }

  abstract write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  abstract zero(offset: number, length: number): Promise<void>;
  abstract flush(): Promise<void>;

  writePacked(): Promise<void> {
    return Promise.reject(new ImageError('internal', { reason: 'a VHD has no packed blocks' }));
  }

  protected checkRange(offset: number, length: number): void {
    const fits = offset >= 0 && length >= 0 && offset + length <= this.#size;
    if (fits && offset % SECTOR === 0 && length % SECTOR === 0) return;
    throw new ImageError('internal', { reason: 'a write that is not within the disk' });
  }

  /** Makes bytes of the file zeros; what lies behind its end is as it is. */
  protected async clear(offset: number, length: number): Promise<void> {
    const end = Math.min(offset + length, this.storage.size);
    for (let at = offset; at < end; at += PIECE) {
      const length = Math.min(PIECE, end - at);
      // What are zeros already may be a hole, which writing would fill.
      const bytes = this.#isNew
        ? new Uint8Array(length)
        : await readPadded(this.storage, at, length);
      const isZero = bytes.every((byte) => byte === 0);
      if (this.#isNew || !isZero) await this.storage.write(at, bytes.fill(0));
    }
  }
}

/** Into a fixed disk: the file is the disk, and the footer behind it stays what it is. */
export class FixedWriter extends VpcWriter {
  readonly clusterSize = 0;

  write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.checkRange(offset, bytes.length);
    return this.storage.write(offset, bytes);
  }

  zero(offset: number, length: number): Promise<void> {
    this.checkRange(offset, length);
    return this.clear(offset, length);
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }
}

/** A disk of blocks as its writer needs to know it. */
export interface WrittenBlocks {
  readonly storage: Storage;
  /** Of the disk, bytes. */
  readonly size: number;
  /** As it is in the file: it moves behind new blocks, and says the same as before. */
  readonly footer: Uint8Array<ArrayBuffer>;
  /** In memory whole; changed by the writer. */
  readonly table: BlockTable;
  /** Of a differencing disk, whose sectors have to be noted one by one. */
  readonly bitmaps?: Bitmaps | undefined;
  /** Where the next block goes: behind everything that is in use, bytes. */
  readonly end: number;
  /** It was just made, and has no footer at its end yet. */
  readonly isNew: boolean;
}

/**
 * Into a dynamic or differencing disk: new blocks go to the end, over the old footer. The table and
 * the footer are written by `flush`; the table is in memory whole (16 MiB of it at most).
 */
export class DynamicWriter extends VpcWriter {
  readonly clusterSize: number;
  readonly #image: WrittenBlocks;
  /** What was in use before anything was written ends here, bytes. */
  readonly #oldSize: number;
  /** Sectors of the table that have changed. */
  readonly #groups = new Set<number>();
  /** The block that was written last: its bitmap is known to be whole. */
  #filled = -1;
  #end: number;
  /** The footer has to be written behind the blocks. */
  #lacksFooter: boolean;

  constructor(image: WrittenBlocks) {
    super(image.storage, image.size, image.isNew);
    this.#image = image;
    this.clusterSize = image.table.header.blockSize;
    this.#oldSize = image.storage.size;
    this.#end = image.end;
    this.#lacksFooter = image.isNew;
  }

  async write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.checkRange(offset, bytes.length);
    const end = offset + bytes.length;
    for (let at = offset; at < end;) {
      const index = Math.floor(at / this.clusterSize);
      const base = index * this.clusterSize;
      const to = Math.min(end, base + this.clusterSize);
      await this.#writeBlock(index, at - base, bytes.subarray(at - offset, to - offset));
      at = to;
    }
  }

  async zero(offset: number, length: number): Promise<void> {
    this.checkRange(offset, length);
    const { table, bitmaps } = this.#image;
    const end = offset + length;
    for (let at = offset; at < end;) {
      const index = Math.floor(at / this.clusterSize);
      const base = index * this.clusterSize;
      const to = Math.min(end, base + this.clusterSize);
      // What is not here reads as zeros, or as what the parent has.
      if (bitmaps !== undefined) await this.#writeZeros(at, to);
      else if (table.dataAt(index) >= 0) await this.clear(table.dataAt(index) + at - base, to - at);
      at = to;
    }
  }

  async flush(): Promise<void> {
    await this.#writeTable();
    if (!this.#lacksFooter) return;
    // Where there is more behind the blocks, it stays: its last sector is the footer.
    const at = Math.max(this.#end, endFooterAt(this.#oldSize));
    await this.storage.write(at, this.#image.footer);
    this.#lacksFooter = false;
  }

  async #writeZeros(from: number, to: number): Promise<void> {
    for (let at = from; at < to; at += PIECE) {
      await this.write(at, new Uint8Array(Math.min(PIECE, to - at)));
    }
  }

  async #writeBlock(index: number, within: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { table, bitmaps } = this.#image;
    if (table.blockAt(index) < 0) await this.#allocate(index);
    await this.#put(table.dataAt(index) + within, bytes);
    if (bitmaps === undefined) {
      if (this.#filled !== index) await this.#fillBitmap(index);
      return;
    }
    const bitmap = (await bitmaps.load([index])).get(index);
    if (bitmap === undefined) throw new ImageError('internal', { reason: 'no bitmap' });
    const first = within / SECTOR;
    if (!addSectors(bitmap, first, first + bytes.length / SECTOR)) return;
    await this.#put(table.blockAt(index), bitmap);
  }

  /** Gives a block its place, where it reads as zeros, or as the parent. */
  async #allocate(index: number): Promise<void> {
    const { table, bitmaps } = this.#image;
    const at = this.#end;
    const { bitmapSize } = table.header;
    if (at / SECTOR >= UNUSED) {
      const limit = UNUSED * SECTOR;
      throw new ImageError('too-large', { what: this.storage.name, value: String(at), limit });
    }
    // What was left behind the last block; the old footer ends up under the bitmap.
    await this.clear(at + bitmapSize, table.header.blockSize);
    this.#end = at + table.blockRoom;
    this.#lacksFooter = true;
    table.entries[index] = at / SECTOR;
    this.#groups.add(Math.floor(index / GROUP));
    bitmaps?.keep(index, new Uint8Array(bitmapSize));
  }

  /** All sectors of the block are in the file, whatever was written of it. */
  async #fillBitmap(index: number): Promise<void> {
    const { bitmapSize } = this.#image.table.header;
    const at = this.#image.table.blockAt(index);
    await this.#put(at, new Uint8Array(bitmapSize).fill(0xff));
    this.#filled = index;
  }

  /** Behind the old end nothing of the old state can be lost. */
  #put(at: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return at >= this.#oldSize
      ? writeFresh(this.storage, at, bytes)
      : this.storage.write(at, bytes);
  }

  async #writeTable(): Promise<void> {
    const { entries, header } = this.#image.table;
    for (const group of [...this.#groups].sort((a, b) => a - b)) {
      const first = group * GROUP;
      const part = entries.subarray(first, first + GROUP);
      const bytes = new Uint8Array(part.length * 4);
      const view = new DataView(bytes.buffer);
      for (const [at, entry] of part.entries()) view.setUint32(at * 4, entry);
      await this.storage.write(header.tableAt + first * 4, bytes);
    }
    this.#groups.clear();
  }
}
