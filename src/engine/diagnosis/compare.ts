/**
 * What has become of an image since an earlier diagnosis: what is new, gone, graver or better, how
 * it grows, when it will be full. Pure. The earlier one may come out of a file (`parseDiagnosis`);
 * every {@link Diagnosis} can be given for it, too.
 */
import type { MetadataSpace, SpaceAccount } from '../formats/survey.ts';
import { measureEmpty } from '../operations/measure.ts';
import { GRADES, type Diagnosis, type DiagnosisFinding, type Grade } from './diagnosis.ts';
import type { DiagnosisFacts } from './facts.ts';
import type {
  EarlierDiagnosis,
  EarlierFacts,
  EarlierFileSystem,
  EarlierFinding,
  EarlierLayer,
  EarlierSnapshot,
} from './report.ts';

/** Parts of the file whose growth is told; `metadata`: all tables together. */
export const GROWING_PARTS = [
  'fileSize',
  'active',
  'compressed',
  'shared',
  'snapshotOnly',
  'vmState',
  'zeroHeld',
  'metadata',
  'leaked',
  'free',
  'tail',
  'damaged',
  'unknown',
] as const;
export type GrowingPart = (typeof GROWING_PARTS)[number];

/** Bytes. */
export interface Growth {
  part: GrowingPart;
  before: number;
  now: number;
  /** Undefined where too little time has passed to tell. Negative: it becomes smaller. */
  perDay: number | undefined;
}

/**
 * - `same`: file systems, snapshots, the identifier in the header or the tables are the same
 * - `likely`: format and size are the same, and nothing says otherwise
 * - `unclear`: format or size differ, and nothing else tells
 * - `other`: what both name differs
 */
export type Sameness = 'same' | 'likely' | 'unclear' | 'other';

/** What differs of what an image is known by. */
export type IdentityDifference = 'format' | 'virtual-size' | 'cluster-size' | 'uuid' | 'guest';

/** Something that was there in both, with another grade. */
export interface ChangedGrade {
  before: Grade;
  finding: DiagnosisFinding;
}

/** Something below the image. `before` and `now` are bytes, or milliseconds since 1970. */
export interface ChainChange {
  kind:
    | 'added'
    | 'removed'
    | 'missing' // it was there to be read, and is not
    | 'found'
    | 'format'
    | 'virtual-size'
    | 'file-size'
    | 'written'; // its time is another one, its size is not
  name: string;
  before: number;
  now: number;
}

/** When something will be full if it goes on like that. Bytes. */
export interface FullForecast {
  /** `file`: the file has reached the largest size that it can have. */
  what: 'file' | 'file-system';
  /** Label or kind of a file system, '' for the file. */
  name: string;
  /** The number of its partition; 0 for the file, and for a disk without partitions. */
  partition: number;
  now: number;
  limit: number;
  perDay: number;
  /** From now on. */
  days: number;
  /** Milliseconds since 1970. */
  at: number;
}

export interface DiagnosisComparison {
  /** When both were made, milliseconds since 1970. */
  before: number;
  now: number;
  /** Between the two; negative where the report is of later, or a clock was wrong. */
  days: number;
  sameness: Sameness;
  differences: IdentityDifference[];
  /** The tables are the same, byte for byte: nothing was written. Undefined: not known. */
  untouched: boolean | undefined;
  appeared: DiagnosisFinding[];
  gone: EarlierFinding[];
  graver: ChangedGrade[];
  better: ChangedGrade[];
  /** How many findings are as they were. */
  unchanged: number;
  /** Parts that are not as they were; the file itself comes first. */
  growth: Growth[];
  snapshotsAdded: EarlierSnapshot[];
  snapshotsRemoved: EarlierSnapshot[];
  /** How large the disk is, bytes, where it changed. */
  resized: { before: number; now: number } | undefined;
  chain: ChainChange[];
  /** What comes first is first; nothing that is further away than {@link FURTHEST_DAYS}. */
  full: FullForecast[];
}

/** Milliseconds. */
const DAY = 24 * 60 * 60 * 1000;
/** What grew within less says nothing of a day. */
export const LEAST_DAYS = 0.25;
/** Ten years: nobody plans further. */
export const FURTHEST_DAYS = 3653;

/**
 * Holds a diagnosis against an earlier one of the same image. With one of another image it is of no
 * use, and says so: `sameness`.
 * @param now a diagnosis or a report of the image as it is now
 */
