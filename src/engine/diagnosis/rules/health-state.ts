/** Rules: in which state an image is, which limits it comes near, and what reading it showed. */
import { MOST_PLACES } from '../diagnosis.ts';
import type { DiagnosisFacts } from '../facts.ts';
import type { Found, Rules } from '../rule.ts';
import type { Qcow2Info } from '../../operations/image-info.ts';
import { LIMITS } from '../../formats/qcow2/layout.ts';
import { placesOf, repairOf, seen } from './health-findings.ts';

/** Sizes in bytes. */
export interface StateValues {
  'in-use': { name: string };
  /** `behind`: clusters whose counts have to catch up. */
  'not-closed': { isLazy: boolean; behind: number };
  /** `corruptions`: what a check finds now. */
  'marked-corrupt': { corruptions: number };
  /** By name where the image gives one, else as `bit 7`. */
  'unknown-features': { features: string[] };
  /** Empty where their list was not read: nothing says any more that it is true. */
  'bitmaps-stale': { bitmaps: string[] };
  'bitmaps-in-use': { bitmaps: string[] };
  /** `most`: so many snapshots are possible in all. */
  'snapshots-left': { snapshots: number; left: number; most: number; bits: number };
  /** `most`: no disk with such clusters can be larger. */
  'size-limit': { size: number; most: number; clusterSize: number; better: number };
  'file-limit': { size: number; most: number; clusterSize: number; bits: number };
  'old-version': { compat: string };
  /** `bytes`: so much more will be taken when the disk is full. */
  'room-needed': { bytes: number; taken: number; size: number };
  'packed-broken': { clusters: number; of: number };
  'content-unreadable': { bytes: number };
}

const GIB = 2 ** 30;
/** From this share of a limit on, it is spoken of. */
const NEAR = 0.8;
/** Of a limit on snapshots. */
const NEAR_SNAPSHOTS = 0.9;
/** A disk that grows by less surprises nobody. */
const SURPRISING_GROWTH = 100 * GIB;
const GROWING = ['parallels', 'qcow', 'qcow2', 'qed', 'vdi', 'vhdx', 'vmdk', 'vpc'];

export const STATE_RULES: Rules<StateValues> = {
  'in-use': ({ changedMeanwhile, info }) =>
    changedMeanwhile ? { grade: 'problem', values: { name: info.name } } : undefined,
  'not-closed': notClosed,
  'marked-corrupt': (facts) => {
    const { info, check } = facts;
    const { count, findings } = seen(facts, 'marked-corrupt');
    if (info.qcow2?.corrupt !== true && count === 0) return undefined;
    const corruptions = check?.corruptions ?? 0;
    return {
      grade: corruptions > 0 || check === undefined ? 'danger' : 'problem',
      values: { corruptions },
      places: placesOf(findings),
      remedies: [{ kind: 'repair' }],
    };
  },
  'unknown-features': ({ info: { qcow2 } }) => {
    const unknown = (qcow2?.features ?? []).filter(({ set, known }) => {
      return set === 'incompatible' && !known;
    });
    if (unknown.length === 0) return undefined;
    const features = unknown.map(({ name, bit }) => (name === '' ? `bit ${bit}` : name));
    return { grade: 'problem', values: { features } };
  },
  'bitmaps-stale': ({ info: { qcow2 } }) => {
    if (qcow2?.bitmapsInconsistent !== true) return undefined;
    const bitmaps = qcow2.bitmaps.map(({ name }) => name);
    return { grade: 'advice', values: { bitmaps }, remedies: bitmaps.map(without) };
  },
  'bitmaps-in-use': ({ info: { qcow2 } }) => {
    // Then none of them counts, in use or not.
    if (qcow2 === undefined || qcow2.bitmapsInconsistent) return undefined;
    const inUse = qcow2.bitmaps.filter(({ flags }) => flags.includes('in-use'));
    if (inUse.length === 0) return undefined;
    const bitmaps = inUse.map(({ name }) => name);
    return { grade: 'advice', values: { bitmaps }, remedies: bitmaps.map(without) };
  },
  'snapshots-left': snapshotsLeft,
  'size-limit': ({ info }) => {
    const { qcow2, clusterSize = 0, virtualSize: size } = info;
    if (qcow2 === undefined || clusterSize === 0) return undefined;
    const most = mostOfDisk(clusterSize, qcow2);
    if (size < most * NEAR) return undefined;
    const better = betterCluster(size, qcow2);
    const options = { cluster_size: String(better) };
    return {
      grade: 'advice',
      values: { size, most, clusterSize, better },
      remedies: [{ kind: 'convert', format: 'qcow2', options, compress: false }],
    };
  },
  'file-limit': ({ info }) => {
    const { qcow2, clusterSize = 0, fileSize: size } = info;
    if (qcow2 === undefined || clusterSize === 0) return undefined;
    const { refcountBits: bits } = qcow2;
    const most = (LIMITS.refcountTableBytes / 8) * ((clusterSize * 8) / bits) * clusterSize;
    if (size < most * NEAR) return undefined;
    const options = { cluster_size: String(Math.max(65536, clusterSize * 2)) };
    return {
      grade: 'advice',
      values: { size, most, clusterSize, bits },
      remedies: [{ kind: 'convert', format: 'qcow2', options, compress: false }],
    };
  },
  'old-version': ({ info: { qcow2 } }) => {
    if (qcow2?.version !== 2) return undefined;
    return {
      grade: 'note',
      values: { compat: qcow2.compat },
      remedies: [{ kind: 'amend', options: { compat: '1.1' } }],
    };
  },
  'room-needed': ({ info }) => {
    const { format, virtualSize: size, fileSize, allocatedSize } = info;
    const taken = allocatedSize ?? fileSize;
    const bytes = size - taken;
    if (!GROWING.includes(format) || bytes < SURPRISING_GROWTH) return undefined;
    return { grade: 'note', values: { bytes, taken, size } };
  },
  'packed-broken': ({ deep }) => {
    if (deep === undefined || deep.brokenPacked === 0) return undefined;
    return {
      grade: 'danger',
      values: { clusters: deep.brokenPacked, of: deep.packedClusters },
      places: deep.brokenPlaces.slice(0, MOST_PLACES).map((guest) => ({ guest })),
    };
  },
  'content-unreadable': ({ deep }) => {
    if (deep === undefined || deep.unreadable === 0) return undefined;
    return {
      grade: 'danger',
      values: { bytes: deep.unreadable },
      places: deep.unreadablePlaces.slice(0, MOST_PLACES).map((guest) => ({ guest })),
    };
  },
};

