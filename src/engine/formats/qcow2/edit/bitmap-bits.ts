/**
 * The bits of one persistent bitmap, to be changed in the file: «Bitmap table», «Bitmap data». A few
 * clusters of them are in memory at a time.
 */
import { divideRoundUp, MIB } from '../../../binary/units.ts';
import { ImageError } from '../../../errors.ts';
import { readPadded } from '../../../storage/storage.ts';
import { partsOf, readBitmap, readBitmapParts, type MarkedRange } from '../bitmap-contents.ts';
import type { Bitmap } from '../bitmaps.ts';
import type { Qcow2Image } from '../image.ts';
import { entryOffset, readTable, type Table } from '../tables.ts';
import type { Qcow2Writer } from './writer.ts';
import { entryHigh, entryLow, wordsToBytes } from './words.ts';

/** Clusters of bits that are kept, bytes. */
const KEPT_BYTES = 4 * MIB;

/** In an entry without an offset: a part of ones. */
const ALL_ONES = 1;

/** Where a table is. */
export interface TablePlace {
  /** Bytes from the start of the file. */
  readonly tableOffset: number;
  /** Entries. */
  readonly tableSize: number;
}

/** A cluster of bits in memory. */
interface Page {
  readonly index: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of the cluster, bytes. */
  readonly offset: number;
  dirty: boolean;
}

/** Entries of the table that a bitmap has, for a disk of `size` bytes. */
export function tableEntries(size: number, granularity: number, clusterSize: number): number {
  return divideRoundUp(divideRoundUp(size, granularity), clusterSize * 8);
}

export class BitmapBits {
  readonly #writer: Qcow2Writer;
  readonly #place: TablePlace;
  readonly #granularity: number;
  /** Of the disk, bytes. */
  readonly #size: number;
  readonly #table: Table;
  #tableChanged = false;
  /** Most recently used last. */
  readonly #pages = new Map<number, Page>();
  readonly #kept: number;
  #current: Page | undefined;

  private constructor(
    writer: Qcow2Writer,
    bitmap: TablePlace & { granularity: number },
    size: number,
    table: Table,
  ) {
    this.#writer = writer;
    this.#place = bitmap;
    this.#granularity = bitmap.granularity;
    this.#size = size;
    this.#table = table;
    this.#kept = Math.max(2, Math.floor(KEPT_BYTES / writer.clusterSize));
  }

  /**
   * The bits of a bitmap that is in the file.
   * @param size of the disk, bytes
   * @throws ImageError bitmap-damaged where the table is not one for this disk
   */
  static async open(
    writer: Qcow2Writer,
    bitmap: TablePlace & { name: string; granularity: number },
    size: number,
  ): Promise<BitmapBits> {
    const { name, granularity, tableOffset, tableSize } = bitmap;
    const entries = tableEntries(size, granularity, writer.clusterSize);
    if (entries !== tableSize) {
      throw new ImageError('bitmap-damaged', { name, entry: Math.min(entries, tableSize) });
    }
    const table = await readTable(writer.storage, tableOffset, entries);
    const bad = partsOf(table, 0, entries, writer.clusterSize).indexOf('bad');
    if (bad >= 0) throw new ImageError('bitmap-damaged', { name, entry: bad });
    return new BitmapBits(writer, bitmap, size, table);
  }

