/** The block allocation table: where each block is. [MS-VHDX] section 2.5. */
import { divideRoundUp, TWO_32 } from '../../binary/units.ts';
import type { Storage } from '../../storage/storage.ts';
import { L2Cache, type Table } from '../tables.ts';
import { fault, FARTHEST, IO_ERROR } from './faults.ts';
import { CHUNK_SECTORS } from './layout.ts';
import type { Metadata } from './metadata.ts';
import type { Region } from './regions.ts';

/** The table is read in pages, of which some are kept. Bytes. */
const PAGE_BYTES = 64 * 1024;
const PAGE_ENTRIES = PAGE_BYTES / 8;
/** QEMU reads no more at once, and it reads the table at once. Bytes. */
const LONGEST = 2 ** 31 - 512;

/** How blocks are numbered: the bitmap block of a chunk comes behind the blocks of the chunk. */
export class BatLayout {
  readonly offset: number;
  /** Blocks of a chunk: those that one bitmap block has bits for. */
  readonly ratio: number;
  /** Of the guest's content. */
  readonly blocks: number;
  /** Entries that the table has to have. */
  readonly count: number;

  /** @throws ImageError invalid-image where the table is too small */
  constructor(
    region: Region,
    metadata: Pick<Metadata, 'recordedSize' | 'blockSize' | 'sectorSize' | 'parent'>,
  ) {
    const { recordedSize, blockSize, sectorSize, parent } = metadata;
    this.offset = region.offset;
    this.ratio = (CHUNK_SECTORS * sectorSize) / blockSize;
    this.blocks = divideRoundUp(recordedSize, blockSize);
    if (parent !== undefined) {
      this.count = divideRoundUp(this.blocks, this.ratio) * (this.ratio + 1);
    } else {
      this.count = entriesOf(this.blocks, this.ratio);
    }
    if (this.count > Math.floor(region.length / 8)) {
      fault('table-size', 'block allocation table', this.count);
    }
    const isTooFar = BigInt(region.offset) > FARTHEST - BigInt(region.length);
    if (isTooFar || region.length > LONGEST) {
      fault('table-place', 'block allocation table', region.offset, IO_ERROR);
    }
  }

  entryOfBlock(block: number): number {
    return block + Math.floor(block / this.ratio);
  }

  /** Of the bitmap for the chunk that a block is in. */
  entryOfBitmap(block: number): number {
    return (Math.floor(block / this.ratio) + 1) * (this.ratio + 1) - 1;
  }

  /** Whether an entry is that of a bitmap. */
  isBitmap(entry: number): boolean {
    return entry % (this.ratio + 1) === this.ratio;
  }

  /** Of an entry that is no bitmap's. */
  blockOfEntry(entry: number): number {
    return entry - Math.floor(entry / (this.ratio + 1));
  }
}

/**
 * Entries of a disk without a parent. QEMU counts with 32 bits, so that a disk without a size gets
 * a large table.
 */
export function entriesOf(blocks: number, ratio: number): number {
  const before = blocks === 0 ? TWO_32 - 1 : blocks - 1;
  return blocks + Math.floor(before / ratio);
}

/** Some entries of the table in memory. */
export interface BatPart {
  /** The first of them. */
  readonly first: number;
  /** Behind the last. */
  readonly end: number;
  high(entry: number): number;
  low(entry: number): number;
  /** The medium does not give it. */
  isLost(entry: number): boolean;
}

/** Reads the table where it is needed. */
export class BatReader {
  readonly #layout: BatLayout;
  readonly #cache: L2Cache;

  constructor(storage: Storage, layout: BatLayout) {
    this.#layout = layout;
    this.#cache = new L2Cache(storage, PAGE_BYTES, { order: 'little', alignment: 1 });
  }

  /** The entries from `first` on, as many as are at hand at once, at most up to `end`. */
  async load(first: number, end: number): Promise<BatPart> {
    const { offset, count } = this.#layout;
    const firstPage = Math.floor(first / PAGE_ENTRIES);
    const pages = Math.min(
      Math.ceil(Math.min(end, count) / PAGE_ENTRIES) - firstPage,
      this.#cache.batch,
    );
    const places = Array.from(
      { length: pages },
      (_, index) => offset + (firstPage + index) * PAGE_BYTES,
    );
    const tables = await this.#cache.load(places);
    const holes = places.flatMap((place) => this.#cache.holesOf(place));
    const word = (entry: number, half: 0 | 1): number => {
      const page = Math.floor(entry / PAGE_ENTRIES);
      const table: Table | undefined = tables.get(offset + page * PAGE_BYTES);
      return table?.[(entry - page * PAGE_ENTRIES) * 2 + half] ?? 0;
    };
    return {
      first,
      end: Math.min(end, count, (firstPage + pages) * PAGE_ENTRIES),
      high: (entry) => word(entry, 0),
      low: (entry) => word(entry, 1),
      isLost: (entry) => {
        const at = offset + entry * 8;
        return holes.some((hole) => at < hole.offset + hole.length && at + 8 > hole.offset);
      },
    };
  }
}
