/** Rules: space. Where the bytes of the file went, and what would give them back. Sizes in bytes. */
import type { Found, Rules } from '../rule.ts';
import type { Grade, Remedy } from '../diagnosis.ts';
import type { DiagnosisFacts } from '../facts.ts';
import { judgeGuestFree } from './space-guest.ts';
import { isDamaged, keepPlaces, MIB, partGrade, rewrite, sum, worth } from './worth.ts';

/** The codes, stable, with what each speaks of. */
export interface SpaceValues {
  /** `exclusive`: deleting it alone frees them. `taken`: milliseconds since 1970, 0: not known. */
  'snapshot-holds': {
    name: string;
    exclusive: number;
    vmState: number;
    fileSize: number;
    taken: number;
  };
  /** What only several snapshots together hold; `alone`: the sum of what each holds for itself. */
  'snapshots-hold': { snapshots: number; bytes: number; alone: number };
  'shared-with-snapshots': { bytes: number; snapshots: number };
  'vm-state-kept': { bytes: number; snapshots: number };
  'zeros-held': { bytes: number };
  'zeros-stored': { bytes: number; preallocated: boolean; snapshots: number };
  'equal-to-backing': { bytes: number; backing: string };
  /** `pieces`: 0 where nobody counted. */
  'free-inside': { bytes: number; pieces: number };
  'unused-tail': { bytes: number };
  'large-tables': {
    bytes: number;
    share: number;
    clusterSize: number;
    l2: number;
    refcounts: number;
    snapshots: number;
    bitmaps: number;
  };
  /** `allocated`: what the file takes on its medium, 0: not known; `saved`: what becomes free there. */
  'compaction-gains': {
    now: number;
    then: number;
    gain: number;
    allocated: number;
    saved: number;
    snapshots: number;
  };
  'smaller-without-snapshots': { then: number; without: number; gain: number; snapshots: number };
  /** An estimate from a sample: `packed` of the `plain` bytes of content. */
  compressible: {
    plain: number;
    packed: number;
    sampled: number;
    gain: number;
    snapshots: number;
  };
  /** Of the file systems of the guest, and what the image stores of them. `kinds`: as `ext4`. */
  'guest-free-stored': { free: number; used: number; stored: number; kinds: string[] };
  'sparse-file': { fileSize: number; allocated: number; holes: number };
  /** `over`: bytes beyond the disk's size and the tables. */
  'larger-than-disk': {
    fileSize: number;
    virtualSize: number;
    over: number;
    snapshots: number;
    gaps: number;
  };
}

/** Snapshots that get a finding each, largest first. */
const MOST_SNAPSHOTS = 5;
/** A snapshot younger than this is meant to be there. */
const OLD_MS = 7 * 24 * 3600 * 1000;
/** Tables may take so much of a file before it is odd; with default clusters it is 0.02 %. */
const METADATA_BYTES = 64 * MIB;
const METADATA_SHARE = 0.05;
/** A smaller sample says nothing of the rest. */
const LEAST_SAMPLE = 4 * MIB;
/** Packed to more than this of its size, it is not worth it. */
const PACKS_WELL = 0.8;

export const SPACE_RULES: Rules<SpaceValues> = {
  'snapshot-holds': judgeSnapshots,
  'snapshots-hold': judgeTogether,
  'shared-with-snapshots': judgeShared,
  'vm-state-kept': judgeVmState,
  'zeros-held': (facts) =>
    // Room that was taken in advance is meant to be there.
    isAhead(facts) ? undefined : judgePart(facts, facts.survey?.space.zeroHeld),
  'zeros-stored': judgeZeroFilled,
  'equal-to-backing': judgeEqual,
  'free-inside': (facts) => {
    const found = judgePart(facts, facts.survey?.space.free);
    const pieces = sum((facts.survey?.order?.gaps ?? []).map((gap) => gap.pieces));
    return found && { ...found, values: { ...found.values, pieces } };
  },
  'unused-tail': (facts) => judgePart(facts, facts.survey?.space.tail),
  'large-tables': judgeMetadata,
  'compaction-gains': judgeCompact,
  'smaller-without-snapshots': judgeWithout,
  compressible: judgeCompressible,
  'guest-free-stored': judgeGuestFree,
  'sparse-file': judgeHoles,
  'larger-than-disk': judgeLarger,
};

