/**
 * How often each cluster of a file is referenced: an array in pages that exist once touched. What
 * it takes is bounded: clusters are counted a window at a time, and a file that is larger than the
 * window is gone through as often as it has windows.
 */
import { SHARES } from '../budget.ts';

const PAGE_BITS = 16;
/** Clusters in a page. */
export const PAGE = 1 << PAGE_BITS;

export type CountPage = Uint8Array | Uint16Array | Uint32Array;

/** Counts references up to what the image's refcount width can express. */
export class ReferenceCounts {
  /** All clusters: those of the file, and one more where something overlaps its end. */
  clusters: number;
  /** The first cluster of the window. */
  first = 0;
  /** Clusters in a window: a power of two, whole pages and whole refcount blocks. */
  readonly window: number;
  #pages: (CountPage | undefined)[] = [];
  readonly #max: number;
  readonly #inFile: number;
  readonly #bytes: 1 | 2 | 4;

  /**
   * @param clusters those of the file
   * @param max the largest refcount of the image's width
   * @param bytes what the counts may take
   */
  constructor(clusters: number, max: number, bytes: number = SHARES.references) {
    this.clusters = clusters;
    this.#max = max;
    this.#inFile = clusters;
    this.#bytes = max <= 0xff ? 1 : max <= 0xffff ? 2 : 4;
    this.window = bytes / this.#bytes;
  }

  /** Behind the last cluster of the window. */
  get end(): number {
    return this.first + this.window;
  }

  /**
   * Goes on to the next window, with all counts at zero. False: that was the last. The cluster
   * behind the end of the file belongs to the last window.
   */
  next(): boolean {
    if (this.end > this.#inFile) return false;
    this.first = this.end;
    this.#pages = [];
    return true;
  }

  /** Takes note that a reference leads to this cluster: it may lie just behind the end. */
  reach(cluster: number): void {
    if (cluster >= this.clusters) this.clusters = cluster + 1;
  }

  /** Forgets what was counted in this window. */
  clear(): void {
    this.#pages = [];
  }

  /**
   * Adds references to a cluster of the window. False: there would be more than the width can
   * count, none was added.
   */
  add(cluster: number, times = 1): boolean {
    return this.#add(cluster - this.first, times);
  }

  /**
   * As {@link add}, in 32-bit arithmetic: this is the innermost step of a check. False also for a
   * cluster that does not lie in the file.
   * @param cluster below 2^31
   */
  addInside(cluster: number, times: number): boolean {
    if (cluster >= this.#inFile) return false;
    const at = cluster - this.first;
    return at >>> 0 >= this.window || this.#add(at, times);
  }

  /**
   * As {@link addInside} for neighbours, in their order.
   * @param cluster the first; all are below 2^32
   * @param length how many there are
   * @returns how many it went well for before it did not
   */
  addRun(cluster: number, length: number, times: number): number {
    const inside = Math.min(length, this.#inFile - cluster);
    const start = cluster - this.first;
    const end = Math.min(start + inside, this.window);
    const most = this.#max - times;
    for (let at = Math.max(0, start); at < end;) {
      const page = this.#pages[at >>> PAGE_BITS] ?? this.#make(at);
      const pageEnd = Math.min(end, ((at >>> PAGE_BITS) + 1) * PAGE);
      for (; at < pageEnd; at++) {
        const count = page[at & (PAGE - 1)] as number;
        if (count > most) return at - start;
        page[at & (PAGE - 1)] = count + times;
      }
    }
    return Math.max(0, inside);
  }

  #add(at: number, times: number): boolean {
    const page = this.#pages[at >>> PAGE_BITS] ?? this.#make(at);
    const index = at & (PAGE - 1);
    const count = page[index] as number;
    if (count > this.#max - times) return false;
    page[index] = count + times;
    return true;
  }

  /** The references to a cluster; undefined where another pass counts them. */
  get(cluster: number): number | undefined {
    const at = cluster - this.first;
    if (at < 0 || at >= this.window) return undefined;
    return this.#pages[at >>> PAGE_BITS]?.[at & (PAGE - 1)] ?? 0;
  }

  /** The page with this cluster of the window; undefined where nothing was counted. */
  page(cluster: number): CountPage | undefined {
    return this.#pages[(cluster - this.first) >>> PAGE_BITS];
  }

  #make(at: number): CountPage {
    const kinds = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array } as const;
    const page = new kinds[this.#bytes](PAGE);
    this.#pages[at >>> PAGE_BITS] = page;
    return page;
  }
}