export function compareDiagnoses(
  earlier: EarlierDiagnosis,
  now: Diagnosis & Pick<EarlierDiagnosis, 'hashes'>,
): DiagnosisComparison {
  const { facts: then } = earlier;
  const { facts } = now;
  const days = (facts.now - then.now) / DAY;
  const untouched = sameDigest(earlier.hashes?.metadata, now.hashes?.metadata);
  const { added, removed } = listChanges(then.info.snapshots, facts.info.snapshots, snapshotKey);
  const growth = growthOf(then, facts, days);
  const { virtualSize } = facts.info;
  return {
    ...{ before: then.now, now: facts.now, days },
    ...identityOf(then, facts, untouched),
    untouched,
    ...findingChanges(earlier.findings, now.findings),
    growth,
    ...{ snapshotsAdded: added, snapshotsRemoved: removed },
    resized:
      then.info.virtualSize === virtualSize
        ? undefined
        : { before: then.info.virtualSize, now: virtualSize },
    chain: chainChanges(then.chain.slice(1), facts.chain.slice(1)),
    full: forecasts(then, facts, days, growth),
  };
}

function sameDigest(before: string | undefined, now: string | undefined): boolean | undefined {
  return before === undefined || now === undefined ? undefined : before === now;
}

/** What is in one list only. Bounded: lists of snapshots are long at most 65536. */
function listChanges<T, U extends T>(
  before: readonly T[],
  now: readonly U[],
  keyOf: (entry: T) => string,
): { added: U[]; removed: T[] } {
  const had = new Set(before.map(keyOf));
  const has = new Set(now.map(keyOf));
  return {
    added: now.filter((entry) => !had.has(keyOf(entry))),
    removed: before.filter((entry) => !has.has(keyOf(entry))),
  };
}

function snapshotKey({ id, name, dateSeconds }: EarlierSnapshot): string {
  return `${dateSeconds}/${id}/${name}`;
}

function identityOf(
  then: EarlierFacts,
  now: DiagnosisFacts,
  untouched: boolean | undefined,
): Pick<DiagnosisComparison, 'sameness' | 'differences'> {
  const guest = overlap(guestIds(then), guestIds(now));
  const uuid = overlap(uuidsOf(then), uuidsOf(now));
  const snapshots = overlap(
    then.info.snapshots.map(snapshotKey),
    now.info.snapshots.map(snapshotKey),
  );
  const differences: IdentityDifference[] = [];
  if (then.info.format !== now.info.format) differences.push('format');
  if (then.info.virtualSize !== now.info.virtualSize) differences.push('virtual-size');
  if (then.info.clusterSize !== now.info.clusterSize) differences.push('cluster-size');
  if (uuid === false) differences.push('uuid');
  if (guest === false) differences.push('guest');
  const isSame = guest === true || uuid === true || snapshots === true || untouched === true;
  if (isSame) return { sameness: 'same', differences };
  if (guest === false || uuid === false) return { sameness: 'other', differences };
  return { sameness: differences.length === 0 ? 'likely' : 'unclear', differences };
}

/** Undefined where one of them is empty: nothing can be said. */
function overlap(before: readonly string[], now: readonly string[]): boolean | undefined {
  if (before.length === 0 || now.length === 0) return undefined;
  const known = new Set(before);
  return now.some((one) => known.has(one));
}

function uuidsOf({ info }: EarlierFacts): string[] {
  return (info.description?.facts ?? [])
    .filter(({ key }) => key === 'uuid')
    .map(({ value }) => String(value));
}

function guestIds(facts: EarlierFacts): string[] {
  return fileSystems(facts)
    .map(({ system }) => system.uuid)
    .filter((uuid) => uuid !== '');
}

interface Placed {
  partition: number;
  system: EarlierFileSystem;
}

function fileSystems({ guest }: EarlierFacts): Placed[] {
  if (guest === undefined) return [];
  const whole = guest.whole === undefined ? [] : [{ partition: 0, system: guest.whole }];
  const inside = guest.inside.flatMap((system, index) => {
    if (system === undefined || system === 'unreadable') return [];
    return [{ partition: guest.table?.partitions[index]?.number ?? index + 1, system }];
  });
  return [...whole, ...inside];
}

/**
 * What a finding speaks of: its code, and the names in its values. Numbers change without it being
 * another one.
 */
export function findingKey({ code, values }: Pick<EarlierFinding, 'code' | 'values'>): string {
  const names = Object.entries(values as Record<string, unknown>)
    .filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([code, ...names]);
}

