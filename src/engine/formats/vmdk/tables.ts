/**
 * Grain directories and grain tables. The directory is kept in memory, tables are read in long
 * stretches, of which one is kept.
 */
import { MIB, SECTOR, TWO_32 } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import { gather } from '../../storage/gather.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { imageFault } from '../fault.ts';
import { ZEROED } from './layout.ts';
import type { SparseLayout } from './sparse-header.ts';

/** What stands in a decoded table where no offset does. */
export const NONE = -1;
export const ZERO = -2;
export const INVALID = -3;

/** In a directory in memory: the entry makes no sense. No table begins at the last sector of all. */
const BAD_TABLE = 0xffffffff;
/** Bytes that the directories of one image may take in memory. */
const DIRECTORY_BUDGET = 32 * MIB;
/** Entries of the tables that are decoded at once. */
const WINDOW_ENTRIES = 256 * 1024;
/** Offsets from here on are no longer exact, and negative to QEMU. */
const BEYOND = 2 ** 63;

/** Decoded tables of a stretch of the directory. */
export interface TableWindow {
  /** Index of the first table in the directory. */
  readonly first: number;
  readonly count: number;
  /** Per grain: an offset in the file, bytes, or {@link NONE}, {@link ZERO}, {@link INVALID}. */
  readonly entries: Float64Array;
}

/** How much of the directories' budget is left: it is for all extents of an image together. */
export class DirectoryBudget {
  used = 0;

  /** @throws ImageError too-large */
  take(bytes: number): void {
    this.used += bytes;
    if (this.used <= DIRECTORY_BUDGET) return;
    const details = { what: 'grain directories', value: String(this.used) };
    throw new ImageError('too-large', { ...details, limit: DIRECTORY_BUDGET });
  }
}

/**
 * Reads a grain directory: for each table the sector where it is, 0 for none. What lies behind the end
 * of the file is left out.
 * @throws ImageError invalid-image, too-large and those of reading
 */
export async function readDirectory(
  storage: Storage,
  layout: SparseLayout,
  sector: number,
  budget: DirectoryBudget,
): Promise<Uint32Array<ArrayBuffer>> {
  const { directorySize, entrySize } = layout;
  const at = sector * SECTOR;
  if (at >= BEYOND) {
    const what = `Could not read l1 table from extent '${storage.name}'`;
    imageFault('vmdk', 'table-place', { message: `${what}: Input/output error` });
  }
  const there = Math.max(0, Math.ceil((storage.size - at) / entrySize));
  const count = Math.min(directorySize, there);
  budget.take(count * 4);
  const directory = new Uint32Array(count);
  const step = MIB / entrySize;
  for (let first = 0; first < count; first += step) {
    const some = Math.min(step, count - first);
    const bytes = await readPadded(storage, at + first * entrySize, some * entrySize);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (let i = 0; i < some; i++) {
      directory[first + i] =
        entrySize === 4
          ? view.getUint32(i * 4, true)
          : seTable(layout, view.getUint32(i * 8, true), view.getUint32(i * 8 + 4, true));
    }
  }
  return directory;
}

/** seSparse: an entry counts tables; its uppermost half says whether there is one. */
function seTable({ tablesBase, entriesPerTable }: SparseLayout, low: number, high: number): number {
  if (low === 0 && high === 0) return 0;
  if (high !== 0x10000000) return BAD_TABLE;
  const sector = tablesBase + low * ((entriesPerTable * 8) / SECTOR);
  return sector < TWO_32 ? sector : BAD_TABLE;
}

/** The tables of one sparse extent. */
export class GrainTables {
  readonly storage: Storage;
  readonly layout: SparseLayout;
  /** Sector of each table, as far as the directory is in the file. */
  readonly directory: Uint32Array<ArrayBuffer>;
  #kept: TableWindow | undefined;

  constructor(storage: Storage, layout: SparseLayout, directory: Uint32Array<ArrayBuffer>) {
    this.storage = storage;
    this.layout = layout;
    this.directory = directory;
  }

  /** Tables that are decoded at once. */
  get windowTables(): number {
    return Math.max(1, Math.floor(WINDOW_ENTRIES / this.layout.entriesPerTable));
  }

