/**
 * A disk with its backing images as one: every run is followed down to the image that decides it.
 */
import type { Disk, Extent } from '../formats/format.ts';

/** A run with the image that decides it. */
export interface ChainExtent extends Extent {
  /** 0 for the image itself, 1 for its backing image, and so on. */
  depth: number;
  /** Some image of the chain says something of it; false: zeros only because nobody does. */
  present: boolean;
  /** The image that the extent is of. */
  disk: Disk;
  /** Not in any image that is open, and the next one is missing: the content is unknown. */
  unknown: boolean;
}

/**
 * The runs of a range in guest order, in batches, neighbours within a batch never mergeable.
 * Bytes; the range is cut to the disk.
 */
export async function* mapChain(
  disk: Disk,
  offset = 0,
  length: number = disk.size,
): AsyncGenerator<ChainExtent[], undefined> {
  const end = Math.min(offset + length, disk.size);
  let at = offset;
  while (at < end) {
    const batch = await resolve(disk, at, end - at, 0);
    const last = batch.at(-1);
    // A format that answers with nothing would keep us here for ever.
    if (last === undefined) return undefined;
    at = last.offset + last.length;
    yield batch;
  }
  return undefined;
}

async function resolve(
  disk: Disk,
  offset: number,
  length: number,
  depth: number,
): Promise<ChainExtent[]> {
  const result: ChainExtent[] = [];
  for (const extent of await disk.map(offset, length)) {
    if (extent.kind !== 'unallocated')
      result.push({ ...extent, depth, present: true, disk, unknown: false });
    else await descend(disk, extent, depth, result);
  }
  return result;
}

/** Unallocated here: the backing image decides, zeros behind its end and where there is none. */
async function descend(
  disk: Disk,
  extent: Extent,
  depth: number,
  result: ChainExtent[],
): Promise<void> {
  const { backing } = disk;
  const end = extent.offset + extent.length;
  let at = extent.offset;
  if (backing !== undefined) {
    const there = Math.min(end, backing.size);
    while (at < there) {
      const below = await resolve(backing, at, there - at, depth + 1);
      const last = below.at(-1);
      if (last === undefined) break;
      for (const one of below) result.push(one);
      at = last.offset + last.length;
    }
  }
  if (at >= end) return;
  result.push({
    ...extent,
    offset: at,
    length: end - at,
    clusterOffset: at,
    depth,
    present: false,
    disk,
    unknown: disk.backingMissing,
  });
}
