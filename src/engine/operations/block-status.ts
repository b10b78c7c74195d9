/**
 * What qemu-img's strict comparison compares: the status of a run as QEMU's block layer reports it.
 * It depends on where runs end, and those end at the seams of its caches too.
 */
import type { Disk } from '../formats/format.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';
import type { ChainExtent } from './chain.ts';

/** QEMU reads L2 tables in slices of at most this many bytes; no run goes beyond one. */
const SLICE_BYTES = 64 * 1024;

/** Where QEMU lets a run end that begins at `offset` of an extent (bytes). */
export function runEnd(top: Disk, extent: ChainExtent, offset: number): number {
  let end = extent.offset + extent.length;
  for (const layer of layersAbove(top, extent)) {
    const coverage = sliceCoverage(layer);
    if (coverage > 0) end = Math.min(end, (Math.floor(offset / coverage) + 1) * coverage);
  }
  return end;
}

/** Guest bytes of one slice; 0 where there are none. */
function sliceCoverage(layer: Disk): number {
  if (!(layer instanceof Qcow2Image)) return 0;
  const { clusterSize, header } = layer;
  const entryBytes = clusterSize / header.l2Entries;
  return (Math.min(clusterSize, SLICE_BYTES) / entryBytes) * clusterSize;
}

/** The images from the top down to the one that decides. */
function layersAbove(top: Disk, extent: ChainExtent): Disk[] {
  const layers: Disk[] = [];
  for (let layer: Disk | undefined = top; layer !== undefined; layer = layer.backing) {
    layers.push(layer);
    if (layers.length > extent.depth) break;
  }
  return layers;
}

/** Everything that is compared of a run from `offset` to `end` (bytes), as text. */
export function blockStatus(top: Disk, extent: ChainExtent, offset: number, end: number): string {
  const { kind, disk } = extent;
  const isData = kind === 'data' || kind === 'compressed';
  const isEncrypted = disk.cipher !== undefined || disk.contentMissing === 'locked';
  const isPlain = kind !== 'compressed' && !isEncrypted;
  const hasPlace = extent.hostOffset >= 0 && isPlain;
  // Zeros behind the end of a backing image count as its own.
  const isBehind = disk.backing !== undefined && offset >= disk.backing.size;
  const isAllocated = extent.present || (kind === 'unallocated' && isBehind);
  const lastOf = isAllocated ? top : disk;
  const flags = {
    data: isData,
    compressed: kind === 'compressed',
    place: hasPlace,
    allocated: isAllocated,
    last: end === lastOf.size || end === top.size,
  };
  return JSON.stringify(flags);
}