  /** Granules of one cluster of bits. */
  get #perPage(): number {
    return this.#writer.clusterSize * 8;
  }

  /** Marks what the ranges touch (guest bytes); what is behind the end of the disk does not count. */
  async mark(ranges: readonly MarkedRange[]): Promise<void> {
    for (const { offset, length } of ranges) {
      const end = Math.min(offset + length, this.#size);
      if (end <= offset) continue;
      const first = Math.floor(offset / this.#granularity);
      const last = Math.floor((end - 1) / this.#granularity);
      const index = Math.floor(first / this.#perPage);
      // Most ranges lie within one cluster of bits, which is the one that is at hand.
      const page = this.#current;
      if (page?.index === index && last < (index + 1) * this.#perPage) {
        setBits(page.bytes, first - index * this.#perPage, last + 1 - index * this.#perPage);
        page.dirty = true;
      } else await this.#markGranules(first, last + 1);
    }
  }

  async #markGranules(first: number, end: number): Promise<void> {
    const perPage = this.#perPage;
    for (let at = first; at < end;) {
      const index = Math.floor(at / perPage);
      const start = index * perPage;
      const to = Math.min(end, start + perPage);
      const isWhole = at === start && to === start + perPage;
      if (!isWhole || this.#offsetOf(index) !== 0) {
        const page = await this.#page(index);
        if (page !== undefined) {
          setBits(page.bytes, at - start, to - start);
          page.dirty = true;
        }
      } else this.#setEntry(index, 0, ALL_ONES);
      at = to;
    }
  }

  /**
   * Marks what another bitmap marks, of a disk of the same size.
   * @throws ImageError bitmap-damaged, those of reading
   */
  async merge(image: Qcow2Image, bitmap: Bitmap): Promise<void> {
    if (bitmap.granularity !== this.#granularity) {
      for await (const ranges of readBitmap(image, bitmap)) await this.mark(ranges);
      return;
    }
    for await (const parts of readBitmapParts(image, bitmap)) {
      for (const { granule, count, bits } of parts) {
        if (bits !== 'ones') await this.#mergeBits(granule / 8, bits);
        else {
          const length = count * this.#granularity;
          await this.mark([{ offset: granule * this.#granularity, length }]);
        }
      }
    }
  }

  /** @param at where the bits belong, bytes of the bitmap */
  async #mergeBits(at: number, bits: Uint8Array): Promise<void> {
    const { clusterSize } = this.#writer;
    const end = Math.min(at + bits.length, this.#table.length * (clusterSize / 2));
    for (let from = at; from < end;) {
      const index = Math.floor(from / clusterSize);
      const to = Math.min(end, (index + 1) * clusterSize);
      const part = bits.subarray(from - at, to - at);
      const page = part.some((byte) => byte !== 0) ? await this.#page(index) : undefined;
      if (page !== undefined) {
        orBytes(page.bytes, part, from - index * clusterSize);
        page.dirty = true;
      }
      from = to;
    }
  }

  /** Unmarks everything. */
  async clear(): Promise<void> {
    const { refcounts, clusterSize } = this.#writer;
    this.#pages.clear();
    this.#current = undefined;
    const clusters = new Float64Array(this.#table.length / 2);
    let count = 0;
    for (let index = 0; index * 2 < this.#table.length; index++) {
      const offset = this.#offsetOf(index);
      if (offset !== 0) clusters[count++] = offset / clusterSize;
      this.#setEntry(index, 0, 0);
    }
    await refcounts.changeMany(clusters.subarray(0, count), -1);
  }

  /** Gives back everything, the table included. */
  async free(): Promise<void> {
    await this.clear();
    this.#tableChanged = false;
    const { tableOffset, tableSize } = this.#place;
    await this.#writer.refcounts.change(tableOffset, tableSize * 8, -1);
  }

  /** Writes what has changed. */
  async flush(): Promise<void> {
    for (const page of this.#pages.values()) await this.#write(page);
    if (this.#tableChanged) {
      await this.#writer.storage.write(this.#place.tableOffset, wordsToBytes(this.#table));
    }
    this.#tableChanged = false;
  }

  /** Where an entry's bits are, bytes; 0 for all the same. */
  #offsetOf(index: number): number {
    return entryOffset(this.#table[index * 2] as number, this.#table[index * 2 + 1] as number);
  }

  #setEntry(index: number, offset: number, flags: number): void {
    this.#table[index * 2] = entryHigh(offset);
    this.#table[index * 2 + 1] = entryLow(offset) | flags;
    this.#tableChanged = true;
  }

  /** The bits of an entry, to be changed; undefined where all of them are ones already. */
  async #page(index: number): Promise<Page | undefined> {
    const known = this.#pages.get(index);
    if (known !== undefined) {
      this.#pages.delete(index);
      this.#pages.set(index, known);
      this.#current = known;
      return known;
    }
    const { refcounts, storage, clusterSize } = this.#writer;
    const old = this.#offsetOf(index);
    const isOnes = old === 0 && this.#table[index * 2 + 1] === ALL_ONES;
    if (isOnes) return undefined;
    const bytes =
      old === 0
        ? new Uint8Array(clusterSize)
        : (await readPadded(storage, old, clusterSize)).slice();
    let offset = old;
    // A cluster with another user, which cannot be, is not the bitmap's to write to.
    if (old === 0 || (await refcounts.get(old / clusterSize)) !== 1) {
      offset = await refcounts.allocate(1);
      if (old !== 0) await refcounts.change(old, clusterSize, -1);
      this.#setEntry(index, offset, 0);
    }
    await this.#shrink();
    const page = { index, bytes, offset, dirty: false };
    this.#pages.set(index, page);
    this.#current = page;
    return page;
  }

  async #shrink(): Promise<void> {
    for (const [index, page] of this.#pages) {
      if (this.#pages.size < this.#kept) return;
      await this.#write(page);
      this.#pages.delete(index);
      if (this.#current === page) this.#current = undefined;
    }
  }

  async #write(page: Page): Promise<void> {
    if (!page.dirty) return;
    page.dirty = false;
    // Bits behind the end of the disk are zeros.
    const left = divideRoundUp(this.#size, this.#granularity) - page.index * this.#perPage;
    if (left < this.#perPage) {
      const last = Math.floor(left / 8);
      page.bytes[last] = (page.bytes[last] as number) & ((1 << (left % 8)) - 1);
      page.bytes.fill(0, last + 1);
    }
    await this.#writer.storage.write(page.offset, page.bytes);
  }
}

/** Sets the bits `from` to `to` (exclusive). */
function setBits(bytes: Uint8Array, from: number, to: number): void {
  const first = from >>> 3;
  const last = (to - 1) >>> 3;
  const head = (0xff << (from & 7)) & 0xff;
  const tail = 0xff >>> (7 - ((to - 1) & 7));
  if (first === last) {
    bytes[first] = (bytes[first] as number) | (head & tail);
    return;
  }
  bytes[first] = (bytes[first] as number) | head;
  bytes.fill(0xff, first + 1, last);
  bytes[last] = (bytes[last] as number) | tail;
}

function orBytes(target: Uint8Array, source: Uint8Array, at: number): void {
  for (let i = 0; i < source.length; i++) {
    const byte = source[i] as number;
    if (byte !== 0) target[at + i] = (target[at + i] as number) | byte;
  }
}
