/**
 * Guest offset → where its bytes are. Specification: «Cluster mapping», «Extended L2 entries».
 * Pure: decoded L2 tables in, extents out.
 */
import { isAligned, TWO_32 } from '../../binary/units.ts';
import type { Hole } from '../../storage/partial.ts';
import type { ExtentList } from '../extents.ts';
import type { Header } from './header.ts';
import { COMPRESSED_HIGH, COPIED_HIGH, entryOffset, ZERO_LOW, type Table } from './tables.ts';

const SUBCLUSTERS = 32;

/** How a compressed cluster's descriptor is cut; depends on the cluster size only. */
export interface CompressedLayout {
  /** Bits of the offset in the high word, as a mask. */
  readonly offsetMask: number;
  /** Position of the sector count in the high word. */
  readonly sectorShift: number;
}

/** «Compressed Clusters Descriptor»: x = 62 - (cluster_bits - 8) bits of offset, then sectors. */
export function compressedLayout(clusterBits: number): CompressedLayout {
  const bitsInHigh = 62 - (clusterBits - 8) - 32;
  return { offsetMask: 2 ** bitsInHigh - 1, sectorShift: bitsInHigh };
}

/** Where a compressed cluster's data begins, bytes. Inexact beyond 2^53: never inside a file. */
export function compressedOffset(layout: CompressedLayout, high: number, low: number): number {
  return (high & layout.offsetMask) * TWO_32 + (low >>> 0);
}

/** How many bytes can be read there: to the end of the last sector. */
export function compressedLength(layout: CompressedLayout, high: number, low: number): number {
  const sectors = ((high & 0x3fffffff) >>> layout.sectorShift) + 1;
  return sectors * 512 - (low & 511);
}

/**
 * Adds the extents of entries `first` to `last` (exclusive) of an L2 table.
 * @param base guest offset of the table's first entry, bytes
 */
export function mapTable(
  header: Header,
  table: Table,
  base: number,
  first: number,
  last: number,
  list: ExtentList,
): void {
  if (header.extendedL2) mapExtended(header, table, base, first, last, list);
  else mapStandard(header, table, base, first, last, list);
}

/** A table of which the medium gives only a part. */
export interface DamagedTable {
  readonly table: Table;
  /** Where it is in the file, bytes. */
  readonly host: number;
  readonly holes: readonly Hole[];
}

/** As {@link mapTable}; entries that could not be read say nothing of their clusters. */
export function mapDamaged(
  header: Header,
  { table, host, holes }: DamagedTable,
  base: number,
  first: number,
  last: number,
  list: ExtentList,
): void {
  const { clusterSize, l2Entries } = header;
  const entryBytes = clusterSize / l2Entries;
  let at = first;
  for (const hole of holes) {
    const from = Math.max(at, Math.floor((hole.offset - host) / entryBytes));
    const to = Math.min(last, Math.ceil((hole.offset - host + hole.length) / entryBytes));
    if (from >= to) continue;
    mapTable(header, table, base, at, from, list);
    const start = base + from * clusterSize;
    list.addInvalid(start, (to - from) * clusterSize, host, 'l2-unreadable');
    at = to;
  }
  mapTable(header, table, base, at, last, list);
}

function mapStandard(
  header: Header,
  table: Table,
  base: number,
  first: number,
  last: number,
  list: ExtentList,
): void {
  const { clusterSize, version, hasDataFile } = header;
  const layout = compressedLayout(header.clusterBits);
  for (let i = first; i < last; i++) {
    const high = table[i * 2] ?? 0;
    const low = table[i * 2 + 1] ?? 0;
    const guest = base + i * clusterSize;
    if ((high & COMPRESSED_HIGH) !== 0) {
      addPacked(header, layout, high, low, guest, list);
      continue;
    }
    const host = entryOffset(high, low);
    const zero = (low & ZERO_LOW) !== 0;
    if (zero && version < 3) {
      list.addInvalid(guest, clusterSize, host, 'zero-in-v2');
    } else if (host === 0) {
      if (zero) list.add('zero', guest, clusterSize, -1);
      else if (hasDataFile && (high & COPIED_HIGH) !== 0) list.add('data', guest, clusterSize, 0);
      else list.add('unallocated', guest, clusterSize, -1);
    } else if (!isAligned(host, clusterSize)) {
      list.addInvalid(guest, clusterSize, host, 'data-unaligned');
    } else if (hasDataFile && host !== guest) {
      list.addInvalid(guest, clusterSize, host, 'data-file-offset');
    } else {
      list.add(zero ? 'zero' : 'data', guest, clusterSize, host);
    }
  }
}

/** A compressed cluster is always in the image itself: an external data file cannot hold one. */
function addPacked(
  header: Header,
  layout: CompressedLayout,
  high: number,
  low: number,
  guest: number,
  list: ExtentList,
): void {
  const { clusterSize } = header;
  const host = compressedOffset(layout, high, low);
  if (header.hasDataFile) list.addInvalid(guest, clusterSize, host, 'data-file-compressed');
  else list.addCompressed(guest, clusterSize, host, compressedLength(layout, high, low));
}

function mapExtended(
  header: Header,
  table: Table,
  base: number,
  first: number,
  last: number,
  list: ExtentList,
): void {
  const { clusterSize } = header;
  const layout = compressedLayout(header.clusterBits);
  for (let i = first; i < last; i++) {
    const high = table[i * 4] ?? 0;
    const low = table[i * 4 + 1] ?? 0;
    const zeros = table[i * 4 + 2] ?? 0;
    const allocated = table[i * 4 + 3] ?? 0;
    const guest = base + i * clusterSize;
    if ((high & COMPRESSED_HIGH) !== 0) {
      addPacked(header, layout, high, low, guest, list);
      continue;
    }
    const host = entryOffset(high, low);
    const inFile = host !== 0 || (header.hasDataFile && (high & COPIED_HIGH) !== 0);
    if ((zeros & allocated) !== 0 || (!inFile && allocated !== 0)) {
      list.addInvalid(guest, clusterSize, host, 'subcluster-invalid');
    } else if (!isAligned(host, clusterSize)) {
      list.addInvalid(guest, clusterSize, host, 'data-unaligned');
    } else if (header.hasDataFile && inFile && host !== guest) {
      list.addInvalid(guest, clusterSize, host, 'data-file-offset');
    } else {
      mapSubclusters(clusterSize / SUBCLUSTERS, guest, inFile ? host : -1, zeros, allocated, list);
    }
  }
}

/** A subcluster without a bit keeps its place in the file, but the backing image says its bytes. */
function mapSubclusters(
  size: number,
  guest: number,
  host: number,
  zeros: number,
  allocated: number,
  list: ExtentList,
): void {
  for (let k = 0; k < SUBCLUSTERS; k++) {
    const at = guest + k * size;
    const place = host < 0 ? -1 : host + k * size;
    if (((allocated >>> k) & 1) === 1) list.add('data', at, size, place);
    else if (((zeros >>> k) & 1) === 1) list.add('zero', at, size, place);
    else list.add('unallocated', at, size, place);
  }
}
