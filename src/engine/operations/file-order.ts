/**
 * Reading a badly fragmented disk in the order of its files. In guest order each cluster would be a
 * read of its own, which costs 0.7 ms with a picked file; in the order of the file the same clusters
 * come in long reads. For whoever can put content where it belongs, in whatever order it comes.
 */
import { READ_THROUGH } from '../storage/gather.ts';
import type { Storage } from '../storage/storage.ts';
import type { ChainExtent } from './chain.ts';
import { ExtentStore } from './extent-store.ts';

/** `auto`: that of the file where a stretch is so fragmented that it pays. */
export type ReadOrder = 'guest' | 'file' | 'auto';

/** What a way to another place of the file costs, in bytes that could be read meanwhile. */
const JUMP_COST = 512 * 1024;
/** So few ways are over before anybody notices. */
const FEW_JUMPS = 64;
/** Where runs are gathered, so few of another kind join them. */
const FEW_RUNS = 1024;
/** A batch in the order of the file, runs and bytes. */
const BATCH_RUNS = 4096;
const BATCH_BYTES = 64 * 1024 * 1024;

/** Whether reading runs one after the other takes longer for the ways between them than for bytes. */
export function isScattered(batch: readonly ChainExtent[]): boolean {
  const ends = new Map<Storage, number>();
  let storage: Storage | undefined;
  let end = 0;
  let jumps = 0;
  let bytes = 0;
  for (const extent of batch) {
    if (!isRead(extent)) continue;
    if (extent.storage !== storage) {
      if (storage !== undefined) ends.set(storage, end);
      storage = extent.storage;
      end = ends.get(storage) ?? extent.hostOffset;
    }
    const length = extent.kind === 'data' ? extent.length : extent.hostLength;
    if (Math.abs(extent.hostOffset - end) > READ_THROUGH) jumps += 1;
    bytes += length;
    end = extent.hostOffset + length;
  }
  return isWorthIt(jumps, bytes);
}

/** Whether the ways between what is read cost more than to read all of its bytes. */
export function isWorthIt(jumps: number, bytes: number): boolean {
  return jumps >= FEW_JUMPS && jumps * JUMP_COST > bytes;
}

/** Whether a run's content is in a file, as far as its tables say. */
export function isRead(extent: ChainExtent): boolean {
  return (extent.kind === 'data' || extent.kind === 'compressed') && ExtentStore.takes(extent);
}

/** A fragmented stretch of a disk, bytes. */
export interface Scattered {
  readonly kind: 'scattered';
  readonly offset: number;
  readonly length: number;
  /** Its content in guest order. Emptied when the next stretch is asked for. */
  readonly store: ExtentStore;
  /** All other runs of it in guest order: zeros, and what nobody knows. */
  readonly others: ChainExtent[];
}

/** Batches to be taken as they come, and fragmented stretches that are to be read in file order. */
export type Stretch = Scattered | { readonly kind: 'batch'; readonly batch: ChainExtent[] };

/** Others of one stretch, at most: they are kept as they are. */
const MOST_OTHERS = 128 * 1024;

/** What is gathered of a stretch. */
class Gathering {
  readonly #store = new ExtentStore();
  #others: ChainExtent[] = [];
  #start = 0;
  #end = 0;

  get isEmpty(): boolean {
    return this.#store.length + this.#others.length === 0;
  }

  get isFull(): boolean {
    return this.#store.isFull || this.#others.length >= MOST_OTHERS;
  }

  add(extent: ChainExtent): void {
    if (this.isEmpty) this.#start = extent.offset;
    this.#end = extent.offset + extent.length;
    if (isRead(extent)) this.#store.add(extent);
    else this.#others.push(extent);
  }

  stretch(): Scattered {
    const length = this.#end - this.#start;
    const [store, others] = [this.#store, this.#others];
    return { kind: 'scattered', offset: this.#start, length, store, others };
  }

  clear(): void {
    this.#store.clear();
    this.#others = [];
  }
}

/**
 * Tells fragmented stretches from the others. Bounded in memory: where there are too many runs, a
 * stretch ends and the next one begins.
 * @param batches of a disk, in guest order
 */
export async function* stretchesOf(
  batches: AsyncIterable<ChainExtent[]>,
  order: ReadOrder,
): AsyncGenerator<Stretch> {
  const gathering = new Gathering();
  for await (const batch of batches) {
    const joins = !gathering.isEmpty && batch.length < FEW_RUNS;
    if (order === 'guest' || (order === 'auto' && !joins && !isScattered(batch))) {
      if (!gathering.isEmpty) yield gathering.stretch();
      gathering.clear();
      yield { kind: 'batch', batch };
      continue;
    }
    for (const extent of batch) {
      if (gathering.isFull) {
        yield gathering.stretch();
        gathering.clear();
      }
      gathering.add(extent);
    }
  }
  if (!gathering.isEmpty) yield gathering.stretch();
}

/** The runs of a store in batches, by the place in the file. */
export function* byFile(store: ExtentStore): Generator<ChainExtent[]> {
  let batch: ChainExtent[] = [];
  let bytes = 0;
  for (const index of store.fileOrder()) {
    const extent = store.get(index);
    batch.push(extent);
    bytes += extent.length;
    if (batch.length < BATCH_RUNS && bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

/**
 * The same runs in other batches: those of fragmented stretches in the order of the file, what holds
 * no content before them.
 */
export async function* inFileOrder(
  batches: AsyncIterable<ChainExtent[]>,
  order: ReadOrder,
): AsyncGenerator<ChainExtent[]> {
  for await (const stretch of stretchesOf(batches, order)) {
    if (stretch.kind === 'batch') {
      yield stretch.batch;
      continue;
    }
    if (stretch.others.length > 0) yield stretch.others;
    yield* byFile(stretch.store);
  }
}
