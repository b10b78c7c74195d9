/** What the parts of a check share: the image, the report, and the way findings are noted. */
import type { CheckOptions, CheckReport } from '../../../operations/check-report.ts';
import type { Finding, FindingKind, Severity } from '../../../operations/finding.ts';
import { throwIfCancelled } from '../../../errors.ts';
import { pacer } from '../../../yield.ts';
import type { Qcow2Image } from '../image.ts';
import { maxRefcount } from '../refcounts.ts';
import { ReferenceCounts } from './counts.ts';

/** Everything of a finding but what is counted. */
export type FindingDetails = Omit<Finding, 'kind' | 'severity'>;

const DEFAULT_LIMIT = 1000;

/** Findings about counts: each window of clusters brings its own. All others are noted once. */
const OF_WINDOW: ReadonlySet<FindingKind> = new Set<FindingKind>([
  'leak',
  'refcount-low',
  'refcount-zero',
  'refcount-unreadable',
  'refcount-overflow',
  'refblock-shared',
]);

/** Ends a trial, see {@link CheckContext.trial}. Nobody outside of a check gets to see it. */
class TrialEnd extends Error {}

export class CheckContext {
  readonly image: Qcow2Image;
  readonly options: CheckOptions;
  readonly counts: ReferenceCounts;
  readonly fileSize: number;
  readonly clusterSize: number;
  readonly report: CheckReport;
  /** The tables are gone through once more, to count another window of clusters. */
  repeats = false;
  /** How often {@link reference} counts: so many entries lead to what is looked at. */
  times = 1;
  #isTrial = false;
  readonly #pace: () => Promise<void> | undefined;
  readonly #limit: number;
  #done = 0;
  #total = 0;

  constructor(image: Qcow2Image, options: CheckOptions) {
    this.image = image;
    this.options = options;
    this.#pace = pacer(options.signal);
    this.fileSize = image.storage.size;
    this.clusterSize = image.clusterSize;
    const clusters = Math.ceil(this.fileSize / this.clusterSize);
    const most = maxRefcount(image.header.refcountBits);
    this.counts = new ReferenceCounts(clusters, most, options.countBytes);
    this.#limit = options.limit ?? DEFAULT_LIMIT;
    this.report = {
      corruptions: 0,
      leaks: 0,
      checkErrors: 0,
      totalClusters: Math.ceil(image.size / this.clusterSize),
      allocatedClusters: 0,
      fragmentedClusters: 0,
      compressedClusters: 0,
      imageEndOffset: 0,
      findings: [],
      findingCounts: {},
      aborted: undefined,
    };
  }

  /**
   * Notes a finding and counts it as qemu-img does. Its details are asked for only when somebody
   * will see them: a ruined table brings millions.
   */
  note(kind: FindingKind, severity: Severity, details: () => FindingDetails): void {
    if (this.repeats && !OF_WINDOW.has(kind)) return;
    if (this.#isTrial) throw new TrialEnd();
    const { report } = this;
    countAs(report, severity);
    report.findingCounts[kind] = (report.findingCounts[kind] ?? 0) + 1;
    const kept = report.findings.length < this.#limit;
    if (!kept && this.options.onFinding === undefined) return;
    const finding: Finding = { kind, severity, ...details() };
    if (kept) report.findings.push(finding);
    this.options.onFinding?.(finding);
  }

  /**
   * Counts references as long as there is nothing to be noted: the order in which that is done is
   * of no consequence. Otherwise all that was counted in this window is forgotten.
   * @returns whether there was nothing
   */
  async trial(work: () => Promise<void>): Promise<boolean> {
    const { report } = this;
    const { allocatedClusters, fragmentedClusters, compressedClusters } = report;
    this.#isTrial = true;
    try {
      await work();
      return true;
    } catch (error) {
      if (!(error instanceof TrialEnd)) throw error;
      Object.assign(report, { allocatedClusters, fragmentedClusters, compressedClusters });
      this.counts.clear();
      return false;
    } finally {
      this.#isTrial = false;
      this.times = 1;
    }
  }

  /** Counts a reference to every cluster that a range touches, or several. Bytes. */
  reference(offset: number, size: number, guest?: Finding['guest'], offsetText?: string): void {
    if (size <= 0) return;
    const { clusterSize } = this;
    // QEMU leaves the last cluster cut short, so what overshoots by less than one is sound.
    if (offset + size - this.fileSize >= clusterSize) {
      this.#outside(offset, size, guest, offsetText);
      return;
    }
    const { counts } = this;
    const last = Math.floor((offset + size - 1) / clusterSize);
    counts.reach(last);
    // What lies outside of the window is another pass's business.
    const first = Math.max(Math.floor(offset / clusterSize), counts.first);
    for (let cluster = first; cluster <= last && cluster < counts.end; cluster++) {
      if (counts.add(cluster, this.times)) continue;
      const at = cluster * clusterSize;
      this.note('refcount-overflow', 'corruption', () => ({
        host: { offset: at, length: clusterSize },
        ...(guest === undefined ? {} : { guest }),
        values: { offset: at.toString(16) },
        repair: 'none',
      }));
    }
  }

  #outside(offset: number, size: number, guest: Finding['guest'], offsetText?: string): void {
    this.note('reference-outside', 'corruption', () => ({
      host: { offset, length: size },
      ...(guest === undefined ? {} : { guest }),
      values: { offset: offsetText ?? offset.toString(16), size: size.toString(16) },
      repair: 'none',
    }));
  }

  /** Announces work to come, bytes of tables. */
  expect(bytes: number): void {
    this.#total += bytes;
  }

  /** Says that work is done; lets events in and stops when asked to. */
  async passed(bytes: number): Promise<void> {
    this.#done = Math.min(this.#total, this.#done + bytes);
    this.options.progress?.({ stage: 'checking', done: this.#done, total: this.#total });
    throwIfCancelled(this.options.signal);
    const pause = this.#pace();
    if (pause !== undefined) await pause;
  }
}

function countAs(report: CheckReport, severity: Severity): void {
  if (severity === 'corruption') report.corruptions += 1;
  else if (severity === 'leak') report.leaks += 1;
  else if (severity === 'error') report.checkErrors += 1;
}
