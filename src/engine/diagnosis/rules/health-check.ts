/** Rules: what a check found, grouped by what it means to the owner. */
import type { Remedy } from '../diagnosis.ts';
import type { DiagnosisFacts } from '../facts.ts';
import type { Rules } from '../rule.ts';
import { bytesOfGuest, flagsOf, mendedOr, placesOf, repairOf, seen } from './health-findings.ts';

/** Sizes in bytes. */
export interface CheckedValues {
  /** Clusters that are in use, and counted as free or as used less often than they are. */
  'overwrite-risk': { clusters: number; bytes: number };
  /** Two claim one place, and not both can be right. */
  'double-owner': { places: number };
  'points-outside': { entries: number; bytes: number };
  'table-damaged': { entries: number; bytes: number };
  /** `file`: the part of the image that is not there, '' where a table in the file fails. */
  'table-unreadable': { tables: number; file: string };
  'odd-entries': { entries: number };
  'refcounts-damaged': { entries: number };
  'refcount-full': { clusters: number; bits: number };
  /** `risky`: so many of them allow overwriting what a snapshot shares. */
  'copied-flags': { entries: number; risky: number };
  /** `doubtful`: other damage is there, so that it may be lost data. */
  leaked: { clusters: number; bytes: number; doubtful: boolean };
  /** `isList`: none can be found any more. */
  'snapshot-damaged': { snapshots: number; isList: boolean };
  'snapshot-incomplete': { snapshots: number };
  'snapshots-void': { snapshots: number };
  'bitmap-damaged': { name: string };
  /** `end` and `missing` are 0 where nobody can tell. */
  truncated: { size: number; end: number; missing: number };
  'header-copy-damaged': { copies: number };
  'tables-differ': { tables: number };
  'sizes-differ': { size: number; other: number };
  'count-wrong': { blocks: number };
  'log-pending': { bytes: number };
  'parent-changed': { name: string };
  'extension-damaged': { parts: number };
  'content-damaged': { blocks: number; bytes: number };
  /** `reason`: an errno text. */
  'check-aborted': { reason: string };
  /** `reason`: the code of an error. */
  'check-refused': { reason: string };
}

/** Bytes at the end of a file that nobody misses. */
const SLACK = 64 * 1024;
/** The largest cylinder of a geometry, bytes: sizes in whole ones differ by less. */
const CYLINDER = 16 * 255 * 512;

