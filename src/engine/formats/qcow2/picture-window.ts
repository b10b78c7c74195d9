/**
 * What every cluster of a part of the file is: all tables are gone through once, who uses each
 * cluster is held against the refcounts that the file has, and of both a cell is made.
 */
import { ImageError } from '../../errors.ts';
import { gather } from '../../storage/gather.ts';
import { cellOf, HAS_DAMAGE, HAS_LEAK, type Walk } from '../picture-kinds.ts';
import { readBitmapTable, snapshotFault, walkL2 } from './check/walk.ts';
import type { Qcow2Image } from './image.ts';
import { compressedLayout, compressedLength, compressedOffset } from './mapping.ts';
import {
  CLASH,
  Claims,
  MERGED,
  NO_INDEX,
  OWNER,
  OWNER_CELLS,
  OWNERS,
  type WindowPlace,
} from './picture-claims.ts';
import type { TableList } from './picture-tables.ts';
import { decodeBlock, type RefcountBlock, type RefcountTable } from './refcounts.ts';
import type { ClusterSets } from './survey-sets.ts';
import { COMPRESSED_HIGH, entryOffset, OFFSET_HIGH, ZERO_LOW } from './tables.ts';

/** Bytes of refcount blocks that are read together: as many as are worth several requests at once. */
const BATCH_BYTES = 16 * 1024 * 1024;
/** Bytes of bitmap tables that any image may have, whatever the size of its file. */
const LEAST_BITMAP_BYTES = 64 * 1024 * 1024;

/** A part of the file, all of it unless it is very large. */
export interface Window {
  readonly claims: Claims;
  /** A cell for each cluster. */
  readonly cells: Uint8Array;
}

/** What a walk needs of an image, read once. */
export interface Tables {
  readonly image: Qcow2Image;
  readonly list: TableList;
  readonly refcounts: RefcountTable;
}

/** What else is asked on the way. */
export interface WindowExtra {
  /** Learns which snapshots use each cluster; `current` is told whose the next ones are. */
  readonly sets?: ClusterSets | undefined;
  /** The sets for what each table of the list leads to, and for its own cluster. */
  readonly content?: Uint32Array;
  readonly own?: Uint32Array;
  /** Gets to see every L2 table of the list, once. */
  readonly table?: ((bytes: Uint8Array, number: number) => void) | undefined;
  /** Gets to see every packed cluster of these tables. Bytes of the file. */
  readonly packed?: ((offset: number, length: number, use: TableUse) => void) | undefined;
}

/** @throws ImageError too-large, cancelled and those of reading */
export async function walkWindow(
  tables: Tables,
  place: WindowPlace,
  walk: Walk,
  extra: WindowExtra = {},
): Promise<Window> {
  const { image, list } = tables;
  const { header, storage, clusterSize } = image;
  const { refcountBits } = header;
  const { sets } = extra;
  const claims = new Claims(place, { clusterSize, size: storage.size, refcountBits }, sets);
  walk.expect((list.entries.length / 2) * clusterSize);
  claims.claim(0, clusterSize, OWNER.header);
  claims.claim(header.l1TableOffset, header.l1Size * 8, OWNER.l1);
  claimRefcounts(tables, claims);
  if (header.luks !== undefined) {
    claims.claim(header.luks.offset, header.luks.length, OWNER.crypto);
  }
  claims.claim(header.snapshotsOffset, image.snapshotTable.size, OWNER.snapshots);
  for (const [index, snapshot] of image.snapshots.entries()) {
    if (snapshotFault(image, snapshot) !== undefined) continue;
    const { l1TableOffset, l1Size } = snapshot;
    sets?.enter(sets.family.ofSnapshot(index));
    claims.claim(l1TableOffset, l1Size * 8, OWNER.snapshots, 1, index);
    sets?.enter(0);
  }
  await claimBitmaps(image, claims, walk);
  await claimTables(tables, claims, walk, extra);
  return { claims, cells: await settle(tables, claims, walk) };
}

/** As a check counts them: what makes no sense leads nowhere. */
function claimRefcounts({ image, refcounts }: Tables, claims: Claims): void {
  const { header, clusterSize, storage } = image;
  claims.claim(header.refcountTableOffset, refcounts.entries * 8, OWNER.refcounts);
  for (let index = 0; index < refcounts.entries; index++) {
    const offset = refcounts.offset(index);
    if (offset === 0 || refcounts.hasReservedBits(index) || offset >= storage.size) continue;
    if (!refcounts.isAligned(index)) continue;
    claims.claim(offset, clusterSize, OWNER.refcounts, 1, index);
  }
}

