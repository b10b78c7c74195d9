/** What a compaction keeps of each cluster, in pages that exist once touched. */
import { ImageError } from '../errors.ts';

const PAGE_BITS = 16;
const PAGE = 1 << PAGE_BITS;

/**
 * Which place each cluster gets: clusters of the source are numbered in the order in which they are
 * seen for the first time, and how often each is referred to is counted. Up to nine bytes a cluster.
 */
export class ClusterOrder {
  /** Number plus one, by cluster of the source; 0: not seen. */
  readonly #numbers: (Uint32Array | undefined)[] = [];
  /** By number. */
  readonly #sources: Uint32Array[] = [];
  readonly #counts: (Uint8Array | Uint32Array)[] = [];
  readonly #limit: number;
  readonly #what: string;
  #length = 0;

  /**
   * @param limit how many there may be
   * @param what they are, for the error
   */
  constructor(limit: number, what: string) {
    this.#limit = limit;
    this.#what = what;
  }

  /** How many different clusters were seen. */
  get length(): number {
    return this.#length;
  }

  /**
   * Takes note of references to a cluster of the source (below 2^32).
   * @throws ImageError too-large
   */
  add(cluster: number, times: number): void {
    const page = (this.#numbers[cluster >>> PAGE_BITS] ??= new Uint32Array(PAGE));
    const at = cluster & (PAGE - 1);
    let number = (page[at] as number) - 1;
    if (number < 0) {
      number = this.#append(cluster);
      page[at] = number + 1;
    }
    this.#count(number, times);
  }

  /** The number of a cluster of the source; -1 where it was not seen. */
  numberOf(cluster: number): number {
    return (this.#numbers[cluster >>> PAGE_BITS]?.[cluster & (PAGE - 1)] ?? 0) - 1;
  }

  /** The cluster of the source with this number. */
  sourceOf(number: number): number {
    return this.#sources[number >>> PAGE_BITS]?.[number & (PAGE - 1)] ?? 0;
  }

  /** How many references lead to it. */
  countOf(number: number): number {
    return this.#counts[number >>> PAGE_BITS]?.[number & (PAGE - 1)] ?? 0;
  }

  #append(cluster: number): number {
    const number = this.#length;
    if (number >= this.#limit) {
      const value = String(number + 1);
      throw new ImageError('too-large', { what: this.#what, value, limit: this.#limit });
    }
    this.#length += 1;
    (this.#sources[number >>> PAGE_BITS] ??= new Uint32Array(PAGE))[number & (PAGE - 1)] = cluster;
    return number;
  }

  #count(number: number, times: number): void {
    const index = number >>> PAGE_BITS;
    let page = (this.#counts[index] ??= new Uint8Array(PAGE));
    const at = number & (PAGE - 1);
    const count = (page[at] as number) + times;
    if (count > 0xff && page instanceof Uint8Array) {
      page = Uint32Array.from(page);
      this.#counts[index] = page;
    }
    page[at] = count;
  }
}
