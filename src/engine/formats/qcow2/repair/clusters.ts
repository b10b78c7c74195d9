/** Who uses each cluster of the file, as far as the tables of an image say. */
import { ImageError } from '../../../errors.ts';

/** What a cluster is used for. In the order in which they are entered: the first one keeps it. */
export const USE = {
  none: 0,
  header: 1,
  l1: 2,
  luks: 3,
  snapshotL1: 4,
  snapshotTable: 5,
  bitmap: 6,
  l2: 7,
  data: 8,
  compressed: 9,
} as const;
export type Use = (typeof USE)[keyof typeof USE];

const PAGE_BITS = 16;
const PAGE = 1 << PAGE_BITS;
/** Counts are kept in 16 bits; the few larger ones apart. */
const FULL = 0xffff;
/** Files with more clusters are refused: three bytes for each would be more than we may take. */
export const MAX_CLUSTERS = 2 ** 26;
/** References behind the end of the file that are remembered. */
const MAX_OUTSIDE = 2 ** 20;

/** Counts references to clusters, and knows what the first of them was for. */
export class ClusterMap {
  /** Clusters of the file as it is found. */
  readonly clusters: number;
  readonly #counts: (Uint16Array | undefined)[] = [];
  readonly #uses: (Uint8Array | undefined)[] = [];
  readonly #large = new Map<number, number>();
  /** Clusters behind the end of the file that something points to. */
  readonly #outside = new Set<number>();

  /** @throws ImageError too-large */
  constructor(clusters: number) {
    if (clusters > MAX_CLUSTERS) {
      const value = String(clusters);
      throw new ImageError('too-large', { what: 'clusters to repair', value, limit: MAX_CLUSTERS });
    }
    this.clusters = clusters;
  }

  /** Enters a use of a cluster (index below {@link clusters}). Returns what it was used for. */
  add(cluster: number, use: Use): Use {
    const page = cluster >>> PAGE_BITS;
    const at = cluster & (PAGE - 1);
    const counts = (this.#counts[page] ??= new Uint16Array(PAGE));
    const uses = (this.#uses[page] ??= new Uint8Array(PAGE));
    const count = counts[at] as number;
    const before = uses[at] as Use;
    if (count < FULL) counts[at] = count + 1;
    else this.#large.set(cluster, (this.#large.get(cluster) ?? FULL) + 1);
    if (before === USE.none) uses[at] = use;
    return before;
  }

  count(cluster: number): number {
    const count = this.#counts[cluster >>> PAGE_BITS]?.[cluster & (PAGE - 1)] ?? 0;
    return count < FULL ? count : (this.#large.get(cluster) ?? FULL);
  }

  use(cluster: number): Use {
    return (this.#uses[cluster >>> PAGE_BITS]?.[cluster & (PAGE - 1)] ?? USE.none) as Use;
  }

  /** Enters that something points to a cluster behind the end of the file. */
  addOutside(cluster: number): void {
    if (this.#outside.size >= MAX_OUTSIDE) {
      const value = String(this.#outside.size);
      const what = 'references behind the end of the file';
      throw new ImageError('too-large', { what, value, limit: MAX_OUTSIDE });
    }
    this.#outside.add(cluster);
  }

  isOutside(cluster: number): boolean {
    return this.#outside.has(cluster);
  }
}
