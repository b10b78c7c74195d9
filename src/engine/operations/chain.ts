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

/** A batch ends after about this many runs, however many a chain has. */
const EXTENTS_AT_ONCE = 64 * 1024;
/**
 * Runs that fall through to the backing image are looked up together when no more than this lies
 * between them (guest bytes): its tables are read once for all of them, and there is one await for
 * thousands of runs. A wider gap may save tables from being read at all.
 */
const GROUP_GAP = 64 * 1024 * 1024;

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
): Promise<ChainExtent[]> {
  const own = await disk.map(offset, length);
  const result: ChainExtent[] = [];
  for (let index = 0; index < own.length && result.length < EXTENTS_AT_ONCE;) {
    const extent = own[index] as Extent;
    if (extent.kind !== 'unallocated') {
      result.push(decided(disk, extent, depth));
      index++;
      continue;
    }
    const end = endOfGroup(own, index);
    if (!(await descend(disk, own.slice(index, end), depth, result))) break;
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
  const unknown = extent.kind === 'data' && disk.contentMissing !== undefined;
  return { ...extent, depth, present: true, disk, unknown };
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
  result: ChainExtent[],
): Promise<boolean> {
  const below = new Below(disk.backing, endOf(group.at(-1) as Extent), depth + 1);
  for (const extent of group) {
    if (extent.kind !== 'unallocated') {
      result.push(decided(disk, extent, depth));
      continue;
    }
    const end = endOf(extent);
    let at = extent.offset;
    while (at < end) {
      if (result.length >= EXTENTS_AT_ONCE) return false;
      const found = below.at(at) ?? (await below.load(at));
      if (found === undefined) break;
      const until = Math.min(end, endOf(found));
      result.push(cutExtent(found, at, until));
      at = until;
    }
    if (at >= end) continue;
    const rest = cutExtent(extent, at, end);
    result.push({ ...rest, depth, present: false, disk, unknown: disk.backingMissing });
  }
  return true;
}

/** The backing image's runs of a stretch, asked for in rising order. */
class Below {
  readonly #disk: Disk | undefined;
  readonly #end: number;
  readonly #depth: number;
  #runs: ChainExtent[] = [];
  #index = 0;

  constructor(disk: Disk | undefined, end: number, depth: number) {
    this.#disk = disk;
    this.#end = disk === undefined ? 0 : Math.min(end, disk.size);
    this.#depth = depth;
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
    this.#runs = await resolve(this.#disk, offset, this.#end - offset, this.#depth);
    this.#index = 0;
    return this.at(offset);
  }
}