function findingChanges(
  earlier: readonly EarlierFinding[],
  now: readonly DiagnosisFinding[],
): Pick<DiagnosisComparison, 'appeared' | 'gone' | 'graver' | 'better' | 'unchanged'> {
  const pairs = pairUp(earlier, now);
  const matched = new Set(pairs.map(([before]) => before));
  const found = new Set(pairs.map(([, finding]) => finding));
  const rank = (grade: Grade) => GRADES.indexOf(grade);
  const changed = pairs.map(([{ grade }, finding]) => ({ before: grade, finding }));
  return {
    appeared: now.filter((finding) => !found.has(finding)),
    gone: earlier.filter((finding) => !matched.has(finding)),
    graver: changed.filter(({ before, finding }) => rank(finding.grade) < rank(before)),
    better: changed.filter(({ before, finding }) => rank(finding.grade) > rank(before)),
    unchanged: changed.filter(({ before, finding }) => finding.grade === before).length,
  };
}

/** First those that speak of the same, then what is left of one code, where that is one of each. */
function pairUp(
  earlier: readonly EarlierFinding[],
  now: readonly DiagnosisFinding[],
): [EarlierFinding, DiagnosisFinding][] {
  const exact = pairBy(earlier, now, findingKey);
  const taken = new Set<object>(exact.flat());
  const left = earlier.filter((one) => !taken.has(one));
  const open = now.filter((one) => !taken.has(one));
  const alone = (code: string) =>
    left.filter((one) => one.code === code).length === 1 &&
    open.filter((one) => one.code === code).length === 1;
  const codes = new Set(open.map(({ code }) => code).filter(alone) as string[]);
  const rest = pairBy(
    left.filter(({ code }) => codes.has(code)),
    open.filter(({ code }) => codes.has(code)),
    ({ code }) => code,
  );
  return [...exact, ...rest];
}

function pairBy(
  earlier: readonly EarlierFinding[],
  now: readonly DiagnosisFinding[],
  keyOf: (finding: EarlierFinding) => string,
): [EarlierFinding, DiagnosisFinding][] {
  const waiting = new Map<string, EarlierFinding[]>();
  for (const finding of earlier) {
    const list = waiting.get(keyOf(finding));
    if (list === undefined) waiting.set(keyOf(finding), [finding]);
    else list.push(finding);
  }
  return now.flatMap((finding): [EarlierFinding, DiagnosisFinding][] => {
    const before = waiting.get(keyOf(finding))?.shift();
    return before === undefined ? [] : [[before, finding]];
  });
}

/** All tables together, bytes. */
export function metadataBytes(metadata: MetadataSpace): number {
  const { header, l1, l2, refcounts, snapshots, bitmaps, crypto, other } = metadata;
  return header + l1 + l2 + refcounts + snapshots + bitmaps + crypto + other;
}

function sizeOfPart(part: GrowingPart, { space, info }: PartSource): number | undefined {
  if (part === 'fileSize') return info.fileSize;
  if (space === undefined) return undefined;
  return part === 'metadata' ? metadataBytes(space.metadata) : space[part];
}

interface PartSource {
  info: { fileSize: number };
  space: SpaceAccount | undefined;
}

function growthOf(then: EarlierFacts, now: DiagnosisFacts, days: number): Growth[] {
  return GROWING_PARTS.flatMap((part) => {
    const before = sizeOfPart(part, { info: then.info, space: then.survey?.space });
    const after = sizeOfPart(part, { info: now.info, space: now.survey?.space });
    if (before === undefined || after === undefined) return [];
    if (part !== 'fileSize' && before === after) return [];
    return [{ part, before, now: after, perDay: perDay(after - before, days) }];
  });
}

function perDay(bytes: number, days: number): number | undefined {
  return days >= LEAST_DAYS ? bytes / days : undefined;
}

/** In the order of the chain; images are the same by their names. */
function chainChanges(then: readonly EarlierLayer[], now: readonly EarlierLayer[]): ChainChange[] {
  const before = new Map(then.map((layer) => [layer.name, layer]));
  const { added, removed } = listChanges(then, now, ({ name }) => name);
  const gone = removed.map(({ name, fileSize }): ChainChange => {
    return { kind: 'removed', name, before: fileSize, now: 0 };
  });
  const rest = now.flatMap((layer): ChainChange[] => {
    const old = before.get(layer.name);
    if (old !== undefined) return layerChanges(old, layer);
    const isNew = added.includes(layer);
    return isNew ? [{ kind: 'added', name: layer.name, before: 0, now: layer.fileSize }] : [];
  });
  return [...gone, ...rest];
}

