/**
 * How large the file of a new image will be, from the creation options, the size of the disk and
 * the map of its source: a calculation, nothing is written and no guest content is read.
 *
 * Sizes are bigints: a disk of 2 EiB is within what qcow2 can describe, and the file is larger.
 * Clusters are counted in numbers; those are exact, as offsets in a disk are.
 */
import { alignDown, alignUp } from '../binary/units.ts';
import { ImageError, throwIfCancelled } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import type { Bitmap } from '../formats/qcow2/bitmaps.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';
import { BITMAP_ENTRY, LIMITS } from '../formats/qcow2/layout.ts';
import { mapChain, type ChainExtent } from './chain.ts';
import type { RunOptions } from './operation.ts';

/** What is to be made. Bytes. */
export type MeasureTarget = RawTarget | LuksTarget | Qcow2Target;

export interface RawTarget {
  format: 'raw';
}

/** A raw disk behind a LUKS header. */
export interface LuksTarget {
  format: 'luks';
  /** Bytes before the content: see {@link luksOverhead}. */
  overhead: number;
}

export interface Qcow2Target {
  format: 'qcow2';
  version: 2 | 3;
  clusterSize: number;
  refcountBits: number;
  extendedL2: boolean;
  /** All content has its place from the beginning (`falloc`, `full`). */
  preallocated: boolean;
  /** Nobody knows how much of the source is in the backing image already: none of it is counted on. */
  hasBacking: boolean;
  /** Bytes of a LUKS header; 0 without one. */
  luksOverhead: number;
}

export interface MeasureOptions extends RunOptions {
  /** Whose bitmaps are counted, where the source is only a snapshot of it. */
  bitmapsOf?: Disk | undefined;
}

/** Sizes of the file, bytes. */
export interface MeasureReport {
  /** For the content as it is now. */
  required: bigint;
  /** When all of the disk has been written. */
  fullyAllocated: bigint;
  /** Besides, for copies of the source's bitmaps; undefined where there can be none. */
  bitmaps: bigint | undefined;
}

const SECTOR = 512n;
/** Bytes of an entry of an L1 table, of a refcount table and of a bitmap table. */
const ENTRY = 8n;

/**
 * Measures an image for an empty disk of `size` bytes.
 * @throws ImageError too-large: there can be no such qcow2 image with clusters of that size
 */
export function measureEmpty(target: MeasureTarget, size: bigint): MeasureReport {
  if (target.format !== 'qcow2') return whole(target, size);
  checkQcow2Size(target, size);
  return qcow2Report(target, roundUp(size, BigInt(target.clusterSize)), 0n);
}

/**
 * Measures an image for a copy of a disk.
 * @throws ImageError unreadable-cluster where its tables are damaged, cancelled, those of reading
 */
export async function measureDisk(
  source: Disk,
  target: MeasureTarget,
  options: MeasureOptions = {},
): Promise<MeasureReport> {
  const size = BigInt(source.size);
  if (target.format !== 'qcow2') return whole(target, size);
  const clusterSize = BigInt(target.clusterSize);
  const virtualSize = roundUp(size, clusterSize);
  const used = target.hasBacking
    ? virtualSize
    : BigInt(await usedClusters(source, target.clusterSize, options)) * clusterSize;
  const report = qcow2Report(target, virtualSize, used);
  const image = options.bitmapsOf ?? source;
  if (target.version < 3 || !(image instanceof Qcow2Image) || image.header.version < 3) {
    return report;
  }
  return { ...report, bitmaps: bitmapBytes(image, clusterSize) };
}

function whole(target: RawTarget | LuksTarget, size: bigint): MeasureReport {
  const bytes = target.format === 'raw' ? roundUp(size, SECTOR) : size + BigInt(target.overhead);
  return { required: bytes, fullyAllocated: bytes, bitmaps: undefined };
}

/**
 * @param virtualSize whole clusters, bytes
 * @param used of them, bytes
 */
function qcow2Report(target: Qcow2Target, virtualSize: bigint, used: bigint): MeasureReport {
  const clusterSize = BigInt(target.clusterSize);
  const luks = roundUp(BigInt(target.luksOverhead), clusterSize);
  const fullyAllocated = luks + virtualSize + metadataBytes(target, virtualSize);
  // The tables are counted as those of the full image, whatever is in use.
  const free = target.preallocated ? 0n : virtualSize - used;
  return { required: fullyAllocated - free, fullyAllocated, bitmaps: undefined };
}

/** @throws ImageError too-large where the L1 table would be larger than QEMU takes */
export function checkQcow2Size(
  target: Pick<Qcow2Target, 'clusterSize' | 'extendedL2'>,
  size: bigint,
): void {
  const clusterSize = BigInt(target.clusterSize);
  const l1Bytes = divideUp(roundUp(size, clusterSize), l2Coverage(target)) * ENTRY;
  const limit = LIMITS.l1Bytes;
  if (l1Bytes <= limit) return;
  throw new ImageError('too-large', { what: 'L1 table', value: String(l1Bytes), limit });
}

