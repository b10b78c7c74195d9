/**
 * A disk with its backing images as one: every run is followed down to the image that decides it.
 */
import { cutExtent } from '../formats/extents.ts';
import type { Disk, Extent } from '../formats/format.ts';

/** A run with the image that decides it. */
export interface ChainExtent extends Extent {
  /** 0 for the image itself, 1 for its backing image, and so on. */
  depth: number;
  /** Some image of the chain says something of it; false: zeros only because nobody does. */
  present: boolean;
  /** The image that the extent is of. */
  disk: Disk;
  /** Its bytes are in a file that is missing, or behind a passphrase that is: nobody knows them. */
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
  const most = extentsAtOnce(disk);
  // Layers with few runs each can have many together. What is mapped further than a batch goes is
  // mapped again for the next one, so not much further than the last one went.
  let stretch = Infinity;
  let at = offset;
  while (at < end) {
    const batch = await resolve(disk, at, Math.min(end - at, stretch), 0, most);
    const last = batch.at(-1);
    // A format that answers with nothing would keep us here for ever.
    if (last === undefined) return undefined;
    const reached = endOf(last);
    const isFull = batch.length >= most / 2;
    stretch = isFull ? (reached - at) * 2 : stretch * 8;
    at = reached;
    yield batch;
  }
  return undefined;
}

/**
 * What an image itself says of a range, whatever lies below it: its runs in guest order, in batches,
 * without those that it leaves to others. Bytes; the range is cut to the disk.
 */
export async function* mapOwn(
  disk: Disk,
  offset = 0,
  length: number = disk.size,
): AsyncGenerator<ChainExtent[], undefined> {
  const end = Math.min(offset + length, disk.size);
  for (let at = offset; at < end;) {
    const batch = await disk.map(at, end - at, EXTENTS_AT_ONCE);
    const last = batch.at(-1);
    if (last === undefined) return undefined;
    at = endOf(last);
    const own: ChainExtent[] = [];
    for (const extent of batch) {
      if (extent.kind !== 'unallocated') own.push(decided(disk, extent, 0));
    }
    yield own;
  }
  return undefined;
}

/** A batch ends after about this many runs. */
const EXTENTS_AT_ONCE = 64 * 1024;
/** All layers together may hold about this many: each has a batch of its own on the way down. */
const EXTENTS_OF_CHAIN = 512 * 1024;
const LEAST_AT_ONCE = 1024;
/**
 * Runs that fall through to the backing image are looked up together when no more than this lies
 * between them (guest bytes): its tables are read once for all of them, and there is one await for
 * thousands of runs. A wider gap may save tables from being read at all.
 */
const GROUP_GAP = 64 * 1024 * 1024;

/** How many runs a batch of each layer may have: long chains take no more memory than short ones. */
function extentsAtOnce(disk: Disk): number {
  let layers = 1;
  for (let below = disk.backing; below !== undefined; below = below.backing) layers += 1;
  const share = Math.floor(EXTENTS_OF_CHAIN / layers);
  return Math.max(LEAST_AT_ONCE, Math.min(EXTENTS_AT_ONCE, share));
}

/**
 * The runs from `offset` on: at least one, at most `length` bytes, without gaps. Each layer is
 * mapped in stretches, and only the parts that the layer above leaves open are taken from it, so
 * the work is proportional to the runs of all layers together.
 */
async function resolve(
  disk: Disk,
  offset: number,
  length: number,
  depth: number,
  most: number,
): Promise<ChainExtent[]> {
  const own = await disk.map(offset, length, most);
  const result: ChainExtent[] = [];
  for (let index = 0; index < own.length && result.length < most;) {
    const extent = own[index] as Extent;
    if (extent.kind !== 'unallocated') {
      result.push(decided(disk, extent, depth));
      index++;
      continue;
    }
    const end = endOfGroup(own, index);
    if (!(await descend(disk, own.slice(index, end), depth, most, result))) break;
    index = end;
  }
  return result;
}