async function claimBitmaps(image: Qcow2Image, claims: Claims, walk: Walk): Promise<void> {
  const { bitmaps } = image.header;
  if (bitmaps === undefined) return;
  claims.claim(bitmaps.directoryOffset, bitmaps.directorySize, OWNER.bitmaps);
  // Tables of their own cannot be longer together than their file: somebody wants us to hang.
  const limit = Math.max(image.storage.size, LEAST_BITMAP_BYTES);
  let bytes = 0;
  for (const [number, bitmap] of image.bitmaps.entries()) {
    claims.claim(bitmap.tableOffset, bitmap.tableSize * 8, OWNER.bitmaps, 1, number);
    for await (const table of readBitmapTable({ image, passed: walk.passed.bind(walk) }, bitmap)) {
      bytes += table.byteLength;
      if (bytes > limit) {
        throw new ImageError('too-large', { what: 'bitmap tables', value: String(bytes), limit });
      }
      for (let i = 0; i < table.length; i += 2) {
        const offset = entryOffset(table[i] as number, table[i + 1] as number);
        if (offset !== 0) claims.claim(offset, image.clusterSize, OWNER.bitmaps, 1, number);
      }
    }
  }
}

/** The L2 tables, and what they lead to. */
async function claimTables(
  { image, list }: Tables,
  claims: Claims,
  walk: Walk,
  { sets, own, content, table, packed }: WindowExtra,
): Promise<void> {
  const { clusterSize } = image;
  const { entries, indexes, times, active } = list;
  for (let number = 0; number < times.length; number++) {
    const owner = number < active ? OWNER.l2 : OWNER.snapshotL2;
    const offset = entryOffset(entries[number * 2] as number, entries[number * 2 + 1] as number);
    sets?.enter(own?.[number] ?? 0);
    claims.claim(offset, clusterSize, owner, times[number], indexes[number]);
  }
  const claim = new TableClaim(image, claims, packed);
  for await (const batch of walkL2(image, entries)) {
    for (const { index: number, bytes } of batch) {
      if (bytes === undefined) continue;
      table?.(bytes, number);
      sets?.enter(content?.[number] ?? 0);
      claim.table(bytes, {
        index: indexes[number] as number,
        times: times[number] as number,
        isActive: number < active,
      });
    }
    await walk.passed(batch.length * clusterSize);
  }
}

/** An L2 table and who leads to it. */
export interface TableUse {
  /** In the L1 table. */
  readonly index: number;
  /** How many entries of L1 tables lead to it. */
  readonly times: number;
  readonly isActive: boolean;
}

/** Claims what the entries of L2 tables lead to. */
class TableClaim {
  readonly #image: Qcow2Image;
  readonly #claims: Claims;
  readonly #seePacked: WindowExtra['packed'];

  constructor(image: Qcow2Image, claims: Claims, packed: WindowExtra['packed']) {
    this.#image = image;
    this.#claims = claims;
    this.#seePacked = packed;
  }

  /**
   * Ordinary data clusters, millions of them, are claimed right here with 32-bit arithmetic;
   * everything else goes the long way.
   */
  table(bytes: Uint8Array, use: TableUse): void {
    const { header, clusterSize } = this.#image;
    const { clusterBits, extendedL2, hasDataFile, l2Entries } = header;
    const { owners, counts, users, first, length, sets, most } = this.#claims;
    const numbers = sets?.numbers;
    const row = sets?.row;
    const { times, isActive } = use;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const step = extendedL2 ? 16 : 8;
    const plain = !extendedL2 && !hasDataFile;
    const lowMask = clusterSize - 1;
    // Above this a cluster index would not fit 31 bits.
    const highLimit = 2 ** (clusterBits - 1);
    const owner = isActive ? OWNER.data : OWNER.snapshotData;
    const firstUser = use.index * l2Entries;
    for (let at = 0, entry = 0; at < bytes.length; at += step, entry++) {
      const high = view.getUint32(at);
      const low = view.getUint32(at + 4);
      if ((high | low) === 0 && !extendedL2) continue;
      if (plain && (high & 0x7f000000) === 0 && (low & lowMask) === 0) {
        const upper = high & OFFSET_HIGH;
        const cluster =
          upper < highLimit ? (upper << (32 - clusterBits)) | (low >>> clusterBits) : 0;
        if (cluster > 0) {
          const place = cluster - first;
          if (place >>> 0 >= length) continue;
          if (numbers !== undefined) {
            const union = row?.[numbers[place] as number] ?? 0;
            if (union > 0) numbers[place] = union;
            else sets?.add(place);
          }
          const there = owners[place] as number;
          const count = (counts[place] as number) + times;
          if (there >= CLASH || count > most) {
            this.#claims.share(place, owner, times, Math.min(NO_INDEX, firstUser + entry));
            continue;
          }
          owners[place] = MERGED[there * OWNERS + owner] as number;
          counts[place] = count;
          if (users !== undefined && there === OWNER.none) {
            users[place] = Math.min(NO_INDEX, firstUser + entry);
          }
          continue;
        }
      }
      const user = Math.min(NO_INDEX, firstUser + entry);
      const bits = step === 16 ? view.getUint32(at + 12) : 0;
      const hasBitmap = step === 16 && (view.getUint32(at + 8) | bits) !== 0;
      if ((high & COMPRESSED_HIGH) === 0) this.#standard(high, low, bits, user, use);
      else if (!hasBitmap) this.#packed(high, low, user, use);
    }
  }

