/**
 * How large a qcow2 file is that holds what another one does, and nothing else: rewritten in guest
 * order (operations/compact.ts). Pure; nothing is read.
 *
 * The layout, each part from a cluster on: header, LUKS header, refcount table, refcount blocks, L1
 * table, L2 tables, snapshot table, L1 tables of snapshots, directory of bitmaps, tables of bitmaps,
 * clusters of bitmaps, plain content, packed content. The file ends with the last byte of it.
 */
import { alignUp, divideRoundUp } from '../../binary/units.ts';
import type { Header } from './header.ts';
import type { Qcow2Image } from './image.ts';
import { LIMITS } from './layout.ts';
import type { PackedTotals } from './packed-streams.ts';
import { maxRefcount } from './refcounts.ts';

/**
 * What has to be counted in the source. Only what L1 tables lead to that are kept: the active one,
 * and those of the snapshots, unless these are left out. All of an L1 table counts, also what lies
 * behind the end of the disk: state of machines.
 */
export interface CompactContent {
  /** Distinct L2 tables (places in the file, not L1 entries). */
  l2Tables: number;
  /**
   * Distinct clusters of the file with plain content. Not those that hold room and no bytes: zero
   * clusters with a place, and with extended L2 entries clusters of which no subcluster is allocated.
   */
  plainClusters: number;
  /** From `PackedStreams.totals()`, or {@link NOTHING_PACKED}. */
  packed: PackedTotals;
  /** Entries of bitmap tables with a cluster. 0 where `header.bitmaps` is undefined. */
  bitmapClusters: number;
}

export const NOTHING_PACKED: PackedTotals = { streams: 0, bytes: 0, references: 0 };

/**
 * The size of the compacted file, bytes. Exact where packed clusters are not bound by the width of
 * refcounts (one of 16 bits would need 65536 entries that lead to one cluster) and clusters are
 * larger than 512 bytes; else a fraction of a percent below.
 * @param snapshots whether they are kept
 */
export function compactedSize(
  image: Qcow2Image,
  content: CompactContent,
  snapshots: boolean,
): number {
  return compactLayout(shapeOf(image, snapshots), content, packedEnd(image.header, content.packed))
    .fileSize;
}

/** Bytes from the first packed cluster on. */
function packedEnd(header: Header, { bytes, references }: PackedTotals): number {
  const needed = alignUp(bytes, 512);
  const most = maxRefcount(header.refcountBits);
  return Math.max(needed, Math.floor((references - 1) / most) * header.clusterSize);
}

/** What the image says without a look at its tables. Lengths in bytes. */
export interface CompactShape {
  clusterSize: number;
  refcountBits: number;
  luks: number;
  l1: number;
  snapshotTable: number;
  snapshotL1s: number[];
  bitmapDirectory: number;
  bitmapTables: number[];
}

export function shapeOf(image: Qcow2Image, snapshots: boolean): CompactShape {
  const { header } = image;
  const kept = snapshots ? image.snapshots : [];
  const bitmaps = header.bitmaps === undefined ? [] : image.bitmaps;
  return {
    clusterSize: header.clusterSize,
    refcountBits: header.refcountBits,
    luks: header.luks?.length ?? 0,
    l1: header.l1Size * 8,
    snapshotTable: kept.length === 0 ? 0 : image.snapshotTable.size,
    snapshotL1s: kept.map(({ l1Size }) => l1Size * 8),
    bitmapDirectory: header.bitmaps?.directorySize ?? 0,
    bitmapTables: bitmaps.map(({ tableSize }) => tableSize * 8),
  };
}

/** Where each part begins, in clusters of the file. Parts that are empty have a place too. */
export interface CompactLayout {
  luks: number;
  refcountTable: number;
  refcountTableClusters: number;
  refcountBlocks: number;
  blockCount: number;
  l1: number;
  l2: number;
  snapshotTable: number;
  snapshotL1s: number[];
  bitmapDirectory: number;
  bitmapTables: number[];
  bitmapClusters: number;
  plain: number;
  packed: number;
  /** All clusters, the last one perhaps cut short. */
  clusters: number;
  /** Bytes. */
  fileSize: number;
}

/**
 * Where everything goes. A refcount table that no reader would take is the caller's to refuse.
 * @param packedBytes from the first packed cluster on to the end of the file
 */
export function compactLayout(
  shape: CompactShape,
  content: Pick<CompactContent, 'l2Tables' | 'plainClusters' | 'bitmapClusters'>,
  packedBytes: number,
): CompactLayout {
  const { clusterSize } = shape;
  const behind = (table: number, blocks: number) =>
    place(shape, content, packedBytes, table, blocks);
  const blockEntries = (clusterSize * 8) / shape.refcountBits;
  let table = 0;
  let blocks = 0;
  for (let before = -1; before !== table + blocks;) {
    before = table + blocks;
    blocks = divideRoundUp(behind(table, blocks).clusters, blockEntries);
    table = divideRoundUp(blocks * 8, clusterSize);
  }
  return behind(table, blocks);
}

/** Whether the format has a refcount table that is long enough. */
export function isPossible({ clusterSize }: CompactShape, layout: CompactLayout): boolean {
  return layout.refcountTableClusters * clusterSize <= LIMITS.refcountTableBytes;
}

function place(
  shape: CompactShape,
  content: Pick<CompactContent, 'l2Tables' | 'plainClusters' | 'bitmapClusters'>,
  packedBytes: number,
  refcountTableClusters: number,
  blockCount: number,
): CompactLayout {
  const { clusterSize } = shape;
  let next = 1;
  let fileSize = clusterSize;
  const take = (bytes: number): number => {
    const start = next;
    next += divideRoundUp(bytes, clusterSize);
    if (bytes > 0) fileSize = start * clusterSize + bytes;
    return start;
  };
  const whole = (clusters: number) => take(clusters * clusterSize);
  return {
    luks: take(shape.luks),
    refcountTable: whole(refcountTableClusters),
    refcountTableClusters,
    refcountBlocks: whole(blockCount),
    blockCount,
    l1: take(shape.l1),
    l2: whole(content.l2Tables),
    snapshotTable: take(shape.snapshotTable),
    snapshotL1s: shape.snapshotL1s.map(take),
    bitmapDirectory: take(shape.bitmapDirectory),
    bitmapTables: shape.bitmapTables.map(take),
    bitmapClusters: whole(content.bitmapClusters),
    plain: whole(content.plainClusters),
    packed: take(packedBytes),
    clusters: next,
    fileSize,
  };
}
