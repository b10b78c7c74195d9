/**
 * Which entry leads to an address of the file. Nothing has an index of that, so the tables are
 * walked, as far as that takes no time to speak of.
 */
import { isAligned, TWO_32 } from '../../binary/units.ts';
import { readPadded } from '../../storage/storage.ts';
import { fitting } from '../structure.ts';
import { BITMAP_ENTRY, LIMITS, SNAPSHOT_ENTRY } from './layout.ts';
import { compressedLayout, compressedLength, compressedOffset } from './mapping.ts';
import { bitmapPlaces, snapshotPlaces } from './structure-lists.ts';
import type { Looked } from './structure-tables.ts';
import { COMPRESSED_HIGH, entryOffset, readTable, type Table } from './tables.ts';

/** Bytes of tables that are read in search of one address: L2 tables of 1 TiB at 64 KiB. */
const MOST_READ = 128 * 1024 * 1024;

/** The id of the structure with the address in it, or of the entry that points to it; '' for none. */
export async function structureAt(looked: Looked, address: number): Promise<string> {
  return new Finder(looked, address).find();
}

/** An L1 table and its id. */
interface Mapping {
  readonly id: string;
  readonly offset: number;
  readonly table: Table;
}

class Finder {
  readonly #looked: Looked;
  readonly #address: number;
  #left = MOST_READ;

  constructor(looked: Looked, address: number) {
    this.#looked = looked;
    this.#address = address;
  }

  async find(): Promise<string> {
    const { header } = this.#looked;
    const { refcountTableOffset, refcountTableClusters, clusterSize } = header;
    const blocks = await this.#table(
      refcountTableOffset,
      (refcountTableClusters * clusterSize) / 8,
    );
    const block = this.#entryWith(blocks, (high, low) => high * TWO_32 + ((low & ~511) >>> 0));
    if (block >= 0) return `refcounts/${String(block)}/block`;
    const mappings = [await this.#mapping('l1', header.l1TableOffset, header.l1Size)];
    mappings.push(...(await this.#snapshots()));
    for (const { id, offset, table } of mappings) {
      if (this.#isIn(offset, table.length * 4)) return id;
      const l2 = this.#entryWith(table, entryOffset);
      if (l2 >= 0) return `${id}/${String(l2)}/l2`;
    }
    const bitmap = await this.#bitmap();
    if (bitmap !== '' || header.hasDataFile) return bitmap;
    for (const mapping of mappings) {
      const entry = await this.#data(mapping);
      if (entry !== '') return entry;
    }
    return '';
  }

  async #snapshots(): Promise<Mapping[]> {
    const { storage } = this.#looked;
    const { places } = await snapshotPlaces(this.#looked);
    const mappings: Mapping[] = [];
    for (const [index, { offset }] of places.entries()) {
      const fixed = SNAPSHOT_ENTRY.read(await readPadded(storage, offset, SNAPSHOT_ENTRY.size));
      const id = `snapshots/${String(index)}/l1`;
      mappings.push(await this.#mapping(id, fixed.l1TableOffset, fixed.l1Size));
      if (this.#left <= 0) break;
    }
    return mappings;
  }

  async #bitmap(): Promise<string> {
    const { storage } = this.#looked;
    const { places } = await bitmapPlaces(this.#looked);
    for (const [index, { offset }] of places.entries()) {
      const fixed = BITMAP_ENTRY.read(await readPadded(storage, offset, BITMAP_ENTRY.size));
      const id = `bitmaps/${String(index)}/table`;
      const size = Math.min(fixed.tableSize, LIMITS.bitmapTableEntries);
      const table = await this.#table(fixed.tableOffset, size);
      if (this.#isIn(fixed.tableOffset, table.length * 4)) return id;
      const entry = this.#entryWith(table, entryOffset);
      if (entry >= 0) return `${id}/${String(entry)}`;
    }
    return '';
  }

  async #mapping(id: string, offset: number, size: number): Promise<Mapping> {
    return { id, offset, table: await this.#table(offset, Math.min(size, LIMITS.l1Bytes / 8)) };
  }

  /** As much of a table as is in the file and may still be read. */
  async #table(offset: number, size: number): Promise<Table> {
    const { storage } = this.#looked;
    const count = Math.min(fitting(storage, offset, size, 64), Math.floor(this.#left / 8));
    this.#left -= count * 8;
    return readTable(storage, offset, Math.max(0, count));
  }

  #isIn(offset: number, length: number): boolean {
    return this.#address >= offset && this.#address < offset + length;
  }

  /** The entry that points to the cluster with the address; -1 for none. */
  #entryWith(table: Table, offsetOf: (high: number, low: number) => number): number {
    const { clusterSize } = this.#looked.header;
    for (let i = 0; i < table.length; i += 2) {
      const offset = offsetOf(table[i] ?? 0, table[i + 1] ?? 0);
      if (offset !== 0 && this.#isIn(offset, clusterSize)) return i / 2;
    }
    return -1;
  }

  async #data({ id, table }: Mapping): Promise<string> {
    const { header } = this.#looked;
    const { clusterSize } = header;
    for (let i = 0; i < table.length && this.#left > 0; i += 2) {
      const offset = entryOffset(table[i] ?? 0, table[i + 1] ?? 0);
      if (offset === 0 || !isAligned(offset, clusterSize)) continue;
      const entry = this.#dataEntry(await this.#table(offset, clusterSize / 8));
      if (entry >= 0) return `${id}/${String(i / 2)}/l2/${String(entry)}`;
    }
    return '';
  }

  #dataEntry(table: Table): number {
    const { clusterBits, clusterSize, extendedL2 } = this.#looked.header;
    const layout = compressedLayout(clusterBits);
    const words = extendedL2 ? 4 : 2;
    for (let i = 0; i < table.length; i += words) {
      const high = table[i] ?? 0;
      const low = table[i + 1] ?? 0;
      const isPacked = (high & COMPRESSED_HIGH) !== 0;
      const offset = isPacked ? compressedOffset(layout, high, low) : entryOffset(high, low);
      const length = isPacked ? compressedLength(layout, high, low) : clusterSize;
      if (offset !== 0 && this.#isIn(offset, length)) return i / words;
    }
    return -1;
  }
}