  #standard(high: number, low: number, bits: number, user: number, use: TableUse): void {
    const { header, clusterSize } = this.#image;
    const offset = entryOffset(high, low);
    if (offset === 0 || header.hasDataFile) return;
    const isZero = header.extendedL2 ? bits === 0 : (low & ZERO_LOW) !== 0 && header.version > 2;
    const owner = use.isActive
      ? isZero
        ? OWNER.zeros
        : OWNER.data
      : isZero
        ? OWNER.snapshotZeros
        : OWNER.snapshotData;
    this.#claims.claim(offset, clusterSize, owner, use.times, user);
  }

  #packed(high: number, low: number, user: number, use: TableUse): void {
    const { header } = this.#image;
    if (header.hasDataFile) return;
    const layout = compressedLayout(header.clusterBits);
    const owner = use.isActive ? OWNER.packed : OWNER.snapshotPacked;
    const offset = compressedOffset(layout, high, low);
    const length = compressedLength(layout, high, low);
    this.#seePacked?.(offset, length, use);
    this.#claims.claim(offset, length, owner, use.times, user);
  }
}

const FREE = cellOf('free');
const LEAKED = cellOf('leaked') | HAS_LEAK;
const DAMAGED = cellOf('damaged') | HAS_DAMAGE;
const UNKNOWN = cellOf('unknown');

/** Holds what was counted against the refcounts of the file. */
async function settle(tables: Tables, claims: Claims, walk: Walk): Promise<Uint8Array> {
  const { image, refcounts } = tables;
  const { clusterSize, storage } = image;
  const { first, length } = claims;
  const { blockEntries } = refcounts;
  const cells = new Cells(claims, image.snapshotError !== undefined);
  const lastBlock = Math.min(Math.ceil((first + length) / blockEntries), refcounts.entries);
  const atOnce = Math.max(1, Math.floor(BATCH_BYTES / clusterSize));
  walk.expect(Math.max(0, lastBlock - Math.floor(first / blockEntries)) * clusterSize);
  for (let from = Math.floor(first / blockEntries); from < lastBlock; from += atOnce) {
    const to = Math.min(from + atOnce, lastBlock);
    const pieces: { offset: number; length: number; index: number }[] = [];
    for (let index = from; index < to; index++) {
      const offset = refcounts.offset(index);
      if (offset === 0) continue;
      if (!refcounts.isReadable(index)) cells.unreadable(index * blockEntries, blockEntries);
      else if (offset < storage.size) pieces.push({ offset, length: clusterSize, index });
    }
    await gather(storage, pieces, ({ index }, bytes) => {
      const at = index * blockEntries;
      const wanted = Math.min(blockEntries, Math.ceil((first + length - at) / 8) * 8);
      const bits = image.header.refcountBits;
      cells.settle(at, decodeBlock(bytes.subarray(0, (wanted * bits) / 8), bits));
    });
    await walk.passed((to - from) * clusterSize);
  }
  return cells.rest();
}

class Cells {
  readonly #claims: Claims;
  /** What nobody uses although it is counted: leaked, unless those who may use it are not known. */
  readonly #lost: number;
  readonly #cells: Uint8Array;

  constructor(claims: Claims, isIncomplete: boolean) {
    this.#claims = claims;
    this.#lost = isIncomplete ? UNKNOWN : LEAKED;
    this.#cells = new Uint8Array(claims.length).fill(NOT_YET);
  }

  /** The clusters from `first` on have these refcounts. */
  settle(first: number, refcounts: RefcountBlock): void {
    const { owners, counts, length } = this.#claims;
    const start = first - this.#claims.first;
    const from = Math.max(0, -start);
    const to = Math.min(refcounts.length, length - start);
    for (let i = from; i < to; i++) {
      const at = start + i;
      const owner = owners[at] as number;
      const stored = refcounts[i] as number;
      if (owner === OWNER.none) {
        this.#cells[at] = stored === 0 ? FREE : this.#lost;
        continue;
      }
      const counted = counts[at] as number;
      const isDamaged = stored < counted || owner >= CLASH;
      const cell = isDamaged ? DAMAGED : (OWNER_CELLS[owner] as number);
      this.#cells[at] = stored > counted ? cell | HAS_LEAK : cell;
    }
  }

  /** Nobody can read the refcounts of these clusters. */
  unreadable(first: number, length: number): void {
    const { owners } = this.#claims;
    const start = first - this.#claims.first;
    const to = Math.min(start + length, this.#claims.length);
    for (let at = Math.max(0, start); at < to; at++) {
      const owner = owners[at] as number;
      const isWhole = owner !== OWNER.none && owner < CLASH;
      this.#cells[at] = isWhole ? (OWNER_CELLS[owner] as number) | HAS_DAMAGE : DAMAGED;
    }
  }

  /** All of them: what has no refcount block has refcount 0. */
  rest(): Uint8Array {
    const { owners } = this.#claims;
    for (
      let at = this.#cells.indexOf(NOT_YET);
      at >= 0;
      at = this.#cells.indexOf(NOT_YET, at + 1)
    ) {
      this.#cells[at] = owners[at] === OWNER.none ? FREE : DAMAGED;
    }
    return this.#cells;
  }
}

/** No cell looks like that. */
const NOT_YET = 0x3f;
