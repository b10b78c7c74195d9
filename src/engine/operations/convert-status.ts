/**
 * The pieces in which qemu-img copies a disk into an image that has something below it, or in it,
 * already: zeros have to be written there, and what the source takes from its own backing image
 * is left out where the target has that image below it.
 */
import { alignDown, alignUp, SECTOR } from '../binary/units.ts';
import { cutExtent } from '../formats/extents.ts';
import { ImageError } from '../errors.ts';
import type { Disk, Extent } from '../formats/format.ts';
import { runEnd } from './block-status.ts';
import { mapChain, type ChainExtent } from './chain.ts';
import { COPY_BYTES, REQUEST_BYTES, type Chunk } from './convert-chunks.ts';

/** A piece that is copied at once. */
export interface StatusChunk extends Chunk {
  /** `below`: the image below says it; nothing is to be written. */
  readonly status: 'data' | 'zero' | 'below';
}

export interface StatusOptions {
  /** Whether the target has the source's backing image below it, or one with the same content. */
  readonly overBacking: boolean;
  /** Size of the image below the target, bytes; undefined where it is not known. */
  readonly backingSize: number | undefined;
  /** Bytes of the clusters that are packed: the unit of everything then; 0 where nothing is. */
  readonly packed: number;
}

/** The pieces of a whole disk in guest order. */
export async function* statusChunks(
  disk: Disk,
  options: StatusOptions,
): AsyncGenerator<StatusChunk> {
  const size = alignUp(disk.size, SECTOR);
  const { packed } = options;
  const runs = new StatusRuns(disk, options);
  let run: Run | undefined;
  for (let at = 0; at < size;) {
    if (run === undefined || run.end <= at) run = await runs.at(at, size);
    let length = run.end - at;
    if (run.status === 'data') length = Math.min(length, packed === 0 ? COPY_BYTES : packed);
    if (packed > 0 && length < packed) {
      // A packed cluster is written whole, whatever its parts are.
      length = Math.min(packed, size - at);
      const extents: ChainExtent[] = [];
      for await (const batch of mapChain(disk, at, length)) extents.push(...batch);
      yield { offset: at, length, data: true, status: 'data', extents };
    } else {
      if (packed > 0) length = alignDown(length, packed);
      yield pieceOf(run, at, length);
    }
    at += length;
  }
}

interface Run {
  readonly status: StatusChunk['status'];
  readonly end: number;
  readonly extent: ChainExtent;
}

function pieceOf({ status, extent }: Run, offset: number, length: number): StatusChunk {
  const data = status === 'data';
  // The last sector of a file that ends within it has nothing behind its end.
  const end = Math.min(offset + length, extent.offset + extent.length);
  const extents = data ? [cutExtent(extent, offset, end)] : [];
  return { offset, length, data, status, extents };
}

/** The runs of a disk as QEMU reports them, asked for in rising order. */
class StatusRuns {
  readonly #disk: Disk;
  readonly #options: StatusOptions;
  readonly #unit: number;
  readonly #batches: AsyncIterator<ChainExtent[]>;
  #batch: readonly ChainExtent[] = [];
  #index = 0;

  constructor(disk: Disk, options: StatusOptions) {
    this.#disk = disk;
    this.#options = options;
    this.#unit = Math.max(SECTOR, disk.clusterSize);
    const hasBacking = disk.backing !== undefined || disk.backingMissing;
    const isOwnOnly = options.overBacking && hasBacking;
    this.#batches = isOwnOnly ? ownRuns(disk) : mapChain(disk);
  }

  async at(offset: number, size: number): Promise<Run> {
    const extent = await this.#extentAt(offset);
    const { backingSize, overBacking } = this.#options;
    let most = Math.min(size - offset, REQUEST_BYTES);
    const isBehind = backingSize !== undefined && offset >= backingSize;
    if (backingSize !== undefined && !isBehind) most = Math.min(most, backingSize - offset);
    // A run ends at a cluster, if it reaches one: the next read is aligned then.
    let end = Math.min(alignUp(runEnd(this.#disk, extent, offset), SECTOR), offset + most);
    const tail = end % this.#unit;
    if (end - offset > tail) end -= tail;
    const kind = this.#kindOf(extent, offset);
    if (kind === 'zero') return { status: isBehind ? 'below' : 'zero', end, extent };
    if (kind === 'below' && overBacking) return { status: 'below', end, extent };
    return { status: 'data', end, extent };
  }

  /** What QEMU takes a run for that begins at `offset`. */
  #kindOf({ kind, present, unknown }: ChainExtent, offset: number): StatusChunk['status'] {
    if (kind === 'zero') return 'zero';
    if (kind !== 'unallocated' || unknown) return 'data';
    const { backing } = this.#disk;
    if (present && (backing === undefined || offset < backing.size)) return 'below';
    return 'zero';
  }

  async #extentAt(offset: number): Promise<ChainExtent> {
    for (;;) {
      for (; this.#index < this.#batch.length; this.#index++) {
        const extent = this.#batch[this.#index] as ChainExtent;
        // The last sector of a file may not be whole.
        if (offset < alignUp(extent.offset + extent.length, SECTOR)) return extent;
      }
      const next = await this.#batches.next();
      if (next.done === true) throw new ImageError('internal', { reason: 'a disk ends early' });
      this.#batch = next.value;
      this.#index = 0;
    }
  }
}

/** The runs of the disk itself; `present` marks those that it leaves to its backing image. */
async function* ownRuns(disk: Disk): AsyncGenerator<ChainExtent[], undefined> {
  for (let at = 0; at < disk.size;) {
    const own: Extent[] = await disk.map(at, disk.size - at);
    const last = own.at(-1);
    if (last === undefined) return undefined;
    at = last.offset + last.length;
    const isMissing = disk.contentMissing !== undefined;
    yield own.map((extent) => ({
      ...{ ...extent, depth: 0, present: true, disk },
      unknown: extent.kind === 'data' && isMissing,
    }));
  }
  return undefined;
}
