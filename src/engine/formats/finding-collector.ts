/** Collecting what a check finds into its report. */
import type { CheckOptions, CheckReport } from '../operations/check-report.ts';
import type { Finding } from '../operations/finding.ts';

/** What a report keeps of the findings, unless asked for more or fewer. */
const DEFAULT_LIMIT = 1000;

/** Counts findings as qemu-img does, and keeps as many as the options say. */
export class FindingCollector {
  readonly report: CheckReport;
  readonly #options: CheckOptions;

  constructor(options: CheckOptions) {
    this.#options = options;
    this.report = {
      ...{ corruptions: 0, leaks: 0, checkErrors: 0 },
      ...{ totalClusters: 0, allocatedClusters: 0, fragmentedClusters: 0, compressedClusters: 0 },
      ...{ imageEndOffset: 0, findings: [], findingCounts: {}, aborted: undefined },
    };
  }

  /** Notes a finding; `count` where it stands for several of its kind. */
  add(finding: Finding, count = 1): void {
    const { report } = this;
    if (finding.severity === 'corruption') report.corruptions += count;
    else if (finding.severity === 'leak') report.leaks += count;
    else if (finding.severity === 'error') report.checkErrors += count;
    report.findingCounts[finding.kind] = (report.findingCounts[finding.kind] ?? 0) + count;
    this.#options.onFinding?.(finding);
    const limit = this.#options.limit ?? DEFAULT_LIMIT;
    if (report.findings.length < limit) report.findings.push(finding);
  }
}
