/**
 * The pieces in which qemu-img copies a disk. Which cluster of the target gets which place follows
 * from them, so they are the same here: a file that is made has the same bytes.
 */
import { alignUp, SECTOR } from '../binary/units.ts';
import type { Disk } from '../formats/format.ts';
import { runEnd } from './block-status.ts';
import { mapChain, type ChainExtent } from './chain.ts';
import { isZero } from './zeros.ts';

/** A piece of the disk that is copied at once. Bytes. */
export interface Chunk {
  readonly offset: number;
  readonly length: number;
  /** Whether there is anything to read: otherwise zeros. */
  readonly data: boolean;
  /** What it consists of, cut to it. */
  readonly extents: readonly ChainExtent[];
}

/** Data is copied in pieces of at most this many bytes. */
export const COPY_BYTES = 2 * 1024 * 1024;
/** The most that one request may ask for. */
export const REQUEST_BYTES = 2 ** 31 - SECTOR;

/**
 * The chunks of a disk in guest order.
 * @param batches of its runs from `start` (bytes) on; by default all of it
 */
export async function* copyChunks(
  disk: Disk,
  batches: AsyncIterable<ChainExtent[]> | Iterable<ChainExtent[]> = mapChain(disk),
  start = 0,
): AsyncGenerator<Chunk> {
  const unit = Math.max(SECTOR, disk.clusterSize);
  let at = start;
  for await (const batch of batches) {
    for (const extent of batch) {
      const end = extent.offset + extent.length;
      while (at < end) {
        // A run ends at a cluster, if it reaches one: the next read is aligned then.
        let until = Math.min(alignUp(runEnd(disk, extent, at), SECTOR), at + REQUEST_BYTES);
        const tail = until % unit;
        if (until - at > tail) until -= tail;
        yield* cutRun(extent, at, until);
        at = until;
      }
    }
  }
}

function* cutRun(extent: ChainExtent, start: number, end: number): Generator<Chunk> {
  const data = extent.kind !== 'zero' && (extent.kind !== 'unallocated' || extent.unknown);
  const step = data ? COPY_BYTES : end - start;
  for (let at = start; at < end; at += step) {
    const length = Math.min(step, end - at);
    // The last sector of a file that ends within it has nothing behind its end.
    const there = Math.min(length, extent.offset + extent.length - at);
    yield { offset: at, length, data, extents: data ? [partOf(extent, at, there)] : [] };
  }
}

function partOf(extent: ChainExtent, offset: number, length: number): ChainExtent {
  const skip = offset - extent.offset;
  const isData = extent.kind === 'data';
  return {
    ...extent,
    offset,
    length,
    hostOffset: isData ? extent.hostOffset + skip : extent.hostOffset,
    clusterOffset: isData ? offset : extent.clusterOffset,
  };
}

/** A part of a buffer, bytes. */
export interface Written {
  readonly start: number;
  readonly end: number;
}

/**
 * The parts of a piece of data that are written: not those that are zeros for at least `sparse`
 * bytes, at boundaries of `sparse` bytes of the disk where that is possible.
 * @param bytes whole sectors
 * @param offset where they lie on the disk, bytes
 * @param sparse bytes, a multiple of 512; 0 writes everything
 */
export function* writtenParts(
  bytes: Uint8Array,
  offset: number,
  sparse: number,
): Generator<Written> {
  if (sparse === 0) {
    yield { start: 0, end: bytes.length };
    return;
  }
  const sectors = new SectorRuns(bytes, offset / SECTOR, sparse / SECTOR);
  const shortest = sparse / SECTOR;
  for (let at = 0; at < sectors.count;) {
    const first = sectors.runFrom(at);
    if (first.zero) {
      at = first.end;
      continue;
    }
    const most = Math.min(shortest, sectors.count - at);
    let end = first.end;
    for (let next = end; next < sectors.count;) {
      const run = sectors.runFrom(next);
      if (!run.zero) end = run.end;
      else if (run.end - next >= most) break;
      next = run.end;
    }
    yield { start: at * SECTOR, end: Math.min(bytes.length, end * SECTOR) };
    at = end;
  }
}

const SECTOR_WORDS = SECTOR / 4;

/** Which sectors of a buffer are zeros. */
class SectorRuns {
  readonly count: number;
  readonly #bytes: Uint8Array;
  /** The same as words, as far as it goes: a view for each sector would cost more than the look. */
  readonly #words: Int32Array;
  readonly #first: number;
  readonly #unit: number;

  /** @param unit sectors; a power of two is what counts of it */
  constructor(bytes: Uint8Array, first: number, unit: number) {
    this.#bytes = bytes;
    const isAligned = bytes.byteOffset % 4 === 0;
    const words = isAligned ? Math.floor(bytes.length / SECTOR) * SECTOR_WORDS : 0;
    this.#words = new Int32Array(bytes.buffer, isAligned ? bytes.byteOffset : 0, words);
    this.#first = first;
    this.#unit = 2 ** Math.floor(Math.log2(unit));
    this.count = Math.ceil(bytes.length / SECTOR);
  }

  /** The run of equal sectors from `at` on, its end moved to a boundary where that saves work. */
  runFrom(at: number): { zero: boolean; end: number } {
    const zero = this.#isZero(at);
    let end = at + 1;
    while (end < this.count && this.#isZero(end) === zero) end++;
    const tail = (this.#first + end) % this.#unit;
    if (end === this.count || tail === 0) return { zero, end };
    // Data follows within the same unit: the zeros before it in that unit are written with it.
    if (zero && end - at > tail) return { zero, end: end - tail };
    return { zero: false, end: Math.min(this.count, end + this.#unit - tail) };
  }

  #isZero(sector: number): boolean {
    const words = this.#words;
    const end = (sector + 1) * SECTOR_WORDS;
    if (end > words.length) {
      return isZero(this.#bytes.subarray(sector * SECTOR, (sector + 1) * SECTOR));
    }
    let at = sector * SECTOR_WORDS;
    while (at < end && words[at] === 0) at++;
    return at === end;
  }
}
