import type { CheckReport, FindingKind } from '../worker/api.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { bytes } from './units.ts';
import { words } from './words.svelte.ts';

/** How an image is, in one word. The tone picks icon and colour; the word stands without them. */
export interface Health {
  tone: 'unknown' | 'busy' | 'good' | 'warn' | 'bad';
  word: string;
  explanation: string;
}

/**
 * Faults that a file does not get by being cut off, for what is missing reads as zeros: with one
 * of these, pointers behind the end are foreign data in a table and not a missing part.
 */
const GARBAGE: FindingKind[] = [
  'l1-reserved-bits',
  'l2-reserved-bits',
  'l2-unaligned',
  'data-unaligned',
  'zero-unaligned',
  'compressed-copied',
  'reftable-reserved-bits',
  'refblock-unaligned',
  'overlap',
];

/** What does not count as damage, and yet should be known before the image is relied on. */
const REMARKS: FindingKind[] = [
  'header-copy',
  'header-checksum',
  'table-copy',
  'size-contradiction',
  'parent-changed',
  'extension-damaged',
  'content-checksum',
];

function hasGarbage(report: CheckReport): boolean {
  return GARBAGE.some((kind) => (report.findingCounts[kind] ?? 0) > 0);
}

/** Whether the end of the file is missing, as far as known: at once, and surer after a check. */
export function isCutOff(image: OpenImage): boolean {
  const { report } = image.check;
  const missing = (image.opened?.missingBytes ?? 0) > 0;
  return missing && (report === undefined || !hasGarbage(report));
}

/** Health as far as it is known now: from the check, else from the header and the file's length. */
export function healthOf(image: OpenImage): Health {
  const { health } = words.image;
  const { report, job } = image.check;
  const { info } = image;
  const noticed = image.opened?.findings ?? [];
  const { explain } = health;
  if (info === undefined || info.format === 'raw') {
    return { tone: 'unknown', word: health.none, explanation: explain.none };
  }
  if (report !== undefined) return verdict(report, info.clusterSize ?? 0);
  if (isCutOff(image)) {
    return { tone: 'bad', word: health.incomplete, explanation: health.explain.incomplete };
  }
  if (info.qcow2?.corrupt === true) {
    return { tone: 'bad', word: health.markedCorrupt, explanation: health.explain.markedCorrupt };
  }
  if (job === undefined && noticed.length > 0) {
    const unclean = noticed.some(({ kind }) => kind === 'log-pending' || kind === 'dirty');
    return unclean
      ? { tone: 'warn', word: health.unclean, explanation: explain.unclean }
      : { tone: 'warn', word: health.noted, explanation: explain.noted };
  }
  if (image.opened?.check === 'none') {
    return { tone: 'unknown', word: health.none, explanation: explain.nothing };
  }
  if (job !== undefined) {
    return { tone: 'busy', word: health.checking, explanation: health.explain.unknown };
  }
  return { tone: 'unknown', word: health.unknown, explanation: health.explain.unknown };
}

/** What a finished check says, the worst first. */
export function verdict(report: CheckReport, clusterSize: number): Health {
  const { health } = words.image;
  const { explain } = health;
  const has = report.findingCounts;
  if ((has.truncated ?? 0) > 0 && !hasGarbage(report)) {
    return { tone: 'bad', word: health.incomplete, explanation: explain.incomplete };
  }
  if (report.corruptions > 0) {
    return { tone: 'bad', word: health.damaged(report.corruptions), explanation: explain.damaged };
  }
  if (report.aborted !== undefined || report.checkErrors > 0) {
    return { tone: 'bad', word: health.unchecked, explanation: explain.unchecked };
  }
  if ((has['corrupt-bit'] ?? 0) > 0) {
    return { tone: 'bad', word: health.markedCorrupt, explanation: explain.markedCorrupt };
  }
  if ((has['zero-in-v2'] ?? 0) > 0) {
    return { tone: 'warn', word: health.unreadable, explanation: explain.unreadable };
  }
  if (report.leaks > 0) {
    const size = bytes(report.leaks * clusterSize, words.tag);
    return {
      tone: 'warn',
      word: health.wasted(report.leaks),
      explanation: explain.wasted(size),
    };
  }
  if ((has.dirty ?? 0) + (has['log-pending'] ?? 0) > 0) {
    return { tone: 'warn', word: health.unclean, explanation: explain.unclean };
  }
  if (REMARKS.some((kind) => (has[kind] ?? 0) > 0)) {
    return { tone: 'warn', word: health.noted, explanation: explain.noted };
  }
  return { tone: 'good', word: health.healthy, explanation: explain.healthy };
}

/** The exit code that `qemu-img check` gives for this. */
export function exitCode(report: CheckReport): number {
  if (report.aborted !== undefined || report.checkErrors > 0) return 1;
  if (report.corruptions > 0) return 2;
  return report.leaks > 0 ? 3 : 0;
}