function layerChanges(before: EarlierLayer, now: EarlierLayer): ChainChange[] {
  const change = (kind: ChainChange['kind'], from: number, to: number): ChainChange => {
    return { kind, name: now.name, before: from, now: to };
  };
  if (before.missing !== now.missing) return [change(now.missing ? 'missing' : 'found', 0, 0)];
  if (now.missing) return [];
  const changes: ChainChange[] = [];
  if (before.format !== now.format) changes.push(change('format', 0, 0));
  if (before.virtualSize !== now.virtualSize) {
    changes.push(change('virtual-size', before.virtualSize, now.virtualSize));
  }
  if (before.fileSize !== now.fileSize) {
    changes.push(change('file-size', before.fileSize, now.fileSize));
  }
  const { modified: then } = before;
  const isWritten = then !== undefined && now.modified !== undefined && then !== now.modified;
  if (changes.length === 0 && isWritten) changes.push(change('written', then, now.modified ?? 0));
  return changes;
}

function forecasts(
  then: EarlierFacts,
  now: DiagnosisFacts,
  days: number,
  growth: readonly Growth[],
): FullForecast[] {
  const file = growth.find(({ part }) => part === 'fileSize');
  const limit = largestFile(now);
  const ofFile =
    file === undefined || limit === undefined || file.perDay === undefined
      ? undefined
      : forecast({ what: 'file', name: '', partition: 0 }, file.now, limit, file.perDay, now.now);
  const before = fileSystems(then);
  const ofGuests = fileSystems(now).map((placed) => forecastSystem(before, placed, days, now.now));
  return [ofFile, ...ofGuests].filter((one) => one !== undefined).sort((a, b) => a.days - b.days);
}

function forecastSystem(
  before: readonly Placed[],
  { partition, system }: Placed,
  days: number,
  now: number,
): FullForecast | undefined {
  const { uuid, kind, label, used, size } = system;
  const old = before.find((one) =>
    uuid === ''
      ? one.partition === partition && one.system.kind === kind && one.system.uuid === ''
      : one.system.uuid === uuid,
  );
  if (old?.system.used === undefined || used === undefined || size === undefined) return undefined;
  const rate = perDay(used - old.system.used, days);
  if (rate === undefined) return undefined;
  const name = label === '' ? kind : label;
  return forecast({ what: 'file-system', name, partition }, used, size, rate, now);
}

/** Undefined where it does not grow, or is full long after anybody plans, or already. */
function forecast(
  what: Pick<FullForecast, 'what' | 'name' | 'partition'>,
  now: number,
  limit: number,
  rate: number,
  moment: number,
): FullForecast | undefined {
  if (rate <= 0 || now >= limit) return undefined;
  const days = (limit - now) / rate;
  if (days > FURTHEST_DAYS) return undefined;
  return { ...what, now, limit, perDay: rate, days, at: moment + days * DAY };
}

/**
 * How large the file can become by what the guest writes: the whole disk with its tables, and what
 * snapshots and bitmaps hold besides. Bytes; undefined where it cannot grow, or cannot be told.
 */
export function largestFile({ info, survey }: DiagnosisFacts): number | undefined {
  const { virtualSize, clusterSize, qcow2, format } = info;
  if (format === 'raw' || virtualSize === 0) return undefined;
  const space = survey?.space;
  if (qcow2 === undefined || clusterSize === undefined) {
    return virtualSize + (space === undefined ? 0 : metadataBytes(space.metadata));
  }
  if (qcow2.dataFile !== undefined) return undefined;
  const whole = measureEmpty(
    {
      ...{ format: 'qcow2', version: qcow2.version, clusterSize, refcountBits: qcow2.refcountBits },
      ...{ extendedL2: qcow2.extendedL2, preallocated: false, hasBacking: false },
      luksOverhead: space?.metadata.crypto ?? 0,
    },
    BigInt(virtualSize),
  );
  const { snapshotOnly = 0, vmState = 0, shared = 0 } = space ?? {};
  const bitmaps = space?.metadata.bitmaps ?? 0;
  // What is shared with snapshots is written anew elsewhere: it stays, and comes once more.
  return Number(whole.fullyAllocated) + snapshotOnly + vmState + shared + bitmaps;
}