/** Behind the last of the runs that are to be looked up together with the one at `first`. */
function endOfGroup(extents: readonly Extent[], first: number): number {
  let end = first + 1;
  let reached = endOf(extents[first] as Extent);
  for (let index = end; index < extents.length; index++) {
    const extent = extents[index] as Extent;
    if (extent.offset - reached > GROUP_GAP) break;
    if (extent.kind !== 'unallocated') continue;
    reached = endOf(extent);
    end = index + 1;
  }
  return end;
}

function endOf(extent: Extent): number {
  return extent.offset + extent.length;
}

function decided(disk: Disk, extent: Extent, depth: number): ChainExtent {
  const isMissing = extent.kind === 'data' && disk.contentMissing !== undefined;
  const unknown = isMissing || extent.unknown === true;
  return ofDisk(disk, extent, depth, true, unknown);
}

/** Written out: millions of runs come through here, and spreading takes a hundred times as long. */
function ofDisk(
  disk: Disk,
  extent: Extent,
  depth: number,
  present: boolean,
  unknown: boolean,
): ChainExtent {
  const run: ChainExtent = {
    kind: extent.kind,
    offset: extent.offset,
    length: extent.length,
    storage: extent.storage,
    hostOffset: extent.hostOffset,
    hostLength: extent.hostLength,
    clusterOffset: extent.clusterOffset,
    depth,
    present,
    disk,
    unknown,
  };
  if (extent.reason !== undefined) run.reason = extent.reason;
  if (extent.packing !== undefined) run.packing = extent.packing;
  if (extent.unpackedLength !== undefined) run.unpackedLength = extent.unpackedLength;
  return run;
}

/**
 * Adds the runs of a group, the unallocated ones as the backing image decides them, with zeros
 * behind its end and where there is none. Returns whether all were added; otherwise it stopped
 * somewhere, because there were enough for a batch.
 */
async function descend(
  disk: Disk,
  group: readonly Extent[],
  depth: number,
  most: number,
  result: ChainExtent[],
): Promise<boolean> {
  const below = new Below(disk.backing, endOf(group.at(-1) as Extent), depth + 1, most);
  for (const extent of group) {
    if (extent.kind !== 'unallocated') {
      result.push(decided(disk, extent, depth));
      continue;
    }
    const end = endOf(extent);
    let at = extent.offset;
    while (at < end) {
      if (result.length >= most) return false;
      const found = below.at(at) ?? (await below.load(at));
      if (found === undefined) break;
      const until = Math.min(end, endOf(found));
      result.push(cutExtent(found, at, until));
      at = until;
    }
    if (at >= end) continue;
    const rest = cutExtent(extent, at, end);
    result.push(ofDisk(disk, rest, depth, false, disk.backingMissing));
  }
  return true;
}

/** The backing image's runs of a stretch, asked for in rising order. */
class Below {
  readonly #disk: Disk | undefined;
  readonly #end: number;
  readonly #depth: number;
  readonly #most: number;
  #runs: ChainExtent[] = [];
  #index = 0;

  constructor(disk: Disk | undefined, end: number, depth: number, most: number) {
    this.#disk = disk;
    this.#end = disk === undefined ? 0 : Math.min(end, disk.size);
    this.#depth = depth;
    this.#most = most;
  }

  /** The run that holds `offset`, as far as it is at hand. */
  at(offset: number): ChainExtent | undefined {
    for (; this.#index < this.#runs.length; this.#index++) {
      const run = this.#runs[this.#index] as ChainExtent;
      if (offset < endOf(run)) return run;
    }
    return undefined;
  }

  /** The same after reading on from there; undefined behind the end. */
  async load(offset: number): Promise<ChainExtent | undefined> {
    if (this.#disk === undefined || offset >= this.#end) return undefined;
    this.#runs = await resolve(this.#disk, offset, this.#end - offset, this.#depth, this.#most);
    this.#index = 0;
    return this.at(offset);
  }
}
