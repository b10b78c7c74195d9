/**
 * What every cluster of the disk is, by the tables alone: the same that `map` says, without an extent
 * for each of millions of scattered clusters. Specification: «Cluster mapping».
 */
import { isAligned } from '../../binary/units.ts';
import { cellOf, HAS_DAMAGE } from '../picture-kinds.ts';
import { walkL2 } from './check/walk.ts';
import type { Qcow2Image } from './image.ts';
import { COMPRESSED_HIGH, COPIED_HIGH, entryOffset, OFFSET_HIGH, ZERO_LOW } from './tables.ts';

const DATA = cellOf('data');
const PACKED = cellOf('compressed');
const ZERO = cellOf('zero');
const HELD = cellOf('zero-held');
const UNALLOCATED = cellOf('unallocated');
const UNKNOWN = cellOf('unknown');
const DAMAGED = cellOf('damaged') | HAS_DAMAGE;

/** What an L2 table maps: one cell for each cluster, or one for all. */
export interface TableCells {
  /** The first cluster, counted in the disk. */
  readonly first: number;
  readonly length: number;
  readonly cells: Uint8Array | number;
}

/** Whether {@link diskCells} tells all of the disk: nothing lies below, clusters are whole. */
export function hasPlainDisk({ header, backing }: Qcow2Image): boolean {
  return backing === undefined && !header.extendedL2;
}

/**
 * The cells of the disk in order, without gaps, in batches.
 * @param from the L2 table that comes first
 * @throws ImageError those of reading
 */
export async function* diskCells(
  image: Qcow2Image,
  from = 0,
): AsyncGenerator<TableCells[], undefined> {
  const { header, l1 } = image;
  const { l2Entries, l2Coverage, clusterSize } = header;
  const tables = Math.ceil(image.size / l2Coverage);
  const nothing = image.backingMissing ? UNKNOWN : UNALLOCATED;
  const wanted = new Uint8Array(l1.length / 2).fill(1, from, tables);
  const stretch = (index: number, end: number, cells: Uint8Array | number): TableCells => {
    return { first: index * l2Entries, length: (end - index) * l2Entries, cells };
  };
  let next = from;
  for await (const batch of walkL2(image, l1, wanted)) {
    const found: TableCells[] = [];
    for (const { index, offset, bytes } of batch) {
      if (index > next) found.push(stretch(next, index, nothing));
      next = index + 1;
      if (!isAligned(offset, clusterSize)) found.push(stretch(index, next, DAMAGED));
      else if (offset === 0 || bytes === undefined) found.push(stretch(index, next, nothing));
      else found.push(stretch(index, next, cellsOf(image, bytes, index * l2Coverage, nothing)));
    }
    yield found;
  }
  if (next < tables) yield [stretch(next, tables, nothing)];
  return undefined;
}

/** @param base guest offset of the first entry, bytes */
function cellsOf(image: Qcow2Image, bytes: Uint8Array, base: number, nothing: number): Uint8Array {
  const { clusterSize, version, hasDataFile } = image.header;
  const data = image.contentMissing === 'data-file-missing' ? UNKNOWN : DATA;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const cells = new Uint8Array(bytes.length / 8);
  const lowMask = clusterSize - 1;
  for (let i = 0; i < cells.length; i++) {
    const high = view.getUint32(i * 8);
    const low = view.getUint32(i * 8 + 4);
    if ((high | low) === 0) {
      cells[i] = nothing;
    } else if ((high & COMPRESSED_HIGH) !== 0) {
      cells[i] = hasDataFile ? DAMAGED : PACKED;
    } else if (!hasDataFile && (low & lowMask) === 0 && ((high & OFFSET_HIGH) | low) !== 0) {
      cells[i] = DATA;
    } else {
      const host = entryOffset(high, low);
      const zero = (low & ZERO_LOW) !== 0;
      const isPlaced =
        isAligned(host, clusterSize) && (!hasDataFile || host === base + i * clusterSize);
      if (zero && version < 3) cells[i] = DAMAGED;
      else if (host !== 0) cells[i] = isPlaced ? (zero ? HELD : data) : DAMAGED;
      else if (zero) cells[i] = ZERO;
      else cells[i] = hasDataFile && (high & COPIED_HIGH) !== 0 ? data : nothing;
    }
  }
  return cells;
}
