/** Guest offset → where its bytes are, for formats with an L1 table in memory and L2 tables. */
import type { Storage } from '../storage/storage.ts';
import type { UnreadableReason } from '../errors.ts';
import { clip, ExtentList } from './extents.ts';
import type { Extent } from './format.ts';
import type { L2Cache, Table } from './tables.ts';

/** What an L1 entry says. */
export interface L1Entry {
  /** Where the L2 table begins, bytes; 0: there is none. */
  readonly offset: number;
  /** Why there cannot be one at that place. */
  readonly fault?: UnreadableReason;
}

/** How the tables of an image are made. Sizes in bytes. */
export interface TwoLevels {
  readonly storage: Storage;
  /** Of the disk. */
  readonly size: number;
  readonly clusterSize: number;
  /** Entries of an L2 table. */
  readonly l2Entries: number;
  /** L2 tables come in pieces of so many entries: all of it, or a whole part. */
  readonly pieceEntries: number;
  readonly cache: L2Cache;
  l1Entry(index: number): L1Entry;
  /** Adds the extent of an L2 entry. */
  addEntry(list: ExtentList, high: number, low: number, guest: number): void;
}

/** A batch of extents ends after about this many. */
const EXTENTS_AT_ONCE = 64 * 1024;

/** As `Disk.map`. */
export async function mapTwoLevels(
  levels: TwoLevels,
  offset: number,
  length: number,
  most = EXTENTS_AT_ONCE,
): Promise<Extent[]> {
  const { clusterSize, pieceEntries, cache } = levels;
  const end = Math.min(offset + length, levels.size);
  const coverage = levels.l2Entries * clusterSize;
  const pieces = plan(levels, offset, end);
  const tables = await cache.load(pieces.wanted);
  const list = new ExtentList(levels.storage);
  const from = Math.floor(offset / (pieceEntries * clusterSize)) * pieceEntries * clusterSize;
  for (let guest = from; guest < pieces.end && list.length < most;) {
    const entry = levels.l1Entry(Math.floor(guest / coverage));
    const tableEnd = (Math.floor(guest / coverage) + 1) * coverage;
    if (entry.fault !== undefined) {
      list.addInvalid(guest, tableEnd - guest, entry.offset, entry.fault);
      guest = tableEnd;
    } else if (entry.offset === 0) {
      list.add('unallocated', guest, tableEnd - guest, -1);
      guest = tableEnd;
    } else {
      const place = entry.offset + ((guest % coverage) / clusterSize) * 8;
      addPiece(levels, list, { guest, place, from: offset, end, most }, tables.get(place));
      guest += pieceEntries * clusterSize;
    }
  }
  return clip(list.extents, offset, end);
}

/** The pieces that are read together, and the guest offset up to which they are enough. */
function plan(levels: TwoLevels, offset: number, end: number): { wanted: number[]; end: number } {
  const { clusterSize, pieceEntries, cache } = levels;
  const coverage = levels.l2Entries * clusterSize;
  const step = pieceEntries * clusterSize;
  const wanted: number[] = [];
  let guest = Math.floor(offset / step) * step;
  while (guest < end && wanted.length < cache.batch) {
    const index = Math.floor(guest / coverage);
    const entry = levels.l1Entry(index);
    if (entry.fault !== undefined || entry.offset === 0) {
      // A long stretch without tables costs nothing: let it run on.
      guest = (index + 1) * coverage;
      continue;
    }
    wanted.push(entry.offset + ((guest % coverage) / clusterSize) * 8);
    guest += step;
  }
  return { wanted, end: Math.min(end, guest) };
}

interface Piece {
  /** Guest offset of its first entry, and its place in the file. */
  readonly guest: number;
  readonly place: number;
  /** What was asked for. */
  readonly from: number;
  readonly end: number;
  readonly most: number;
}

function addPiece(
  levels: TwoLevels,
  list: ExtentList,
  { guest, place, from, end, most }: Piece,
  table: Table | undefined,
): void {
  const { clusterSize, pieceEntries, cache } = levels;
  if (table === undefined) {
    list.addInvalid(guest, pieceEntries * clusterSize, place, 'l2-unaligned');
    return;
  }
  const holes = cache.holesOf(place);
  const first = Math.max(0, Math.floor((from - guest) / clusterSize));
  const last = Math.min(pieceEntries, Math.ceil((end - guest) / clusterSize));
  for (let i = first; i < last && list.length < most; i++) {
    const at = guest + i * clusterSize;
    const byte = place + i * 8;
    if (holes.some((hole) => byte + 8 > hole.offset && byte < hole.offset + hole.length)) {
      list.addInvalid(at, clusterSize, place, 'l2-unreadable');
    } else {
      levels.addEntry(list, table[i * 2] as number, table[i * 2 + 1] as number, at);
    }
  }
}
