/** What every stretch of a disk is, as its guest sees it: the disk with all images below it. */
import { alignDown, KIB, MIB } from '../binary/units.ts';
import { isImageError } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import {
  cellOf,
  HAS_DAMAGE,
  kindOf,
  type CellKind,
  type FileUse,
  type PictureRun,
  type Walk,
} from '../formats/picture-kinds.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';
import { diskCells, hasPlainDisk } from '../formats/qcow2/picture-disk.ts';
import type { Storage } from '../storage/storage.ts';
import { mapChain, type ChainExtent } from './chain.ts';
import type { RunOptions } from './operation.ts';
import { PictureBuilder, walkWith, type PictureData } from './picture.ts';

/** What lies at an address of a disk. */
export interface GuestPlace {
  offset: number;
  length: number;
  kind: CellKind;
  use: FileUse;
  /** The file that has the bytes; undefined: none. */
  storage: Storage | undefined;
}

/** Cells of a disk that has no clusters, bytes: finer ones where it is small. */
const RAW_CELL = 64 * KIB;
const SMALL_CELL = 4 * KIB;
const SMALL = 16 * MIB;
/** A picture of fewer cells is finer than the blocks of its format. */
const FEW_CELLS = 4096;

/** Bytes of the smallest cell of a disk. */
export function cellSizeOf({ clusterSize, size, format }: Disk): number {
  if (clusterSize === 0) return size < SMALL ? SMALL_CELL : RAW_CELL;
  let cell = clusterSize;
  // Their blocks are large, and differencing ones tell sectors of them apart.
  const isBlocks = format === 'vpc' || format === 'vhdx';
  while (isBlocks && cell > RAW_CELL && cell % 2 === 0 && size / cell < FEW_CELLS) cell /= 2;
  return cell;
}

/** @throws ImageError cancelled and those of reading */
export async function guestPicture(disk: Disk, options: RunOptions = {}): Promise<PictureData> {
  const walk = walkWith(options);
  walk.expect(disk.size);
  const make = () => new PictureBuilder(disk.size, cellSizeOf(disk));
  if (disk instanceof Qcow2Image && hasPlainDisk(disk)) {
    try {
      return await plainPicture(disk, make(), walk);
    } catch (error) {
      // A map tells which tables the medium does not give, and goes on.
      if (!isImageError(error, 'read-failed')) throw error;
    }
  }
  const builder = make();
  for await (const batch of mapChain(disk)) {
    let length = 0;
    for (const run of batch) {
      builder.add(CELLS[guestKind(disk, run)], run.length);
      length += run.length;
    }
    await walk.passed(length);
  }
  return builder.finish(walk);
}

async function plainPicture(disk: Qcow2Image, builder: PictureBuilder, walk: Walk) {
  const { clusterSize } = disk;
  for await (const batch of diskCells(disk)) {
    for (const { length, cells } of batch) {
      if (typeof cells === 'number') builder.add(cells, length * clusterSize);
      else await builder.addCells(cells, walk);
      await walk.passed(length * clusterSize);
    }
  }
  return builder.finish(walk);
}

const DAMAGED = cellOf('damaged') | HAS_DAMAGE;
const CELLS = {
  data: cellOf('data'),
  compressed: cellOf('compressed'),
  zero: cellOf('zero'),
  'zero-held': cellOf('zero-held'),
  backing: cellOf('backing'),
  unallocated: cellOf('unallocated'),
  unknown: cellOf('unknown'),
  damaged: DAMAGED,
} as const;

/** What a run is to the guest. A disk that is locked tells where its data is, if not what. */
function guestKind(disk: Disk, run: ChainExtent): keyof typeof CELLS {
  const isLocked = run.disk.contentMissing === 'locked' && run.kind === 'data';
  if (run.unknown && !isLocked) return 'unknown';
  if (run.kind === 'invalid') return 'damaged';
  if (!run.present) return 'unallocated';
  if (run.depth > 0) return 'backing';
  if (run.kind !== 'zero') return run.kind === 'unallocated' ? 'unallocated' : run.kind;
  return run.hostOffset >= 0 && disk.clusterSize > 0 ? 'zero-held' : 'zero';
}

/**
 * The runs of a disk from `offset` (bytes) on, at most so many.
 * @throws ImageError cancelled and those of reading
 */
