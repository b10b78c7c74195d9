/**
 * Which packed clusters a file holds: where each begins and how far it can go. Nobody writes down how
 * long they are: a table entry says the last sector only. As they are packed one behind the other, a
 * stream ends at the latest where the next one begins.
 */
import { powerOfTwo } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';

/** Keys that are gathered before they are sorted in. */
const LEAST_PENDING = 64 * 1024;
const SECTOR = 512;
/** Above this a number is no longer exact. */
const EXACT = 2 ** 53;

/** All streams together. */
export interface PackedTotals {
  /** Distinct streams, by where they begin. */
  readonly streams: number;
  /** Their bytes, without what the sector behind the last byte of a stream holds of the next. */
  readonly bytes: number;
  /** Table entries that lead to them. */
  readonly references: number;
}

/** Gathers the entries of packed clusters, in any order, each as often as there are entries. */
export class PackedStreams {
  /** A key is the offset times this, and the sectors of the entry. */
  readonly #scale: number;
  readonly #limit: number;
  #keys = new Float64Array(0);
  #pending = new Float64Array(LEAST_PENDING);
  #used = 0;
  #references = 0;

  /** @param limit how many distinct streams there may be */
  constructor(clusterBits: number, limit = Infinity) {
    this.#scale = powerOfTwo(clusterBits - 8);
    this.#limit = limit;
  }

  /**
   * Adds a stream that begins at `offset` (bytes from the start of the file).
   * @param length bytes that can be read there: up to the end of the last sector of the entry
   * @param times how many entries say so
   * @throws ImageError too-large: more streams than the limit, or a file of many TiB
   */
  add(offset: number, length: number, times = 1): void {
    const sectors = (length + (offset % SECTOR)) / SECTOR - 1;
    const key = offset * this.#scale + sectors;
    if (key >= EXACT) {
      throw new ImageError('too-large', {
        what: 'offset of a compressed cluster',
        value: String(offset),
        limit: EXACT / this.#scale,
      });
    }
    this.#references += times;
    if (this.#used === this.#pending.length) this.#settle();
    this.#pending[this.#used] = key;
    this.#used += 1;
  }

  /** Distinct streams. */
  get count(): number {
    this.#settle();
    return this.#keys.length;
  }

  totals(): PackedTotals {
    this.#settle();
    let bytes = 0;
    for (let index = 0; index < this.#keys.length; index++) bytes += this.length(index);
    return { streams: this.#keys.length, bytes, references: this.#references };
  }

  /** Where stream `index` begins, counted in the order of the file. Bytes. */
  offset(index: number): number {
    return Math.floor((this.#keys[index] as number) / this.#scale);
  }

  /** How many bytes belong to it at most. */
  length(index: number): number {
    const key = this.#keys[index] as number;
    const offset = Math.floor(key / this.#scale);
    const sectors = key - offset * this.#scale + 1;
    const readable = sectors * SECTOR - (offset % SECTOR);
    if (index + 1 >= this.#keys.length) return readable;
    const room = this.offset(index + 1) - offset;
    // One that begins in the midst of another is no neighbour: both are taken whole.
    return readable - room < SECTOR ? Math.min(readable, room) : readable;
  }

  /** The index of the stream that begins at `offset`, which must have been added. */
  indexOf(offset: number): number {
    this.#settle();
    const key = offset * this.#scale;
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] as number) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Sorts in what was gathered. */
  #settle(): void {
    if (this.#used === 0) return;
    const pending = this.#pending.subarray(0, this.#used);
    if (!isSorted(pending)) pending.sort();
    const merged = merge(this.#keys, pending, this.#scale);
    if (merged.length > this.#limit) {
      const value = String(merged.length);
      throw new ImageError('too-large', { what: 'compressed clusters', value, limit: this.#limit });
    }
    this.#keys = merged;
    this.#used = 0;
    // Sorting in costs a pass over all: as much again may gather before the next one.
    if (merged.length > this.#pending.length) this.#pending = new Float64Array(merged.length);
  }
}

function isSorted(keys: Float64Array): boolean {
  for (let i = 1; i < keys.length; i++) {
    if ((keys[i] as number) < (keys[i - 1] as number)) return false;
  }
  return true;
}

/** Both in one order, each offset once: the entry that goes furthest says how far. */
function merge(a: Float64Array, b: Float64Array, scale: number): Float64Array<ArrayBuffer> {
  const result = new Float64Array(a.length + b.length);
  let length = 0;
  let last = -1;
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    const x = i < a.length ? (a[i] as number) : Infinity;
    const y = j < b.length ? (b[j] as number) : Infinity;
    const key = Math.min(x, y);
    if (x <= y) i += 1;
    else j += 1;
    const offset = Math.floor(key / scale);
    if (offset === last) result[length - 1] = key;
    else result[length++] = key;
    last = offset;
  }
  return result.slice(0, length);
}