/** qcow2 says so in its header, other formats in a finding or in what they say of themselves. */
function notClosed(facts: DiagnosisFacts): Found<'not-closed'> | undefined {
  const { qcow2, description } = facts.info;
  const { count, findings } = seen(facts, 'not-closed');
  const isDirty = qcow2?.dirty === true || description?.dirty === true || count > 0;
  // A log that was not replayed says the same with more to it.
  if (!isDirty || seen(facts, 'log-pending').count > 0) return undefined;
  const isLazy = qcow2?.dirty === true && qcow2.lazyRefcounts;
  const { 'refcount-low': low = 0, 'refcount-zero': zero = 0 } = facts.check?.findingCounts ?? {};
  const behind = isLazy ? low + zero : 0;
  return {
    grade: isLazy && behind === 0 ? 'advice' : 'problem',
    values: { isLazy, behind },
    remedies: qcow2?.dirty === true ? [{ kind: 'repair' }] : repairOf(findings),
  };
}

function without(name: string) {
  return { kind: 'delete-bitmap', name } as const;
}

/** A cluster that all snapshots share is counted once for each, and once for the disk itself. */
function snapshotsLeft({ info }: DiagnosisFacts): Found<'snapshots-left'> | undefined {
  // With a data file there are none, however wide the counts are.
  if (info.qcow2 === undefined || info.qcow2.dataFile !== undefined) return undefined;
  const { refcountBits: bits } = info.qcow2;
  const most = Math.min(LIMITS.snapshots, 2 ** bits - 2);
  const snapshots = info.snapshots.length;
  const left = Math.max(0, most - snapshots);
  if (most > 0 && (snapshots === 0 || snapshots < most * NEAR_SNAPSHOTS)) return undefined;
  const remedies = [{ kind: 'amend', options: { refcount_bits: '16' } } as const];
  return {
    grade: 'advice',
    values: { snapshots, left, most, bits },
    remedies: bits < 16 ? remedies : [],
  };
}

/** What an L1 table of the largest size maps, bytes. */
function mostOfDisk(clusterSize: number, { extendedL2 }: Qcow2Info): number {
  return (LIMITS.l1Bytes / 8) * (clusterSize / (extendedL2 ? 16 : 8)) * clusterSize;
}

/** The smallest clusters with which a disk could still grow to four times its size. */
function betterCluster(size: number, qcow2: Qcow2Info): number {
  let cluster = 65536;
  while (cluster < 2 ** LIMITS.maxClusterBits && mostOfDisk(cluster, qcow2) < size * 4) {
    cluster *= 2;
  }
  return cluster;
}
