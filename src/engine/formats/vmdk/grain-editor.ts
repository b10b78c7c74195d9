/** Grain tables that are written to: some in memory, the others in the file, both copies alike. */
import { MIB, SECTOR } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { COWD_HEADER } from './layout.ts';
import type { SparseLayout } from './sparse-header.ts';

/** Bytes of tables that are kept in memory. */
const TABLE_BUDGET = 32 * MIB;
/** Bytes of one write of neighbouring tables. */
const WRITE_BYTES = MIB;
/** Sectors that an entry can name. */
const MOST_SECTORS = 2 ** 32;

/** The tables of one extent that is written to. */
export class GrainEditor {
  readonly storage: Storage;
  readonly layout: SparseLayout;
  /** First sector behind everything. */
  nextSector: number;
  readonly #directory: Uint32Array<ArrayBuffer>;
  readonly #redundant: Uint32Array<ArrayBuffer> | undefined;
  readonly #tables = new Map<number, Uint32Array<ArrayBuffer>>();
  readonly #changed = new Set<number>();
  readonly #most: number;
  /** {@link nextSector} when the file was opened, or when it was last noted in the header. */
  #notedSector: number;

  /** @param directories the directory and, where there is one, its copy: whole ones */
  constructor(
    storage: Storage,
    layout: SparseLayout,
    directories: readonly [Uint32Array<ArrayBuffer>, Uint32Array<ArrayBuffer> | undefined],
  ) {
    this.storage = storage;
    this.layout = layout;
    [this.#directory, this.#redundant] = directories;
    this.#most = Math.max(4, Math.floor(TABLE_BUDGET / (layout.entriesPerTable * 4)));
    const end = Math.ceil(storage.size / SECTOR);
    this.nextSector = Math.ceil(end / layout.grainSectors) * layout.grainSectors;
    this.#notedSector = this.nextSector;
  }

  /**
   * A table, to be read; changes are announced by {@link touch}. It counts until the next call.
   * @throws ImageError image-damaged and those of reading
   */
  async table(index: number): Promise<Uint32Array<ArrayBuffer>> {
    const known = this.#tables.get(index);
    if (known !== undefined) return known;
    if (this.#tables.size >= this.#most) await this.#evict();
    const { entriesPerTable } = this.layout;
    const table = new Uint32Array(entriesPerTable);
    const sector = this.#placeOf(this.#directory, index);
    if (sector > 0) {
      const bytes = await readPadded(this.storage, sector * SECTOR, entriesPerTable * 4);
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      for (let i = 0; i < entriesPerTable; i++) table[i] = view.getUint32(i * 4, true);
    }
    this.#tables.set(index, table);
    return table;
  }

  /** The same without a turn of the event loop, where the table is at hand. */
  ready(index: number): Uint32Array<ArrayBuffer> | undefined {
    return this.#tables.get(index);
  }

  /** Whether {@link touch} was called since the last flush. */
  isTouched(index: number): boolean {
    return this.#changed.has(index);
  }

  /** A table is about to be changed: it has to have a place. @throws ImageError image-damaged */
  async touch(index: number): Promise<void> {
    if (this.#changed.has(index)) return;
    await this.#givePlace(this.#directory, this.layout.directory, index);
    const redundant = this.#redundant;
    if (redundant !== undefined) {
      await this.#givePlace(redundant, this.layout.redundantDirectory, index);
    }
    this.#changed.add(index);
  }

  /** Takes sectors behind everything. @throws ImageError too-large */
  allocate(sectors: number): number {
    const sector = this.nextSector;
    if (sector >= MOST_SECTORS) {
      const details = { what: 'sectors of a VMDK extent', value: String(sector) };
      throw new ImageError('too-large', { ...details, limit: MOST_SECTORS });
    }
    this.nextSector += sectors;
    return sector;
  }

  /** Writes the tables that were changed. */
  async flush(): Promise<void> {
    const changed = [...this.#changed].sort((a, b) => a - b);
    this.#changed.clear();
    await this.#writeCopy(this.#directory, changed);
    if (this.#redundant !== undefined) await this.#writeCopy(this.#redundant, changed);
    if (this.layout.kind === 'cowd') await this.#noteNextSector();
  }

  /**
   * COWD says in its header where the next grain goes. QEMU leaves that as it was: whoever trusts it
   * would write over the grains that are new.
   */
  async #noteNextSector(): Promise<void> {
    const { nextSector } = this;
    if (nextSector === this.#notedSector) return;
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, Math.min(nextSector, MOST_SECTORS - 1), true);
    await this.storage.write(COWD_HEADER.fields.freeSector.offset, bytes);
    this.#notedSector = nextSector;
  }

  async #evict(): Promise<void> {
    await this.flush();
    this.#tables.clear();
  }

  /** Sector of a table, 0 where there is none. */
  #placeOf(directory: Uint32Array, index: number): number {
    const sector = directory[index];
    if (sector === undefined || sector * SECTOR >= this.storage.size) {
      throw new ImageError('image-damaged', { name: this.storage.name, corruptions: 1 });
    }
    return sector;
  }

  async #givePlace(
    directory: Uint32Array<ArrayBuffer>,
    directorySector: number,
    index: number,
  ): Promise<void> {
    if (this.#placeOf(directory, index) > 0) return;
    const { entriesPerTable, grainSectors } = this.layout;
    const bytes = entriesPerTable * 4;
    const sectors = Math.ceil(bytes / SECTOR);
    // Grains stay where they would be without it: at multiples of their size.
    const sector = this.allocate(Math.ceil(sectors / grainSectors) * grainSectors);
    directory[index] = sector;
    await this.storage.write(sector * SECTOR, new Uint8Array(bytes));
    const entry = new Uint8Array(4);
    new DataView(entry.buffer).setUint32(0, sector, true);
    await this.storage.write(directorySector * SECTOR + index * 4, entry);
  }

  /** Neighbours in the file are written together. */
  async #writeCopy(directory: Uint32Array, indexes: readonly number[]): Promise<void> {
    const tableBytes = this.layout.entriesPerTable * 4;
    for (let at = 0; at < indexes.length;) {
      const offset = (directory[indexes[at] ?? 0] ?? 0) * SECTOR;
      let count = 1;
      while ((count + 1) * tableBytes <= WRITE_BYTES) {
        const next = directory[indexes[at + count] ?? -1];
        if (next === undefined || next * SECTOR !== offset + count * tableBytes) break;
        count++;
      }
      const bytes = new Uint8Array(count * tableBytes);
      for (let i = 0; i < count; i++) {
        this.#encode(indexes[at + i] ?? 0, bytes.subarray(i * tableBytes, (i + 1) * tableBytes));
      }
      await this.storage.write(offset, bytes);
      at += count;
    }
  }

  #encode(index: number, bytes: Uint8Array): void {
    const table = this.#tables.get(index);
    if (table === undefined) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (const [i, entry] of table.entries()) view.setUint32(i * 4, entry, true);
  }
}
