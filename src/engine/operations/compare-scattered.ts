/**
 * Comparing fragmented disks. Whether they are the same is seen in the order of the file; only where
 * they are not, the usual way has to say where they differ first.
 */
import type { CodecPool } from '../codecs/pool.ts';
import { isImageError, throwIfCancelled } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import { mapChain, type ChainExtent } from './chain.ts';
import { cutToPair, isEmpty, pairUp, type Pair } from './disk-pairs.ts';
import { pipeline } from './convert-windows.ts';
import { ExtentStore, MOST_RUNS } from './extent-store.ts';
import { stretchesOf } from './file-order.ts';
import type { Range } from './finding.ts';
import { Transfer } from './transfer.ts';
import { pacer } from './yield.ts';

export interface ScatteredCompareOptions {
  pool: CodecPool;
  signal?: AbortSignal | undefined;
  /** Told how many bytes were equal, and taken back where that does not decide it. */
  passed: (bytes: number) => void;
}

/** Bytes that are read together of either disk, pieces, and bytes of one piece. */
const WINDOW = 8 * 1024 * 1024;
const MOST_PIECES = 4096;
const PIECE = 1024 * 1024;

/**
 * Compares the fragmented stretches of two disks.
 * @param end of the part that both have, bytes
 * @returns what is to be compared in guest order: all the rest, and where something is not the same
 */
export async function* leftToCompare(
  first: Disk,
  second: Disk,
  end: number,
  options: ScatteredCompareOptions,
): AsyncGenerator<Range, undefined> {
  for await (const range of leftOf(first, second, { offset: 0, length: end }, options)) {
    yield* leftOf(second, first, range, options);
  }
  return undefined;
}

/** The same in the order of the file of `leading`, within a range. */
async function* leftOf(
  leading: Disk,
  other: Disk,
  { offset, length }: Range,
  options: ScatteredCompareOptions,
): AsyncGenerator<Range, undefined> {
  for await (const stretch of stretchesOf(mapChain(leading, offset, length), 'auto')) {
    if (stretch.kind === 'batch') {
      const [from, to] = [stretch.batch[0], stretch.batch.at(-1)];
      if (from === undefined || to === undefined) continue;
      yield { offset: from.offset, length: to.offset + to.length - from.offset };
      continue;
    }
    const range = { offset: stretch.offset, length: stretch.length };
    stretch.store.clear();
    const comparison = new Scattered(leading, other, options);
    if (!(await comparison.isSame(range))) yield range;
  }
  return undefined;
}

class Scattered {
  readonly #leading: Disk;
  readonly #other: Disk;
  readonly #options: ScatteredCompareOptions;
  /** Pieces of both with one index. */
  readonly #ours = new ExtentStore(MOST_RUNS / 2);
  readonly #others = new ExtentStore(MOST_RUNS / 2);
  #passed = 0;

  constructor(leading: Disk, other: Disk, options: ScatteredCompareOptions) {
    this.#leading = leading;
    this.#other = other;
    this.#options = options;
  }

  /** False as well where something cannot be read: the usual way finds out what. */
  async isSame(range: Range): Promise<boolean> {
    try {
      if (await this.#compare(range)) return true;
    } catch (error) {
      if (!isImageError(error) || error.code === 'cancelled') throw error;
    }
    this.#options.passed(-this.#passed);
    return false;
  }

  async #compare({ offset, length }: Range): Promise<boolean> {
    const pace = pacer(this.#options.signal);
    for await (const pair of pairUp(this.#leading, this.#other, offset, offset + length)) {
      throwIfCancelled(this.#options.signal);
      const pause = pace();
      if (pause !== undefined) await pause;
      const { first, second } = pair;
      if (first === undefined || second === undefined) return false;
      if (!ExtentStore.takes(first) || !ExtentStore.takes(second)) return false;
      if (isEmpty(first) && isEmpty(second)) this.#pass(pair.length);
      else if (!(await this.#add(pair, first, second))) return false;
    }
    return this.#compareAll();
  }

  #pass(bytes: number): void {
    this.#passed += bytes;
    this.#options.passed(bytes);
  }

  async #add(pair: Pair, first: ChainExtent, second: ChainExtent): Promise<boolean> {
    for (let done = 0; done < pair.length; done += PIECE) {
      if (this.#ours.isFull && !(await this.#compareAll())) return false;
      const length = Math.min(PIECE, pair.length - done);
      const piece = { ...pair, offset: pair.offset + done, length };
      this.#ours.add(cutToPair(first, piece));
      this.#others.add(cutToPair(second, piece));
    }
    return true;
  }

  /** Compares all pieces that there are, and forgets them. */
  async #compareAll(): Promise<boolean> {
    let same = true;
    await pipeline(
      windowsOf(this.#ours, () => same),
      (window) => Promise.all([this.#read(window, this.#ours), this.#read(window, this.#others)]),
      (window, [ours, others]) => {
        throwIfCancelled(this.#options.signal);
        same &&= isEqual(ours, others);
        this.#pass(window.length);
        return Promise.resolve();
      },
    );
    this.#ours.clear();
    this.#others.clear();
    return same;
  }

  /** The pieces of a window, one behind the other. */
  async #read(window: Window, store: ExtentStore): Promise<Uint8Array> {
    const bytes = new Uint8Array(window.length);
    const runs = window.indexes.map((index) => store.get(index));
    const transfer = new Transfer(
      (at, part) => {
        const index = runAt(runs, at);
        const skip = at - (runs[index]?.offset ?? 0);
        bytes.set(part, (window.places[index] ?? 0) + skip);
      },
      { pool: this.#options.pool, signal: this.#options.signal },
    );
    await transfer.add(runs);
    await transfer.end();
    return bytes;
  }
}

/** Pieces that are read together. */
interface Window {
  /** In guest order. */
  readonly indexes: number[];
  /** Where each begins in the bytes that are read. */
  readonly places: number[];
  readonly length: number;
}

function* windowsOf(store: ExtentStore, goesOn: () => boolean): Generator<Window, undefined> {
  let indexes: number[] = [];
  let length = 0;
  for (const index of store.fileOrder()) {
    if (!goesOn()) return undefined;
    indexes.push(index);
    length += store.lengthOf(index);
    if (length < WINDOW && indexes.length < MOST_PIECES) continue;
    yield windowOf(store, indexes, length);
    indexes = [];
    length = 0;
  }
  if (length > 0) yield windowOf(store, indexes, length);
  return undefined;
}

function windowOf(store: ExtentStore, indexes: number[], length: number): Window {
  indexes.sort((a, b) => a - b);
  let at = 0;
  const places = indexes.map((index) => {
    const place = at;
    at += store.lengthOf(index);
    return place;
  });
  return { indexes, places, length };
}

/** Index of the run that holds a guest offset (bytes); one does. */
function runAt(runs: readonly ChainExtent[], offset: number): number {
  let low = 0;
  let high = runs.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((runs[middle]?.offset ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Whether two buffers of one length hold the same; they begin at whole words. */
function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  const words = a.length >>> 2;
  const x = new Int32Array(a.buffer, a.byteOffset, words);
  const y = new Int32Array(b.buffer, b.byteOffset, words);
  for (let word = 0; word < words; word++) if (x[word] !== y[word]) return false;
  for (let at = words * 4; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
