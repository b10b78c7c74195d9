/** Rules: performance. What makes the image slow, by how much, and what would help. Bytes. */
import type { Rules } from '../rule.ts';
import {
  judgeChainCaches,
  judgeClusterSize,
  judgeExtendedL2,
  judgeExtendedL2Cost,
  judgeL2Cache,
  judgeLazyRefcounts,
  judgeRefcountCache,
  judgeRefcountWidth,
} from './performance-tables.ts';
import {
  judgeAlignment,
  judgeChainDepth,
  judgeClusterAlignment,
  judgeCompressed,
  judgeCopies,
  judgeFragmented,
  judgeFreeGaps,
  judgePreallocated,
} from './performance-content.ts';

/** The codes, stable, with what each speaks of. */
export interface PerformanceValues {
  /** `tables`: all L2 tables of the disk, `tablesBetter`: with clusters of `better`. */
  'small-clusters': {
    clusterSize: number;
    better: number;
    virtualSize: number;
    tables: number;
    tablesBetter: number;
    snapshots: number;
  };
  /**
   * `needed`: cache that covers the disk, `stored`: tables that are there by now, `covered`: bytes of
   * the disk that QEMU's default covers on Linux and, `coveredElsewhere`, on other systems.
   */
  'l2-cache-short': {
    clusterSize: number;
    virtualSize: number;
    needed: number;
    stored: number;
    covered: number;
    coveredElsewhere: number;
  };
  /** `short`: images below whose tables QEMU's default does not cover. */
  'chain-caches-short': { layers: number; short: number; needed: number };
  /** `backing`: '' without one; then `shared` with snapshots is what is copied. */
  'whole-clusters-copied': {
    clusterSize: number;
    subclusterSize: number;
    backing: string;
    shared: number;
  };
  'extended-l2-costs': { tables: number; tablesStandard: number };
  /** `covered`: bytes of the file. */
  'refcount-cache-short': {
    fileSize: number;
    covered: number;
    needed: number;
    snapshots: number;
  };
  'wide-refcounts': { bits: number; bytes: number; bytesWith16: number };
  'lazy-refcounts': { tables: number };
  preallocated: { virtualSize: number; fileSize: number };
  /** `share`: as qemu-img counts. `backward`: share of jumps that go back. Times: of reading all. */
  fragmented: {
    share: number;
    bytes: number;
    jumps: number;
    jumpsPerGib: number;
    meanRun: number;
    backward: number;
    hardDiskSeconds: number;
    ssdSeconds: number;
  };
  /** Pieces of free space of at most `upTo` bytes. */
  'small-gaps': { pieces: number; bytes: number; upTo: number; free: number };
  /** `below`: share of the guest that other images decide. */
  'deep-chain': {
    layers: number;
    below: number;
    serves: { name: string; bytes: number }[];
  };
  /** `content`: unpacked; `packed`: in the file. `plain`: bytes stored unpacked besides. */
  'compressed-content': {
    content: number;
    packed: number;
    plain: number;
    share: number;
    growth: number;
  };
  'partition-misaligned': { partitions: number; first: number; start: number; sector: number };
  'partition-off-clusters': {
    partitions: number;
    first: number;
    start: number;
    clusterSize: number;
  };
  'first-write-copies': { shared: number; clusters: number; clusterSize: number; factor: number };
}

export const PERFORMANCE_RULES: Rules<PerformanceValues> = {
  'small-clusters': judgeClusterSize,
  'l2-cache-short': judgeL2Cache,
  'chain-caches-short': judgeChainCaches,
  'whole-clusters-copied': judgeExtendedL2,
  'extended-l2-costs': judgeExtendedL2Cost,
  'refcount-cache-short': judgeRefcountCache,
  'wide-refcounts': judgeRefcountWidth,
  'lazy-refcounts': judgeLazyRefcounts,
  preallocated: judgePreallocated,
  fragmented: judgeFragmented,
  'small-gaps': judgeFreeGaps,
  'deep-chain': judgeChainDepth,
  'compressed-content': judgeCompressed,
  'partition-misaligned': judgeAlignment,
  'partition-off-clusters': judgeClusterAlignment,
  'first-write-copies': judgeCopies,
};