  /**
   * Sector of a table, {@link NONE} where there is none, {@link INVALID} where it makes no sense:
   * not in the directory or not in the file.
   */
  placeOf(index: number): number {
    const { directory, storage } = this;
    const sector = directory[index];
    if (sector === undefined) return INVALID;
    if (sector === 0) return NONE;
    const isBad = this.layout.kind === 'se' && sector === BAD_TABLE;
    return isBad || sector * SECTOR >= storage.size ? INVALID : sector;
  }

  /**
   * Tables from `first` on that are all missing or all senseless, for which nothing has to be read;
   * one table, where there is one. `last` is the last that counts.
   */
  runOf(first: number, last: number): { place: number; count: number } {
    const place = this.placeOf(first);
    if (place >= 0) return { place, count: 1 };
    // The directory may be much shorter than the disk wants it to be.
    if (first >= this.directory.length) return { place, count: last - first + 1 };
    const end = Math.min(last + 1, this.directory.length);
    let index = first + 1;
    while (index < end && this.placeOf(index) === place) index++;
    return { place, count: index - first };
  }

  /** Whether QEMU refuses a table; it reads zeros where the file ends before. */
  isRefused(index: number): boolean {
    const { directory, layout } = this;
    if (index >= layout.directorySize) return true;
    return layout.kind === 'se' && directory[index] === BAD_TABLE;
  }

  /** The tables from `first` on, `count` at most and at least one. They stay until the next call. */
  async window(first: number, count: number): Promise<TableWindow> {
    const kept = this.#kept;
    if (kept !== undefined && kept.first <= first && first < kept.first + kept.count) return kept;
    const { entriesPerTable, entrySize } = this.layout;
    const most = Math.min(count, this.windowTables, this.directory.length - first);
    let some = 1;
    // What is out of reach is no part of it: that is one run, and not one for each grain.
    while (some < most && this.placeOf(first + some) !== INVALID) some++;
    const entries = new Float64Array(some * entriesPerTable).fill(NONE);
    const pieces: { offset: number; length: number; index: number }[] = [];
    const length = entriesPerTable * entrySize;
    for (let index = 0; index < some; index++) {
      const sector = this.placeOf(first + index);
      const start = index * entriesPerTable;
      if (sector >= 0) pieces.push({ offset: sector * SECTOR, length, index });
      else if (sector === INVALID) entries.fill(INVALID, start, start + entriesPerTable);
    }
    await gather(this.storage, pieces, ({ index }, bytes) => {
      const start = index * entriesPerTable;
      decodeTable(this.layout, bytes, entries.subarray(start, start + entriesPerTable));
    });
    this.#kept = { first, count: some, entries };
    return this.#kept;
  }

  /** Forgets what is kept: the file was written to. */
  forget(): void {
    this.#kept = undefined;
  }
}

/** Offsets in bytes out of the bytes of a grain table. */
export function decodeTable(layout: SparseLayout, bytes: Uint8Array, target: Float64Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (layout.entrySize === 8) {
    for (let i = 0; i < target.length; i++) {
      target[i] = seGrain(layout, view.getUint32(i * 8, true), view.getUint32(i * 8 + 4, true));
    }
    return;
  }
  const { zeroedGrains } = layout;
  for (let i = 0; i < target.length; i++) {
    const sector = view.getUint32(i * 4, true);
    if (sector === 0) target[i] = NONE;
    else target[i] = zeroedGrains && sector === ZEROED ? ZERO : sector * SECTOR;
  }
}

/** seSparse: the uppermost four bits say what an entry is, the others are turned by twelve. */
function seGrain({ grainsBase, grainSectors }: SparseLayout, low: number, high: number): number {
  const type = high >>> 28;
  if (type === 0) return low === 0 && high === 0 ? NONE : INVALID;
  if (type === 1 || type === 2) return ZERO;
  if (type !== 3) return INVALID;
  const grain = ((high >>> 16) & 0xfff) + ((high & 0xffff) * TWO_32 + low) * 4096;
  const offset = (grainsBase + grain * grainSectors) * SECTOR;
  return Number.isSafeInteger(offset) ? offset : INVALID;
}
