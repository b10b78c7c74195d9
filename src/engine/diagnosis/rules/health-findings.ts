/** From the kinds of findings of a check to the codes that speak of them. */
import { MOST_PLACES, type DiagnosisFinding, type Remedy } from '../diagnosis.ts';
import type { DiagnosisFacts } from '../facts.ts';
import type { Finding, FindingKind } from '../../operations/finding.ts';
import type { HealthValues } from './health.ts';

/** Every kind is taken by one code: the compiler finds a new kind that is not. */
const CODE_OF = {
  leak: 'leaked',
  'refcount-low': 'overwrite-risk',
  'refcount-zero': 'overwrite-risk',
  'refcount-unreadable': 'refcounts-damaged',
  'reftable-reserved-bits': 'refcounts-damaged',
  'refblock-unaligned': 'refcounts-damaged',
  'refblock-outside': 'refcounts-damaged',
  'refblock-shared': 'double-owner',
  'reference-outside': 'points-outside',
  'refcount-overflow': 'refcount-full',
  'l1-reserved-bits': 'table-damaged',
  'l2-reserved-bits': 'table-damaged',
  'l2-unaligned': 'table-damaged',
  'data-unaligned': 'table-damaged',
  'zero-unaligned': 'odd-entries',
  'compressed-copied': 'copied-flags',
  'copied-l1': 'copied-flags',
  'copied-l2': 'copied-flags',
  'snapshot-l1-unaligned': 'snapshot-damaged',
  'snapshot-l1-too-large': 'snapshot-damaged',
  'snapshot-incomplete': 'snapshot-incomplete',
  'snapshot-table-invalid': 'snapshot-damaged',
  'snapshots-with-data-file': 'snapshots-void',
  'bitmap-invalid': 'bitmap-damaged',
  'compressed-data-file': 'table-damaged',
  'compressed-subclusters': 'odd-entries',
  'subclusters-contradict': 'table-damaged',
  'subclusters-unallocated': 'table-damaged',
  'zero-in-v2': 'odd-entries',
  'io-error': 'table-unreadable',
  dirty: 'not-closed',
  'corrupt-bit': 'marked-corrupt',
  truncated: 'truncated',
  overlap: 'double-owner',
  'block-outside': 'points-outside',
  'block-duplicate': 'double-owner',
  'block-unaligned': 'table-damaged',
  'block-state': 'table-damaged',
  'allocation-count': 'count-wrong',
  'header-copy': 'header-copy-damaged',
  'header-checksum': 'header-copy-damaged',
  'table-copy': 'tables-differ',
  'size-contradiction': 'sizes-differ',
  'log-pending': 'log-pending',
  'tail-leak': 'leaked',
  'parent-changed': 'parent-changed',
  'extension-damaged': 'extension-damaged',
  'content-checksum': 'content-damaged',
} as const satisfies Record<FindingKind, keyof HealthValues>;

/** Codes that kinds of findings lead to. */
export type CheckedCode = (typeof CODE_OF)[FindingKind];

/** What there is for a code: all are counted, the first of them are there. */
export interface Seen {
  count: number;
  findings: Finding[];
}

export function seen({ check, noticed }: DiagnosisFacts, code: CheckedCode): Seen {
  const isTaken = (kind: FindingKind): boolean => CODE_OF[kind] === code;
  const own = (check?.findings ?? []).filter(({ kind }) => isTaken(kind));
  const others = noticed.filter(({ kind }) => isTaken(kind));
  const counts = Object.entries(check?.findingCounts ?? {}) as [FindingKind, number][];
  const counted = counts.reduce((sum, [kind, count]) => sum + (isTaken(kind) ? count : 0), 0);
  return { count: counted + others.length, findings: [...own, ...others] };
}

/** Where to look. */
export function placesOf(findings: readonly Finding[]): DiagnosisFinding['places'] {
  return findings
    .filter(({ host, guest }) => host !== undefined || guest !== undefined)
    .slice(0, MOST_PLACES)
    .map(({ host, guest }) => ({
      ...(host === undefined ? {} : { host }),
      ...(guest === undefined ? {} : { guest }),
    }));
}

/** Bytes of the disk that findings concern, each byte once. */
export function bytesOfGuest(findings: readonly Finding[]): number {
  const ranges = findings.flatMap(({ guest }) => (guest === undefined ? [] : [guest]));
  ranges.sort((a, b) => a.offset - b.offset);
  let bytes = 0;
  let end = 0;
  for (const { offset, length } of ranges) {
    const from = Math.max(offset, end);
    const to = offset + Math.max(0, length);
    if (to > from) bytes += to - from;
    end = Math.max(end, to);
  }
  return bytes;
}

/** A repair, where one is known for any of them. */
export function repairOf(findings: readonly Finding[]): Remedy[] {
  return findings.some(({ repair }) => repair !== 'none') ? [{ kind: 'repair' }] : [];
}

/** A repair, or else something other. */
export function mendedOr(findings: readonly Finding[], others: Remedy[]): Remedy[] {
  const repair = repairOf(findings);
  return repair.length > 0 ? repair : others;
}

/** Marks «used only once» that are wrong. */
export interface WrongFlags {
  entries: number;
  /** Of them: set, and others use the cluster, too. */
  risky: number;
  findings: Finding[];
}

/** Which marks are wrong themselves: where a count is wrong, the mark that differs may be right. */
export function flagsOf(facts: DiagnosisFacts): WrongFlags {
  const { count, findings } = seen(facts, 'copied-flags');
  const miscounted = new Set(
    seen(facts, 'overwrite-risk').findings.map(({ host }) => host?.offset ?? -1),
  );
  const wrong = findings.filter((finding) => {
    return finding.kind === 'compressed-copied' || !miscounted.has(finding.host?.offset ?? -1);
  });
  const risky = wrong.filter(({ kind, values }) => {
    return kind === 'compressed-copied' || isCopied(String(values['entry'] ?? ''));
  });
  return {
    entries: count - (findings.length - wrong.length),
    risky: risky.length,
    findings: risky.length > 0 ? risky : wrong,
  };
}

/** The highest of 64 bits, in hex text. */
function isCopied(entry: string): boolean {
  return entry.length === 16 && parseInt(entry.charAt(0), 16) >= 8;
}
