/** The extents that a disk is made of, each a stretch of it. */
import { SECTOR } from '../../binary/units.ts';
import type { Packing } from '../../codecs/packing.ts';
import { ExtentList } from '../extents.ts';
import type { Extent } from '../format.ts';
import { MissingStorage } from '../../storage/missing.ts';
import type { Storage } from '../../storage/storage.ts';
import type { ExtentLine } from './descriptor.ts';
import type { SparseLayout } from './sparse-header.ts';
import type { GrainTables } from './tables.ts';
import { INVALID, NONE, ZERO } from './tables.ts';

/** A stretch of the disk that one extent holds. */
export interface Segment {
  /** Guest offset and bytes. */
  readonly start: number;
  readonly length: number;
  readonly storage: Storage;
  /** As the descriptor has it; '' for the extent that the descriptor is embedded in. */
  readonly type: string;
  readonly access: ExtentLine['access'];
  /** Its file was not given. */
  readonly missing: boolean;
  /** Bytes of a grain; 0 where there are none. */
  readonly grainBytes: number;
  /** The runs of a range within it, bytes; `most` is how many are enough. */
  map(offset: number, end: number, most: number): Promise<Extent[]>;
}

interface Place {
  readonly start: number;
  readonly length: number;
  readonly type: string;
  readonly access: ExtentLine['access'];
}

/** Bytes as they are, zeros, or a file that was not given. */
export class PlainSegment implements Segment {
  readonly start: number;
  readonly length: number;
  readonly type: string;
  readonly access: ExtentLine['access'];
  readonly storage: Storage;
  readonly missing: boolean;
  readonly grainBytes = 0;
  /** Where it begins in the file, bytes; -1 where nobody knows. */
  readonly hostOffset: number;

  constructor(place: Place, storage: Storage, hostOffset: number) {
    this.start = place.start;
    this.length = place.length;
    this.type = place.type;
    this.access = place.access;
    this.storage = storage;
    this.hostOffset = hostOffset;
    this.missing = storage instanceof MissingStorage;
  }

  map(offset: number, end: number): Promise<Extent[]> {
    const list = new ExtentList(this.storage);
    const length = end - offset;
    const host = this.hostOffset < 0 ? -1 : this.hostOffset + offset - this.start;
    list.add(this.type === 'ZERO' ? 'zero' : 'data', offset, length, host);
    // What may not be accessed is as good as missing.
    const isUnknown = this.missing || this.access === 'NOACCESS';
    if (isUnknown) {
      for (const extent of list.extents) {
        extent.unknown = true;
        extent.reason = 'extent-missing';
      }
    }
    return Promise.resolve(list.extents);
  }
}

/** An extent with grain tables. */
export class SparseSegment implements Segment {
  readonly start: number;
  readonly length: number;
  readonly type: string;
  readonly access: ExtentLine['access'];
  readonly storage: Storage;
  readonly missing = false;
  readonly grainBytes: number;
  readonly tables: GrainTables;
  readonly layout: SparseLayout;

  constructor(place: Place, tables: GrainTables) {
    this.start = place.start;
    this.length = place.length;
    this.type = place.type;
    this.access = place.access;
    this.tables = tables;
    this.storage = tables.storage;
    this.layout = tables.layout;
    this.grainBytes = this.layout.grainSectors * SECTOR;
  }

  /** How its grains are packed; undefined where they are not. */
  get packing(): Packing | undefined {
    if (!this.layout.compressed) return undefined;
    return this.layout.markers ? 'zlib-grain' : 'zlib-stream';
  }

  async map(offset: number, end: number, most: number): Promise<Extent[]> {
    const list = new ExtentList(this.storage);
    const { entriesPerTable } = this.layout;
    const tableBytes = entriesPerTable * this.grainBytes;
    for (let at = offset; at < end && list.length < most;) {
      const first = Math.floor((at - this.start) / tableBytes);
      const last = Math.floor((end - 1 - this.start) / tableBytes);
      const { place, count } = this.tables.runOf(first, last);
      if (place < 0) {
        const until = Math.min(end, this.start + (first + count) * tableBytes);
        if (place === NONE) list.add('unallocated', at, until - at, -1);
        else list.addInvalid(at, until - at, -1, 'block-outside');
        at = until;
        continue;
      }
      const window = await this.tables.window(first, last - first + 1);
      const stop = Math.min(end, this.start + (window.first + window.count) * tableBytes);
      const base = window.first * entriesPerTable;
      at = this.#addGrains(list, window.entries, base, { at, stop, most });
    }
    this.#finishPacked(list.extents);
    return list.extents;
  }

  /** Adds runs up to `stop` or until there are enough. @returns where it ended */
  #addGrains(
    list: ExtentList,
    entries: Float64Array,
    base: number,
    { at, stop, most }: { at: number; stop: number; most: number },
  ): number {
    const { grainBytes, start } = this;
    const isPacked = this.layout.compressed;
    let offset = at;
    for (let index = Math.floor((at - start) / grainBytes) - base; offset < stop; index++) {
      if (list.length >= most) break;
      const grain = start + (index + base) * grainBytes;
      const end = Math.min(stop, grain + grainBytes);
      const length = end - offset;
      const entry = entries[index] ?? INVALID;
      if (entry >= 0 && isPacked) list.addCompressed(grain, end - grain, entry, 0);
      else if (entry >= 0) list.add('data', offset, length, entry + offset - grain);
      else if (entry === NONE) list.add('unallocated', offset, length, -1);
      else if (entry === ZERO) list.add('zero', offset, length, -1);
      else list.addInvalid(offset, length, -1, 'block-outside');
      if (entry >= 0 && isPacked && offset > grain) cutFront(list.extents.at(-1), offset);
      offset = end;
    }
    return offset;
  }

  /**
   * How a packed grain is packed, and how long it is at most: QEMU reads two grains' worth of bytes;
   * mostly the next grain begins before that.
   */
  #finishPacked(extents: readonly Extent[]): void {
    const { packing, grainBytes, storage } = this;
    if (packing === undefined) return;
    let next = Infinity;
    for (let i = extents.length - 1; i >= 0; i--) {
      const extent = extents[i];
      if (extent?.kind !== 'compressed') continue;
      const { hostOffset } = extent;
      const room = Math.min(2 * grainBytes, Math.max(SECTOR, storage.size - hostOffset));
      extent.hostLength = next > hostOffset ? Math.min(room, next - hostOffset) : room;
      extent.packing = packing;
      const left = this.start + this.length - extent.clusterOffset;
      extent.unpackedLength = Math.min(grainBytes, left);
      next = hostOffset;
    }
  }
}

/** A packed grain that the range begins within. */
function cutFront(extent: Extent | undefined, offset: number): void {
  if (extent === undefined) return;
  extent.length -= offset - extent.offset;
  extent.offset = offset;
}