export async function guestRuns(
  disk: Disk,
  offset: number,
  most: number,
  options: RunOptions = {},
): Promise<PictureRun[]> {
  const walk = walkWith(options);
  if (offset >= disk.size) return [];
  if (disk instanceof Qcow2Image && hasPlainDisk(disk)) {
    try {
      return await plainRuns(disk, offset, most, walk);
    } catch (error) {
      if (!isImageError(error, 'read-failed')) throw error;
    }
  }
  const runs: PictureRun[] = [];
  for await (const batch of mapChain(disk, offset, disk.size - offset)) {
    for (const run of batch) {
      const kind = guestKind(disk, run);
      const isHere = run.depth === 0 && run.storage === disk.storage;
      const other = isHere && hasPlace(kind) ? run.hostOffset : -1;
      const last = runs.at(-1);
      if (last?.kind === kind) {
        // Packed clusters are nowhere as long as what they unpack to.
        const goesOn = last.other >= 0 && other === last.other + last.length;
        if (!goesOn || kind === 'compressed') last.other = -1;
        last.length += run.length;
      } else if (runs.length >= most) {
        return runs;
      } else {
        runs.push({ offset: run.offset, length: run.length, kind, other });
      }
    }
    await walk.passed(0);
  }
  return runs;
}

async function plainRuns(disk: Qcow2Image, offset: number, most: number, walk: Walk) {
  const { clusterSize, size, header } = disk;
  const runs: PictureRun[] = [];
  search: for await (const batch of diskCells(disk, Math.floor(offset / header.l2Coverage))) {
    for (const { first, length, cells } of batch) {
      for (let at = 0; at < length;) {
        const cell = typeof cells === 'number' ? cells : (cells[at] as number);
        let to = typeof cells === 'number' ? length : at + 1;
        while (to < length && typeof cells !== 'number' && cells[to] === cell) to++;
        const start = Math.max(offset, (first + at) * clusterSize);
        const end = Math.min(size, (first + to) * clusterSize);
        at = to;
        if (start >= end) continue;
        const kind = kindOf(cell);
        const last = runs.at(-1);
        if (last?.kind === kind) last.length = end - last.offset;
        else if (runs.length >= most) break search;
        else runs.push({ offset: start, length: end - start, kind, other: -1 });
      }
    }
    await walk.passed(0);
  }
  for (const run of runs) {
    if (!hasPlace(run.kind)) continue;
    const [extent] = await disk.map(run.offset, run.length, 2);
    const isWhole = extent?.length === run.length && extent.storage === disk.storage;
    if (isWhole && extent.hostOffset >= 0) run.other = extent.hostOffset;
    await walk.passed(0);
  }
  return runs;
}

function hasPlace(kind: CellKind): boolean {
  return kind === 'data' || kind === 'compressed' || kind === 'zero-held';
}

/**
 * What lies at an address of a disk (bytes, within it).
 * @throws ImageError those of reading
 */
export async function guestPlace(disk: Disk, offset: number): Promise<GuestPlace> {
  const size = cellSizeOf(disk);
  const start = alignDown(offset, size);
  const length = Math.min(size, disk.size - start);
  let found: ChainExtent | undefined;
  search: for await (const batch of mapChain(disk, start, length)) {
    for (const run of batch) {
      found = run;
      if (offset < run.offset + run.length) break search;
    }
  }
  const kind = found === undefined ? 'unknown' : guestKind(disk, found);
  const isThere = found !== undefined && (found.hostOffset >= 0 || found.kind === 'compressed');
  const isHere = isThere && found?.storage === disk.storage && hasPlace(kind);
  const use = {
    guestOffset: start,
    fileOffset: isHere && found !== undefined ? beginningOf(found, start) : undefined,
    snapshot: '',
    ...entryOf(disk, start),
  };
  return { offset: start, length, kind, use, storage: isThere ? found?.storage : undefined };
}

/** Where in the file the cluster begins that a run is (a part) of. */
function beginningOf({ kind, offset, hostOffset }: ChainExtent, start: number): number {
  return kind === 'compressed' ? hostOffset : Math.max(0, hostOffset - (offset - start));
}

/** The entry that says where a guest cluster is. */
function entryOf(disk: Disk, start: number): Pick<FileUse, 'entry' | 'node'> {
  if (!(disk instanceof Qcow2Image)) return { entry: undefined, node: undefined };
  const { l1Index, l2Offset, l2Index } = disk.tablesOf(start);
  const { header, storage } = disk;
  if (l1Index >= header.l1Size) return { entry: undefined, node: 'l1' };
  if (l2Offset === 0 || l2Offset >= storage.size) {
    const entry = { offset: header.l1TableOffset + l1Index * 8, length: 8 };
    return { entry, node: `l1/${l1Index}` };
  }
  const length = header.extendedL2 ? 16 : 8;
  const entry = { offset: l2Offset + l2Index * length, length };
  return { entry, node: `l1/${l1Index}/l2/${l2Index}` };
}
