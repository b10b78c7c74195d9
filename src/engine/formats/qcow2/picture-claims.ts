/**
 * Who uses each cluster of a window of the file, and how often. References are counted as a check
 * counts them, so that the picture and the check say the same of every cluster.
 */
import { cellOf } from '../picture-kinds.ts';
import { maxRefcount } from './refcounts.ts';
import type { ClusterSets } from './survey-sets.ts';

/** Who can use a cluster. */
export const OWNER = {
  none: 0,
  header: 1,
  refcounts: 2,
  l1: 3,
  l2: 4,
  snapshots: 5,
  snapshotL2: 6,
  bitmaps: 7,
  crypto: 8,
  data: 9,
  snapshotData: 10,
  zeros: 11,
  snapshotZeros: 12,
  packed: 13,
  snapshotPacked: 14,
} as const;

export type Owner = (typeof OWNER)[keyof typeof OWNER];

/** Beside an owner: two use it that must not share it, or more than its refcount can count. */
export const CLASH = 0x10;
/** So many owners have room in {@link MERGED}. */
export const OWNERS = 16;

/** What a cell is, by its owner. What only snapshots have packed is content of snapshots. */
export const OWNER_CELLS: Uint8Array = new Uint8Array(OWNERS);
for (const [owner, kind] of [
  [OWNER.none, 'free'],
  [OWNER.header, 'header'],
  [OWNER.refcounts, 'refcounts'],
  [OWNER.l1, 'l1'],
  [OWNER.l2, 'l2'],
  [OWNER.snapshots, 'snapshots'],
  [OWNER.snapshotL2, 'snapshots'],
  [OWNER.bitmaps, 'bitmaps'],
  [OWNER.crypto, 'crypto'],
  [OWNER.data, 'data'],
  [OWNER.snapshotData, 'snapshot-data'],
  [OWNER.zeros, 'zero-held'],
  [OWNER.snapshotZeros, 'zero-held'],
  [OWNER.packed, 'compressed'],
  [OWNER.snapshotPacked, 'snapshot-data'],
] as const) {
  OWNER_CELLS[owner] = cellOf(kind);
}

/** Owners that may have the same cluster, the one that counts first. */
const SHARING: readonly (readonly Owner[])[] = [
  [OWNER.l2, OWNER.snapshotL2],
  [OWNER.data, OWNER.snapshotData, OWNER.zeros, OWNER.snapshotZeros],
  [OWNER.packed, OWNER.snapshotPacked],
];

/** The owner that counts, for one that is there and one that comes: at `there * OWNERS + comes`. */
export const MERGED = new Uint8Array(OWNERS * OWNERS);
for (let there = 0; there < OWNERS; there++) {
  for (let comes = 0; comes < OWNERS; comes++) {
    MERGED[there * OWNERS + comes] = there === comes ? there : merge(there, comes);
  }
}

function merge(there: number, comes: number): number {
  if (there === OWNER.none) return comes;
  const group = SHARING.find((owners) => owners.some((one) => one === there));
  if (group?.some((one) => one === comes) !== true) return there | CLASH;
  return group.find((one) => one === there || one === comes) ?? there;
}

/** Stands for «not known» where an index of 32 bits is kept. */
export const NO_INDEX = 0xffffffff;

/** Clusters of a window, and what is kept of each. */
export interface WindowPlace {
  /** The first cluster. */
  readonly first: number;
  /** Clusters. */
  readonly length: number;
  /** Whether it is kept who was first to use a cluster. */
  readonly keepsFirst: boolean;
}

export class Claims {
  readonly first: number;
  readonly length: number;
  /** Who uses each cluster, with {@link CLASH}. */
  readonly owners: Uint8Array;
  /** How often, at most what the image's refcounts can count. */
  readonly counts: Uint8Array | Uint16Array | Uint32Array;
  /**
   * Of content the guest cluster that was the first to use it; of an L2 table its index in the L1
   * table, of a refcount block that in the refcount table, of a snapshot's L1 table or a part of a
   * bitmap its number; {@link NO_INDEX} where that is not known.
   */
  readonly users: Uint32Array | undefined;
  /** Which snapshots use each cluster, where that is wanted. */
  readonly sets: ClusterSets | undefined;
  /** As often a cluster can be used. */
  readonly most: number;
  readonly #clusterSize: number;
  readonly #fileSize: number;

  constructor(
    { first, length, keepsFirst }: WindowPlace,
    file: { clusterSize: number; size: number; refcountBits: number },
    sets?: ClusterSets,
  ) {
    this.first = first;
    this.length = length;
    this.most = maxRefcount(file.refcountBits);
    this.#clusterSize = file.clusterSize;
    this.#fileSize = file.size;
    this.owners = new Uint8Array(length);
    this.counts =
      this.most <= 0xff
        ? new Uint8Array(length)
        : this.most <= 0xffff
          ? new Uint16Array(length)
          : new Uint32Array(length);
    this.users = keepsFirst ? new Uint32Array(length) : undefined;
    this.sets = sets;
  }

  /**
   * Counts a use of every cluster that a range (bytes) touches.
   * @param times how often it is used
   * @param user see {@link users}
   */
  claim(offset: number, length: number, owner: Owner, times = 1, user = NO_INDEX): void {
    if (length <= 0) return;
    // The last cluster may be cut short; whatever goes further out is no use of anything.
    if (offset + length - this.#fileSize >= this.#clusterSize) return;
    const last = Math.floor((offset + length - 1) / this.#clusterSize) - this.first;
    const first = Math.floor(offset / this.#clusterSize) - this.first;
    const end = Math.min(last + 1, this.length);
    for (let at = Math.max(0, first); at < end; at++) this.add(at, owner, times, user);
  }

  /** The same for one cluster of the window, counted from its first. */
  add(at: number, owner: Owner, times: number, user: number): void {
    this.sets?.add(at);
    this.share(at, owner, times, user);
  }

  /** As {@link add}, where the sets know of it already. */
  share(at: number, owner: Owner, times: number, user: number): void {
    const there = this.owners[at] as number;
    const { users } = this;
    if (there === OWNER.none) {
      this.owners[at] = owner;
      if (users !== undefined) users[at] = user;
    } else {
      const merged = MERGED[(there & (OWNERS - 1)) * OWNERS + owner] as number;
      this.owners[at] = merged | (there & CLASH);
    }
    const count = (this.counts[at] as number) + times;
    this.counts[at] = Math.min(count, this.most);
    if (count > this.most) this.owners[at] |= CLASH;
  }
}