interface FoundPart {
  grade: Grade;
  values: { bytes: number };
  remedies: Remedy[];
}

/** A part of what a rewrite leaves out. */
function judgePart(facts: DiagnosisFacts, bytes = 0): FoundPart | undefined {
  const grade = isDamaged(facts) ? undefined : partGrade(facts, bytes);
  return grade && { grade, values: { bytes }, remedies: rewrite(facts) };
}

function judgeSnapshots({ info, survey, now }: DiagnosisFacts): Found<'snapshot-holds'>[] {
  const { fileSize } = info;
  const bySize = [...(survey?.snapshots ?? [])].sort((a, b) => b.exclusive - a.exclusive);
  return bySize.slice(0, MOST_SNAPSHOTS).flatMap(({ name, exclusive, vmState, dateSeconds }) => {
    const grade = worth(exclusive, fileSize);
    if (grade === undefined) return [];
    // A date ahead of now or without meaning tells no age.
    const isDated = dateSeconds > 0 && dateSeconds * 1000 <= now;
    const taken = isDated ? dateSeconds * 1000 : 0;
    const isYoung = isDated && now - taken < OLD_MS;
    return [
      {
        grade: isYoung ? 'note' : grade,
        values: { name, exclusive, vmState, fileSize, taken },
        remedies: [{ kind: 'delete-snapshot', name }],
      },
    ];
  });
}

function judgeTogether({ info, survey }: DiagnosisFacts): Found<'snapshots-hold'> | undefined {
  if (survey === undefined || survey.snapshots.length < 2) return undefined;
  const bytes = survey.space.snapshotOnly + survey.space.vmState;
  const alone = sum(survey.snapshots.map(({ exclusive }) => exclusive));
  // What each holds for itself has been said: this is about what no single deletion frees.
  const grade = worth(bytes - alone, info.fileSize);
  return (
    grade && {
      grade: 'note',
      values: { snapshots: survey.snapshots.length, bytes, alone },
      remedies: [{ kind: 'compact', snapshots: false }],
    }
  );
}

function judgeShared({ info, survey }: DiagnosisFacts): Found<'shared-with-snapshots'> | undefined {
  const bytes = survey?.space.shared ?? 0;
  const grade = worth(bytes, info.fileSize);
  return grade && { grade: 'note', values: { bytes, snapshots: survey?.snapshots.length ?? 0 } };
}

function judgeVmState({ info, survey }: DiagnosisFacts): Found<'vm-state-kept'> | undefined {
  const bytes = survey?.space.vmState ?? 0;
  const holders = (survey?.snapshots ?? []).filter(({ vmState }) => vmState > 0);
  const grade = worth(bytes, info.fileSize);
  const [largest] = [...holders].sort((a, b) => b.vmState - a.vmState);
  const remedies: Remedy[] =
    largest === undefined ? [] : [{ kind: 'delete-snapshot', name: largest.name }];
  return grade && { grade: 'note', values: { bytes, snapshots: holders.length }, remedies };
}

function isAhead({ survey }: DiagnosisFacts): boolean {
  return survey?.preallocation === 'metadata';
}

function judgeZeroFilled(facts: DiagnosisFacts): Found<'zeros-stored'> | undefined {
  const { deep, info } = facts;
  const bytes = deep?.zeroFilled ?? 0;
  const grade = isDamaged(facts) ? undefined : worth(bytes, info.fileSize);
  if (grade === undefined) return undefined;
  const preallocated = isAhead(facts);
  const values = { bytes, preallocated, snapshots: info.snapshots.length };
  if (preallocated) return { grade: 'note', values };
  const format = info.format === 'raw' ? 'qcow2' : info.format;
  // A conversion looks for zeros; with a backing image it would take that in, too.
  const remedies: Remedy[] =
    info.backing === undefined ? [{ kind: 'convert', format, options: {}, compress: false }] : [];
  return { grade, values, remedies };
}

function judgeEqual({ deep, info }: DiagnosisFacts): Found<'equal-to-backing'> | undefined {
  const bytes = deep?.equalToBacking ?? 0;
  if (info.backing === undefined) return undefined;
  const grade = worth(bytes, info.fileSize);
  return (
    grade && {
      grade,
      values: { bytes, backing: info.backing.name },
      remedies: [{ kind: 'commit' }, { kind: 'flatten' }],
    }
  );
}

