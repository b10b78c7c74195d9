/** Rules: what partition tables and superblocks on the disk say of their own health. */
import { MOST_PLACES } from '../diagnosis.ts';
import type { DiagnosisFacts } from '../facts.ts';
import type { Found, Rules } from '../rule.ts';
import type { FileSystemInfo, FileSystemKind } from '../../guest/file-system.ts';
import type { Range } from '../../operations/finding.ts';

/** Sizes in bytes. File systems are named `ext4 1`: what it is, and the number of its partition. */
export interface GuestValues {
  /** `isJournaled`: it mends itself at the next start. */
  'guest-unclean': { systems: string[]; isJournaled: boolean };
  'guest-damaged': { systems: string[] };
  /** `missing`: of the one that lacks most. */
  'guest-cut': { systems: string[]; missing: number };
  /** Numbers of partitions; `missing`: what lies behind the end of the disk. */
  'partition-outside': { partitions: number[]; missing: number };
  'partition-unreadable': { partitions: number[] };
  /** `damaged`: which of the two. */
  'gpt-header-damaged': { damaged: 'primary' | 'backup' };
  /** `bytes`: behind the table's end, out of reach of the guest. */
  'gpt-not-at-end': { bytes: number };
  'guest-full': { system: string; used: number; size: number };
}

const MIB = 2 ** 20;
const GIB = 2 ** 30;
/** What lacks less has lost nothing that anybody would miss: ends are rounded in many ways. */
const SLIGHT = MIB;
const FULL = 0.97;
const LEAST_FULL = 4 * GIB;

/** They replay what was left undone by themselves. */
const JOURNALED: readonly FileSystemKind[] = [
  ...(['ext3', 'ext4', 'xfs', 'btrfs', 'ntfs', 'refs', 'apfs', 'hfs-plus', 'f2fs'] as const),
];
/** People write files into these: in others, `used` is no sign of anything. */
const FILLED: readonly FileSystemKind[] = [
  ...(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'ntfs', 'fat32', 'exfat', 'hfs-plus'] as const),
];
/** A partition that only holds others. */
const CONTAINERS = ['05', '0f', '85'];

export const GUEST_RULES: Rules<GuestValues> = {
  'guest-unclean': (facts) => {
    const unclean = systemsOf(facts).filter(({ info }) => info.isDirty);
    return [true, false].flatMap((isJournaled) => {
      const some = unclean.filter(({ info }) => JOURNALED.includes(info.kind) === isJournaled);
      if (some.length === 0) return [];
      const systems = some.map(({ name }) => name);
      const grade = isJournaled ? ('note' as const) : ('advice' as const);
      return [{ grade, values: { systems, isJournaled }, places: placesOf(some) }];
    });
  },
  'guest-damaged': (facts) => {
    const damaged = systemsOf(facts).filter(({ info }) => info.isDamaged);
    if (damaged.length === 0) return undefined;
    const systems = damaged.map(({ name }) => name);
    return { grade: 'problem', values: { systems }, places: placesOf(damaged) };
  },
  'guest-cut': guestCut,
  'partition-outside': (facts) => {
    const outside = outsideOf(facts);
    if (outside.length === 0) return undefined;
    const { virtualSize } = facts.info;
    const missing = Math.max(...outside.map(({ start, length }) => start + length - virtualSize));
    return {
      grade: missing < SLIGHT ? 'problem' : 'danger',
      values: { partitions: outside.map(({ number }) => number), missing },
      places: outside
        .slice(0, MOST_PLACES)
        .map(({ start, length }) => ({ guest: { offset: start, length } })),
    };
  },
  'partition-unreadable': ({ guest }) => {
    const bad = (guest?.table?.partitions ?? []).filter((_, index) => {
      return guest?.inside[index] === 'unreadable';
    });
    if (bad.length === 0) return undefined;
    return {
      grade: 'danger',
      values: { partitions: bad.map(({ number }) => number) },
      places: bad
        .slice(0, MOST_PLACES)
        .map(({ start, length }) => ({ guest: { offset: start, length } })),
    };
  },
  'gpt-header-damaged': (facts) => {
    const gpt = facts.guest?.table?.gpt;
    if (gpt === undefined || (gpt.primary && gpt.backup) || isDisc(facts)) return undefined;
    // The end of the disk is gone, and the backup with it: that is said of the partitions.
    if (!gpt.backup && gpt.backupEnd > facts.info.virtualSize) return undefined;
    const damaged = gpt.primary ? 'backup' : 'primary';
    return { grade: 'problem', values: { damaged } };
  },
  'gpt-not-at-end': (facts) => {
    const gpt = facts.guest?.table?.gpt;
    if (gpt?.backup !== true || isDisc(facts)) return undefined;
    // Sectors of the guest may be larger than what is left over at the end of the file.
    const bytes = facts.info.virtualSize - gpt.backupEnd;
    if (bytes < SLIGHT) return undefined;
    return {
      ...{ grade: 'advice', values: { bytes } },
      places: [{ guest: { offset: gpt.backupEnd, length: bytes } }],
    };
  },
  'guest-full': (facts) => {
    const full = systemsOf(facts).flatMap(({ info, name, place }): Found<'guest-full'>[] => {
      const { kind, size, used } = info;
      if (size === undefined || used === undefined || !FILLED.includes(kind)) return [];
      if (size < LEAST_FULL || used / size < FULL) return [];
      return [{ grade: 'note', values: { system: name, used, size }, places: [{ guest: place }] }];
    });
    return full.slice(0, MOST_PLACES);
  },
};

