/** What rules about space and speed agree on: which amounts are worth a word, and what mends. */
import type { Grade, Remedy } from '../diagnosis.ts';
import type { DiagnosisFacts } from '../facts.ts';

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

/**
 * Less than this is not spoken of: a person would do nothing about it. The share keeps large files
 * from reporting crumbs, the floor keeps small files from reporting a table or two.
 */
const NOTE_BYTES = 16 * MIB;
const NOTE_SHARE = 0.05;
/** So much is spoken of however large the file is. */
const NOTE_ALWAYS = GIB;

/** From here on doing something about it is worth the time of a rewrite. */
const ADVICE_BYTES = 256 * MIB;
const ADVICE_SHARE = 0.1;
const ADVICE_ALWAYS = 8 * GIB;

/** How much is to be made of an amount in a file; undefined: nothing. Bytes. */
export function worth(bytes: number, fileSize: number): 'advice' | 'note' | undefined {
  if (bytes >= ADVICE_ALWAYS) return 'advice';
  if (bytes >= ADVICE_BYTES && bytes >= ADVICE_SHARE * fileSize) return 'advice';
  if (bytes >= NOTE_ALWAYS) return 'note';
  return bytes >= NOTE_BYTES && bytes >= NOTE_SHARE * fileSize ? 'note' : undefined;
}

/**
 * What to make of a part of what a rewrite saves. The sum is advised once, by `compaction-gains`: its
 * parts are notes that say where it comes from. Without a forecast each part speaks for itself.
 */
export function partGrade(facts: DiagnosisFacts, bytes: number): Grade | undefined {
  const grade = worth(bytes, facts.info.fileSize);
  return grade === 'advice' && facts.survey?.forecasts !== undefined ? 'note' : grade;
}

/** While tables are damaged nobody tidies up: the areas of health speak first. */
export function isDamaged({ check, info }: DiagnosisFacts): boolean {
  return (check !== undefined && check.corruptions > 0) || info.qcow2?.corrupt === true;
}

/** Formats that an image can be written anew in without becoming something else. */
const REWRITTEN: readonly string[] = ['vdi', 'vhdx', 'vmdk', 'vpc', 'qed', 'parallels'];

/** Writes it anew, without what nothing uses. */
export function rewrite({ info }: DiagnosisFacts): Remedy[] {
  if (info.format === 'qcow2') return [{ kind: 'compact', snapshots: true }];
  const format = REWRITTEN.includes(info.format) ? info.format : 'qcow2';
  return [{ kind: 'convert', format, options: {}, compress: false }];
}

/** Freed clusters keep their place, so that the file does not fall into pieces: QEMU 8.1. */
export function keepPlaces(format: string): Remedy[] {
  if (format !== 'qcow2') return [];
  const line = '-drive file=FILE,format=qcow2,discard=unmap,discard-no-unref=on';
  return [{ kind: 'paste', lines: [line] }];
}

export function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
