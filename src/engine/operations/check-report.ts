import type { Finding, FindingKind } from './finding.ts';
import type { RunOptions } from './operation.ts';

/** What a check is to do. */
export interface CheckOptions extends RunOptions {
  /** How many findings the report keeps; all are counted and given to `onFinding`. */
  limit?: number | undefined;
  /** Hears each finding at once, in the order in which qemu-img would print it. */
  onFinding?: ((finding: Finding) => void) | undefined;
  /** Look up who uses the clusters that findings name: a second walk when there are any. */
  explain?: boolean | undefined;
  /** Bytes for the references that are counted at once; by default what the budget gives them. */
  countBytes?: number | undefined;
}

/** The result of a check. The counters are qemu-img's own and give its exit code. */
export interface CheckReport {
  /** Counted as qemu-img counts. */
  corruptions: number;
  leaks: number;
  /** Things that could not be looked at. */
  checkErrors: number;
  /** Guest clusters of the active layer. */
  totalClusters: number;
  allocatedClusters: number;
  fragmentedClusters: number;
  compressedClusters: number;
  /** Bytes: end of the last used cluster; 0 when the check was aborted. */
  imageEndOffset: number;
  /** The first findings, at most the limit that was asked for; all were given to `onFinding`. */
  findings: Finding[];
  /** How many of each kind there are in all. */
  findingCounts: Partial<Record<FindingKind, number>>;
  /** Set when the check could not go on: the reason in qemu-img's words (an errno text). */
  aborted: string | undefined;
}