export const CHECKED_RULES: Rules<CheckedValues> = {
  'overwrite-risk': (facts) => {
    if (isBehind(facts)) return undefined;
    const { count, findings } = seen(facts, 'overwrite-risk');
    // Where two own a cluster, no count is right: that is said for itself.
    const contested = findings.filter(({ repair }) => repair === 'guess').length;
    const clusters = count - contested;
    if (clusters === 0) return undefined;
    const plain = findings.filter(({ repair }) => repair !== 'guess');
    return {
      grade: 'danger',
      values: { clusters, bytes: clusters * (facts.info.clusterSize ?? 0) },
      places: placesOf(plain),
      remedies: repairOf(plain),
    };
  },
  'double-owner': (facts) => {
    const { count, findings } = seen(facts, 'double-owner');
    if (count === 0) return undefined;
    return {
      ...{ grade: 'danger', values: { places: count }, places: placesOf(findings) },
      remedies: mendedOr(findings, convertTo(facts)),
    };
  },
  'points-outside': (facts) => {
    const { count, findings } = seen(facts, 'points-outside');
    // Then it is known why, and said there.
    if (count === 0 || isCutShort(facts)) return undefined;
    return {
      grade: 'danger',
      values: { entries: count, bytes: bytesOfGuest(findings) },
      places: placesOf(findings),
      remedies: mendedOr(findings, convertTo(facts)),
    };
  },
  'table-damaged': (facts) => {
    const { count, findings } = seen(facts, 'table-damaged');
    if (count === 0) return undefined;
    return {
      grade: 'danger',
      values: { entries: count, bytes: bytesOfGuest(findings) },
      places: placesOf(findings),
      remedies: mendedOr(findings, convertTo(facts)),
    };
  },
  'table-unreadable': (facts) => {
    const { count, findings } = seen(facts, 'table-unreadable');
    if (count === 0) return undefined;
    const file = findings.map(({ values }) => values['name']).find((name) => name !== undefined);
    const name = String(file ?? '');
    return {
      grade: 'danger',
      values: { tables: count, file: name },
      places: placesOf(findings),
      remedies: name === '' ? [] : [{ kind: 'give-file', name }],
    };
  },
  'odd-entries': (facts) => {
    const { count, findings } = seen(facts, 'odd-entries');
    if (count === 0) return undefined;
    return {
      ...{ grade: 'problem', values: { entries: count }, places: placesOf(findings) },
      remedies: mendedOr(findings, convertTo(facts)),
    };
  },
  'refcounts-damaged': (facts) => {
    const { count, findings } = seen(facts, 'refcounts-damaged');
    if (count === 0) return undefined;
    return {
      ...{ grade: 'problem', values: { entries: count }, places: placesOf(findings) },
      remedies: repairOf(findings),
    };
  },
  'refcount-full': (facts) => {
    const { count, findings } = seen(facts, 'refcount-full');
    if (count === 0) return undefined;
    const bits = facts.info.qcow2?.refcountBits ?? 16;
    const options = { refcount_bits: bits < 16 ? '16' : '64' };
    return {
      ...{ grade: 'danger', values: { clusters: count, bits }, places: placesOf(findings) },
      remedies: [{ kind: 'convert', format: 'qcow2', options, compress: false }],
    };
  },
  'copied-flags': (facts) => {
    if (isBehind(facts)) return undefined;
    const { entries, risky, findings } = flagsOf(facts);
    if (entries === 0) return undefined;
    return {
      grade: risky > 0 ? 'danger' : 'problem',
      values: { entries, risky },
      places: placesOf(findings),
      remedies: repairOf(findings),
    };
  },
  leaked: (facts) => {
    // What led to it may be in the part that is missing: it is not to be freed.
    if (isBehind(facts) || isCutShort(facts)) return undefined;
    const { count, findings } = seen(facts, 'leaked');
    const atEnd = findings.filter(({ kind }) => kind === 'tail-leak');
    const tail = atEnd.reduce((sum, { host }) => sum + (host?.length ?? 0), 0);
    const bytes = atEnd.length > 0 ? tail : count * (facts.info.clusterSize ?? 0);
    // Programs round up what they write last: that is no waste.
    if (count === 0 || (atEnd.length > 0 && bytes < SLACK)) return undefined;
    const doubtful = findings.some(({ repair }) => repair === 'guess');
    return {
      ...{ grade: 'advice', values: { clusters: count, bytes, doubtful } },
      places: placesOf(findings),
      remedies: mendedOr(findings, convertTo(facts)),
    };
  },
  'snapshot-damaged': (facts) => {
    const { count, findings } = seen(facts, 'snapshot-damaged');
    if (count === 0) return undefined;
    const isList = findings.some(({ kind }) => kind === 'snapshot-table-invalid');
    return {
      ...{ grade: 'danger', values: { snapshots: count, isList }, places: placesOf(findings) },
      remedies: repairOf(findings),
    };
  },
  'snapshot-incomplete': (facts) => {
    const { count, findings } = seen(facts, 'snapshot-incomplete');
    // The missing end of a list reads as zeros.
    if (count === 0 || isCutShort(facts)) return undefined;
    return {
      ...{ grade: 'problem', values: { snapshots: count }, places: placesOf(findings) },
      remedies: repairOf(findings),
    };
  },
  'snapshots-void': (facts) => {
    const { count, findings } = seen(facts, 'snapshots-void');
    if (count === 0) return undefined;
    const snapshots = Math.max(1, facts.info.snapshots.length);
    return { grade: 'problem', values: { snapshots }, places: placesOf(findings) };
  },
  'bitmap-damaged': (facts) => {
    const { count, findings } = seen(facts, 'bitmap-damaged');
    if (count === 0) return undefined;
    const name = String(findings[0]?.values['name'] ?? '');
    return {
      ...{ grade: 'problem', values: { name }, places: placesOf(findings) },
      remedies: [{ kind: 'delete-bitmap', name }],
    };
  },
  truncated: (facts) => {
    const { count, findings } = seen(facts, 'truncated');
    if (count === 0) return undefined;
    const missing = findings.reduce((sum, { host }) => sum + (host?.length ?? 0), 0);
    const size = facts.info.fileSize;
    return {
      grade: 'danger',
      values: { size, end: missing === 0 ? 0 : size + missing, missing },
      places: placesOf(findings),
    };
  },
  'header-copy-damaged': (facts) => {
    const { count, findings } = seen(facts, 'header-copy-damaged');
    if (count === 0) return undefined;
    return {
      ...{ grade: 'problem', values: { copies: count }, places: placesOf(findings) },
      remedies: convertTo(facts),
    };
  },
  'tables-differ': (facts) => {
    const { count, findings } = seen(facts, 'tables-differ');
    if (count === 0) return undefined;
    return {
      ...{ grade: 'problem', values: { tables: count }, places: placesOf(findings) },
      remedies: convertTo(facts),
    };
  },
  'sizes-differ': (facts) => {
    const [finding] = seen(facts, 'sizes-differ').findings;
    if (finding === undefined) return undefined;
    const size = facts.info.virtualSize;
    const sizes = ['geometry', 'current'].map((name) => Number(finding.values[name] ?? size));
    const other = sizes.find((one) => one !== size) ?? size;
    const isRounded = Math.abs(size - other) < CYLINDER;
    return {
      grade: isRounded ? 'note' : 'advice',
      ...{ values: { size, other }, places: placesOf([finding]) },
    };
  },
  'count-wrong': (facts) => {
    const [finding] = seen(facts, 'count-wrong').findings;
    if (finding === undefined) return undefined;
    const { allocated = 0, counted = 0 } = finding.values;
    return {
      grade: 'problem',
      values: { blocks: Math.abs(Number(allocated) - Number(counted)) },
      places: placesOf([finding]),
      remedies: convertTo(facts),
    };
  },
  'log-pending': (facts) => {
    const { count, findings } = seen(facts, 'log-pending');
    if (count === 0) return undefined;
    const bytes = findings[0]?.host?.length ?? 0;
    return {
      ...{ grade: 'problem', values: { bytes }, places: placesOf(findings) },
      remedies: repairOf(findings),
    };
  },
  'parent-changed': (facts) => {
    if (seen(facts, 'parent-changed').count === 0) return undefined;
    return { grade: 'problem', values: { name: facts.info.backing?.name ?? '' } };
  },
  'extension-damaged': (facts) => {
    const { count, findings } = seen(facts, 'extension-damaged');
    if (count === 0) return undefined;
    return { grade: 'advice', values: { parts: count }, places: placesOf(findings) };
  },
  'content-damaged': (facts) => {
    const { count, findings } = seen(facts, 'content-damaged');
    if (count === 0) return undefined;
    return {
      grade: 'danger',
      values: { blocks: count, bytes: bytesOfGuest(findings) },
      places: placesOf(findings),
    };
  },
  'check-aborted': ({ check }) => {
    if (check?.aborted === undefined) return undefined;
    return { grade: 'problem', values: { reason: check.aborted } };
  },
  'check-refused': ({ check, checkRefused }) => {
    // Formats that keep nothing that could be checked are no worse for it.
    if (check !== undefined || ['', 'check-unsupported'].includes(checkRefused)) return undefined;
    return { grade: 'problem', values: { reason: checkRefused } };
  },
};

/**
 * The counts of an image with lazy refcounts that is in use, or was not closed, lag behind: that
 * is no damage, and its own finding says so.
 */
function isBehind({ info: { qcow2 } }: DiagnosisFacts): boolean {
  return qcow2?.dirty === true && qcow2.lazyRefcounts;
}

/** The end of the file is missing, and much of what else is found comes from that. */
function isCutShort(facts: DiagnosisFacts): boolean {
  return seen(facts, 'truncated').count > 0;
}

/** Formats that can be written here. */
const WRITABLE = ['parallels', 'qcow', 'qcow2', 'qed', 'raw', 'vdi', 'vhdx', 'vmdk', 'vpc'];

/** A new file of the same format, or of one that can be written. */
function convertTo({ info }: DiagnosisFacts): Remedy[] {
  const format = WRITABLE.includes(info.format) ? info.format : 'qcow2';
  return [{ kind: 'convert', format, options: {}, compress: false }];
}