/** One file system, its name for people, and where it lies. */
interface System {
  info: FileSystemInfo;
  name: string;
  place: Range;
  /** Index of its partition; -1 for the whole disk. */
  index: number;
}

function systemsOf({ guest, info: { virtualSize } }: DiagnosisFacts): System[] {
  if (guest === undefined) return [];
  const systems: System[] = [];
  if (guest.whole !== undefined) {
    const place = { offset: 0, length: virtualSize };
    systems.push({ info: guest.whole, name: guest.whole.kind, place, index: -1 });
  }
  for (const [index, { number, start, length }] of (guest.table?.partitions ?? []).entries()) {
    const info = guest.inside[index];
    if (info === undefined || info === 'unreadable') continue;
    const place = { offset: start, length };
    systems.push({ info, name: `${info.kind} ${number}`, place, index });
  }
  return systems;
}

function placesOf(systems: readonly System[]) {
  return systems.slice(0, MOST_PLACES).map(({ place }) => ({ guest: place }));
}

/** A disc that also starts from a stick has a table for the stick, which promises more. */
function isDisc({ guest }: DiagnosisFacts): boolean {
  return guest?.whole?.kind === 'iso9660';
}

/** Partitions that reach behind the end of the disk. */
function outsideOf(facts: DiagnosisFacts) {
  const { guest, info } = facts;
  if (isDisc(facts)) return [];
  return (guest?.table?.partitions ?? []).filter(({ start, length, type }) => {
    return start + length > info.virtualSize && !CONTAINERS.includes(type);
  });
}

function guestCut(facts: DiagnosisFacts): Found<'guest-cut'> | undefined {
  // Where the partition itself is cut, that is said.
  const outside = new Set(outsideOf(facts));
  const partitions = facts.guest?.table?.partitions ?? [];
  const cut = systemsOf(facts).filter(({ info, index }) => {
    const partition = partitions[index];
    return info.isCut && (partition === undefined || !outside.has(partition));
  });
  if (cut.length === 0) return undefined;
  const missing = Math.max(...cut.map(({ info, place }) => (info.size ?? 0) - place.length));
  return {
    grade: missing < SLIGHT ? 'problem' : 'danger',
    values: { systems: cut.map(({ name }) => name), missing },
    places: placesOf(cut),
  };
}