/** Guest bytes that an L2 table maps. */
function l2Coverage({
  clusterSize,
  extendedL2,
}: Pick<Qcow2Target, 'clusterSize' | 'extendedL2'>): bigint {
  return BigInt(clusterSize / l2EntryBytes(extendedL2)) * BigInt(clusterSize);
}

function l2EntryBytes(extendedL2: boolean): number {
  return extendedL2 ? 16 : 8;
}

/** Header, L1 and L2 tables of a fully allocated image, and the refcounts of all of it. Bytes. */
function metadataBytes(target: Qcow2Target, virtualSize: bigint): bigint {
  const clusterSize = BigInt(target.clusterSize);
  const l2Tables = divideUp(virtualSize, l2Coverage(target));
  const tables = clusterSize + l2Tables * clusterSize + roundUp(l2Tables * ENTRY, clusterSize);
  const clusters = (virtualSize + tables) / clusterSize;
  return tables + refcountClusters(target, clusters) * clusterSize;
}

/** Refcount blocks and their table for so many clusters; they count themselves too. */
function refcountClusters(target: Qcow2Target, clusters: bigint): bigint {
  const clusterSize = BigInt(target.clusterSize);
  const perBlock = (clusterSize * 8n) / BigInt(target.refcountBits);
  let count = 0n;
  for (;;) {
    const blocks = divideUp(clusters + count, perBlock);
    const next = blocks + divideUp(blocks * ENTRY, clusterSize);
    if (next === count) return count;
    count = next;
  }
}

/** How many of the target's clusters hold something of the source. */
async function usedClusters(
  source: Disk,
  clusterSize: number,
  { signal, progress }: RunOptions,
): Promise<number> {
  let used = 0;
  /** All clusters before it are counted, bytes. */
  let counted = 0;
  for await (const batch of mapChain(source)) {
    throwIfCancelled(signal);
    for (const extent of batch) {
      const end = extent.offset + extent.length;
      // What shares its cluster with data is in the file anyway, whatever it is.
      if (end <= counted || !takesRoom(extent)) continue;
      const start = alignDown(Math.max(extent.offset, counted), clusterSize);
      counted = alignUp(end, clusterSize);
      used += (counted - start) / clusterSize;
    }
    const last = batch.at(-1);
    const done = last === undefined ? 0 : last.offset + last.length;
    progress?.({ stage: 'planning', done, total: source.size });
  }
  return used;
}

/** Whether something will be written; of what nobody knows it is to be expected. */
function takesRoom(extent: ChainExtent): boolean {
  const { kind, unknown, offset: guestOffset, hostOffset, length } = extent;
  if (kind === 'invalid') {
    const reason = extent.reason ?? 'data-unaligned';
    throw new ImageError('unreadable-cluster', { guestOffset, hostOffset, length, reason });
  }
  return unknown || kind === 'data' || kind === 'compressed';
}

/** All bitmaps in full, with their tables and their directory. Bytes. */
function bitmapBytes(source: Qcow2Image, clusterSize: bigint): bigint {
  // As QEMU has it, those too that were not saved cleanly, but none that another program spoiled.
  const kept = source.header.bitmapsInconsistent ? [] : source.bitmaps;
  let bytes = 0n;
  let directory = 0n;
  for (const bitmap of kept) {
    const bits = divideUp(BigInt(source.size), BigInt(bitmap.granularity));
    const clusters = divideUp(divideUp(bits, 8n), clusterSize);
    bytes += clusters * clusterSize + roundUp(clusters * ENTRY, clusterSize);
    directory += BigInt(directoryEntryBytes(bitmap));
  }
  return bytes + roundUp(directory, clusterSize);
}

function directoryEntryBytes({ name }: Bitmap): number {
  return alignUp(BITMAP_ENTRY.size + new TextEncoder().encode(name).length, 8);
}

/** «LUKS1»: the header takes whole pages, and so does the material of each key slot. */
const LUKS_PAGE = 4096;
const LUKS_SLOTS = 8;
const LUKS_STRIPES = 4000;

/** Bytes before the content of a disk with a LUKS header. @param keyBytes of the volume's key */
export function luksOverhead(keyBytes: number): number {
  return LUKS_PAGE + LUKS_SLOTS * alignUp(keyBytes * LUKS_STRIPES, LUKS_PAGE);
}

function divideUp(value: bigint, unit: bigint): bigint {
  return (value + unit - 1n) / unit;
}

function roundUp(value: bigint, unit: bigint): bigint {
  return divideUp(value, unit) * unit;
}
