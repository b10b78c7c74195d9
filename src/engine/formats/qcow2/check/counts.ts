/** How often each cluster of a file is referenced: an array in pages that exist once touched. */
import { ImageError } from '../../../errors.ts';

const PAGE_BITS = 16;
/** Clusters in a page. */
export const PAGE = 1 << PAGE_BITS;
/** Bytes that all pages together may take: enough for a file of 32 TiB at 64 KiB clusters. */
const BUDGET = 1024 * 1024 * 1024;

export type CountPage = Uint8Array | Uint16Array | Uint32Array;

/** Counts references up to what the image's refcount width can express. */
export class ReferenceCounts {
  /** Clusters that are counted: those of the file, and one more where something overlaps its end. */
  clusters: number;
  readonly #pages: (CountPage | undefined)[] = [];
  readonly #max: number;
  readonly #inside: number;
  readonly #bits: number;
  #bytes = 0;

  /** @param max the largest refcount of the image's width */
  constructor(clusters: number, max: number) {
    this.clusters = clusters;
    this.#max = max;
    this.#inside = Math.min(clusters, 0x7fffffff);
    this.#bits = max <= 0xff ? 8 : max <= 0xffff ? 16 : 32;
  }

  /** Adds a reference. False: there are as many as the width can count, none was added. */
  add(cluster: number): boolean {
    // Division, not a shift: clusters go up to 2^31.
    const page = this.#pages[Math.floor(cluster / PAGE)] ?? this.#make(cluster);
    const index = cluster % PAGE;
    const count = page[index] as number;
    if (count >= this.#max) return false;
    page[index] = count + 1;
    if (cluster >= this.clusters) this.clusters = cluster + 1;
    return true;
  }

  /**
   * As {@link add} for clusters that lie in the file as it is, in 32-bit arithmetic: this is the
   * innermost step of a check. False also for any other cluster.
   */
  addInside(cluster: number): boolean {
    if (cluster >= this.#inside) return false;
    const page = this.#pages[cluster >>> PAGE_BITS] ?? this.#make(cluster);
    const index = cluster & (PAGE - 1);
    const count = page[index] as number;
    if (count >= this.#max) return false;
    page[index] = count + 1;
    return true;
  }

  get(cluster: number): number {
    return this.#pages[Math.floor(cluster / PAGE)]?.[cluster % PAGE] ?? 0;
  }

  /** The page with this cluster; undefined where nothing was counted. */
  page(cluster: number): CountPage | undefined {
    return this.#pages[Math.floor(cluster / PAGE)];
  }

  #make(cluster: number): CountPage {
    this.#bytes += (PAGE * this.#bits) / 8;
    if (this.#bytes > BUDGET) {
      const value = String(this.#bytes);
      throw new ImageError('too-large', { what: 'reference counts', value, limit: BUDGET });
    }
    const page =
      this.#bits === 8
        ? new Uint8Array(PAGE)
        : this.#bits === 16
          ? new Uint16Array(PAGE)
          : new Uint32Array(PAGE);
    this.#pages[Math.floor(cluster / PAGE)] = page;
    return page;
  }
}
