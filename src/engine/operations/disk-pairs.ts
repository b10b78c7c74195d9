/** Two disks side by side: stretches in which each has one kind of run. */
import type { Disk } from '../formats/format.ts';
import { blockStatus, runEnd } from './block-status.ts';
import { mapChain, type ChainExtent } from './chain.ts';

/** A stretch in which each disk has one kind of run. */
export interface Pair {
  offset: number;
  length: number;
  first: ChainExtent | undefined;
  second: ChainExtent | undefined;
  /** In strict mode: both are kept in the same way. */
  sameStatus: boolean;
}

/** Reads as zeros without a look at the file: behind a disk's end as well. */
export function isEmpty(extent: ChainExtent | undefined): boolean {
  if (extent === undefined) return true;
  return !extent.unknown && (extent.kind === 'zero' || extent.kind === 'unallocated');
}

/** The part of an extent that lies in a pair. */
export function cutToPair(extent: ChainExtent, { offset, length }: Pair): ChainExtent {
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

/** Walks both maps together; behind the end of a disk its extent is undefined. */
export async function* pairUp(
  first: Disk,
  second: Disk,
  start: number,
  end: number,
  strict = false,
): AsyncGenerator<Pair> {
  const a = new Cursor(first, start, end, strict);
  const b = new Cursor(second, start, end, strict);
  for (let offset = start; offset < end;) {
    const one = a.at(offset) ?? (await a.next(offset));
    const two = b.at(offset) ?? (await b.next(offset));
    const until = Math.min(one?.until ?? end, two?.until ?? end, end);
    const sameStatus = one === undefined || two === undefined || one.status === two.status;
    const extents = { first: one?.extent, second: two?.extent };
    yield { offset, length: until - offset, ...extents, sameStatus };
    offset = until;
  }
}

/** A run from the place on that was asked for. */
interface Place {
  extent: ChainExtent;
  until: number;
  /** Only in strict mode; '' otherwise. */
  status: string;
}

/** A place in the runs of a disk, moving forward only. */
class Cursor {
  readonly #disk: Disk;
  readonly #strict: boolean;
  readonly #batches: AsyncGenerator<ChainExtent[], undefined>;
  #batch: ChainExtent[] = [];
  #index = 0;

  constructor(disk: Disk, start: number, end: number, strict: boolean) {
    this.#disk = disk;
    this.#strict = strict;
    this.#batches = mapChain(disk, start, Math.max(0, end - start));
  }

  /** The run that holds `offset`, as far as it is at hand. */
  at(offset: number): Place | undefined {
    for (; this.#index < this.#batch.length; this.#index++) {
      const extent = this.#batch[this.#index];
      if (extent === undefined) break;
      const until = extent.offset + extent.length;
      if (offset >= until) continue;
      if (!this.#strict) return { extent, until, status: '' };
      const end = runEnd(this.#disk, extent, offset);
      return { extent, until: end, status: blockStatus(this.#disk, extent, offset, end) };
    }
    return undefined;
  }

  async next(offset: number): Promise<Place | undefined> {
    for (;;) {
      const step: IteratorResult<ChainExtent[], undefined> = await this.#batches.next();
      if (step.done === true) return undefined;
      this.#batch = step.value;
      this.#index = 0;
      const found = this.at(offset);
      if (found !== undefined) return found;
    }
  }
}