function judgeMetadata({ info, survey }: DiagnosisFacts): Found<'large-tables'> | undefined {
  const { metadata } = survey?.space ?? {};
  if (metadata === undefined || info.clusterSize === undefined) return undefined;
  const bytes = sum(Object.values(metadata));
  const share = bytes / info.fileSize;
  if (bytes < METADATA_BYTES || share < METADATA_SHARE) return undefined;
  const { l2, refcounts, snapshots, bitmaps } = metadata;
  return {
    grade: 'note',
    values: { bytes, share, clusterSize: info.clusterSize, l2, refcounts, snapshots, bitmaps },
  };
}

function judgeCompact(facts: DiagnosisFacts): Found<'compaction-gains'> | undefined {
  const { info, survey } = facts;
  const then = survey?.forecasts?.compact;
  if (then === undefined || isDamaged(facts)) return undefined;
  const now = info.fileSize;
  const allocated = info.allocatedSize ?? 0;
  const gain = now - then;
  const length = worth(gain, now);
  if (length === undefined) return undefined;
  // Holes take no room: on this medium only what they leave is saved, a copy is shorter by all.
  const held = info.allocatedSize ?? now;
  const saved = Math.max(0, Math.min(gain, held - then));
  const isWished = worth(saved, held) === 'advice' && !isAhead(facts);
  const grade = isWished ? length : 'note';
  const values = { now, then, gain, allocated, saved, snapshots: info.snapshots.length };
  return { grade, values, remedies: rewrite(facts) };
}

function judgeWithout(facts: DiagnosisFacts): Found<'smaller-without-snapshots'> | undefined {
  const { info, survey } = facts;
  const snapshots = survey?.snapshots.length ?? 0;
  if (survey?.forecasts === undefined || snapshots === 0 || isDamaged(facts)) return undefined;
  const { compact: then, compactWithoutSnapshots: without } = survey.forecasts;
  const gain = then - without;
  const remedies: Remedy[] = [{ kind: 'compact', snapshots: false }];
  return (
    worth(gain, info.fileSize) && {
      grade: 'note',
      values: { then, without, gain, snapshots },
      remedies,
    }
  );
}

function judgeCompressible(facts: DiagnosisFacts): Found<'compressible'> | undefined {
  const { deep, info, survey } = facts;
  const plain = survey?.order?.bytes ?? 0;
  // Packing what needs a backing image would take in what is below.
  if (deep === undefined || info.backing !== undefined || info.encrypted) return undefined;
  if (deep.sampled < Math.min(LEAST_SAMPLE, plain) || deep.sampled === 0) return undefined;
  const ratio = deep.sampledPacked / deep.sampled;
  const packed = Math.round(plain * ratio);
  const gain = plain - packed;
  if (ratio > PACKS_WELL || worth(gain, info.fileSize) === undefined) return undefined;
  return {
    grade: 'note',
    values: { plain, packed, sampled: deep.sampled, gain, snapshots: info.snapshots.length },
    remedies: [{ kind: 'convert', format: 'qcow2', options: {}, compress: true }],
  };
}

function judgeHoles({ info }: DiagnosisFacts): Found<'sparse-file'> | undefined {
  const { fileSize, allocatedSize: allocated } = info;
  if (allocated === undefined) return undefined;
  const holes = fileSize - allocated;
  const grade = worth(holes, fileSize);
  return grade && { grade: 'note', values: { fileSize, allocated, holes } };
}

function judgeLarger(facts: DiagnosisFacts): Found<'larger-than-disk'> | undefined {
  const { info, survey } = facts;
  if (survey === undefined || isDamaged(facts)) return undefined;
  const { fileSize, virtualSize } = info;
  const { metadata, snapshotOnly, vmState, free, leaked, tail } = survey.space;
  const over = fileSize - virtualSize - sum(Object.values(metadata));
  const grade = worth(over, fileSize);
  if (grade === undefined) return undefined;
  const snapshots = snapshotOnly + vmState;
  const gaps = free + leaked + tail;
  const values = { fileSize, virtualSize, over, snapshots, gaps };
  // Snapshots explain it, and have their own findings. Gaps come again unless something is changed.
  if (gaps < over / 2) return { grade: 'note', values };
  return { grade, values, remedies: [...rewrite(facts), ...keepPlaces(info.format)] };
}
