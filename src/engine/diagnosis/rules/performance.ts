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
  judgeVersion2,
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
  'performance-cluster-size': {
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
  'performance-l2-cache': {
    clusterSize: number;
    virtualSize: number;
    needed: number;
    stored: number;
    covered: number;
    coveredElsewhere: number;
  };
  /** `short`: images below whose tables QEMU's default does not cover. */
  'performance-chain-caches': { layers: number; short: number; needed: number };
  /** `backing`: '' without one; then `shared` with snapshots is what is copied. */
  'performance-extended-l2': {
    clusterSize: number;
    subclusterSize: number;
    backing: string;
    shared: number;
  };
  'performance-extended-l2-cost': { tables: number; tablesStandard: number };
  /** `covered`: bytes of the file. */
  'performance-refcount-cache': {
    fileSize: number;
    covered: number;
    needed: number;
    snapshots: number;
  };
  'performance-refcount-width': { bits: number; bytes: number; bytesWith16: number };
  'performance-lazy-refcounts': { tables: number };
  'performance-version-2': { backing: string };
  'performance-preallocated': { virtualSize: number; fileSize: number };
  /** `share`: as qemu-img counts. `backward`: share of jumps that go back. Times: of reading all. */
  'performance-fragmented': {
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
  'performance-free-gaps': { pieces: number; bytes: number; upTo: number; free: number };
  /** `below`: share of the guest that other images decide. */
  'performance-chain-depth': {
    layers: number;
    below: number;
    serves: { name: string; bytes: number }[];
  };
  /** `content`: unpacked; `packed`: in the file. `plain`: bytes stored unpacked besides. */
  'performance-compressed': {
    content: number;
    packed: number;
    plain: number;
    share: number;
    growth: number;
  };
  'performance-alignment': { partitions: number; first: number; start: number; sector: number };
  'performance-cluster-alignment': {
    partitions: number;
    first: number;
    start: number;
    clusterSize: number;
  };
  'performance-copies': { shared: number; clusters: number; clusterSize: number; factor: number };
}

export const PERFORMANCE_RULES: Rules<PerformanceValues> = {
  'performance-cluster-size': judgeClusterSize,
  'performance-l2-cache': judgeL2Cache,
  'performance-chain-caches': judgeChainCaches,
  'performance-extended-l2': judgeExtendedL2,
  'performance-extended-l2-cost': judgeExtendedL2Cost,
  'performance-refcount-cache': judgeRefcountCache,
  'performance-refcount-width': judgeRefcountWidth,
  'performance-lazy-refcounts': judgeLazyRefcounts,
  'performance-version-2': judgeVersion2,
  'performance-preallocated': judgePreallocated,
  'performance-fragmented': judgeFragmented,
  'performance-free-gaps': judgeFreeGaps,
  'performance-chain-depth': judgeChainDepth,
  'performance-compressed': judgeCompressed,
  'performance-alignment': judgeAlignment,
  'performance-cluster-alignment': judgeClusterAlignment,
  'performance-copies': judgeCopies,
};
