/** Rules: space. What the guest's file systems call free, and the image stores all the same. */
import type { FileSystemInfo } from '../../guest/file-system.ts';
import type { GuestContents } from '../../guest/file-system-reader.ts';
import type { Found } from '../rule.ts';
import type { DiagnosisFacts } from '../facts.ts';
import { GIB, isDamaged, MIB, rewrite } from './worth.ts';

/** A system that was installed once has written more than it keeps: only much of it is worth a word. */
const NOTE_BYTES = 512 * MIB;
const NOTE_SHARE = 0.15;
const ADVICE_BYTES = 2 * GIB;
const ADVICE_SHARE = 0.3;

/** Containers of logical partitions: what is in them is listed besides. */
const EXTENDED_TYPES: readonly string[] = ['05', '0f', '85'];

/**
 * A lower bound: what is not known to be free counts as used, and what the image stores is held
 * against it as a whole. Bytes.
 */
export function judgeGuestFree(facts: DiagnosisFacts): Found<'guest-free-stored'> | undefined {
  const { info, survey, guest } = facts;
  const { clusterSize } = info;
  const clusters = survey?.clusters;
  if (clusters === undefined || clusterSize === undefined || guest === undefined) return undefined;
  const inUse = usedIn(guest, info.virtualSize);
  if (inUse === undefined || isDamaged(facts)) return undefined;
  const { used, kinds } = inUse;
  const stored = (clusters.normal + clusters.compressed) * clusterSize;
  const free = stored - used;
  if (free < NOTE_BYTES || free < NOTE_SHARE * stored) return undefined;
  const isMuch = free >= ADVICE_BYTES && free >= ADVICE_SHARE * stored;
  return {
    grade: isMuch ? 'advice' : 'note',
    values: { free, used, stored, kinds },
    remedies: [{ kind: 'paste', lines: trimLines(kinds, info.format) }, ...rewrite(facts)],
  };
}

/** Undefined where no file system tells how much of it is used. */
function usedIn(
  { table, inside, whole }: GuestContents,
  size: number,
): { used: number; kinds: string[] } | undefined {
  const kinds = new Set<string>();
  const usedOf = (found: FileSystemInfo | 'unreadable' | undefined, length: number): number => {
    if (typeof found !== 'object' || found.used === undefined) return length;
    // What was not unmounted may not have written its counts, and damage is no source of numbers.
    if (found.isDirty || found.isDamaged || found.isCut) return length;
    kinds.add(found.kind);
    return Math.min(found.used, length);
  };
  let used = 0;
  if (table === undefined) {
    used = usedOf(whole, size);
  } else {
    for (const [index, { type, length }] of table.partitions.entries()) {
      const isContainer = table.scheme === 'mbr' && EXTENDED_TYPES.includes(type);
      if (!isContainer) used += usedOf(inside[index], length);
    }
  }
  return kinds.size === 0 ? undefined : { used, kinds: [...kinds].sort() };
}

/** The disk lets go of what the guest trims, and the command that makes the guest trim. */
function trimLines(kinds: readonly string[], format: string): string[] {
  const windows = kinds.some((kind) => kind === 'ntfs' || kind === 'refs');
  const others = kinds.some((kind) => kind !== 'ntfs' && kind !== 'refs');
  return [
    `-drive file=FILE,format=${format},discard=unmap,detect-zeroes=unmap`,
    ...(others ? ['fstrim -av'] : []),
    ...(windows ? ['defrag /C /L'] : []),
  ];
}
