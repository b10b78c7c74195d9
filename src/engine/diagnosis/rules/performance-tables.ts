/** Rules: performance. Cluster size, tables, and QEMU's caches of them. Bytes. */
import type { Remedy } from '../diagnosis.ts';
import type { DiagnosisFacts } from '../facts.ts';
import type { Found } from '../rule.ts';
import {
  coveredBy,
  entryBytes,
  l2Bytes,
  l2CacheLines,
  LINUX_CACHE,
  OTHER_CACHE,
  REFCOUNT_CACHE_CLUSTERS,
  sizeOption,
} from './caches.ts';
import { GIB, KIB, MIB, worth } from './worth.ts';

/** QEMU's default. Smaller clusters make tables large, and files fall into pieces. */
const USUAL_CLUSTER = 64 * KIB;
/** On a smaller disk even small clusters have small tables. */
const LARGE_DISK = 16 * GIB;
/** From so much content on, a change is worth it. */
const MUCH_CONTENT = GIB;
/** From here on, copying a whole cluster for a small write is felt. */
const LARGE_CLUSTER = 256 * KIB;
const SUBCLUSTERS = 32;
/** Tables may be larger by this before it is odd. */
const ODD_TABLES = 16 * MIB;

/** A qcow2 with clusters, and what its L2 entries take. */
function tablesOf({ info, survey }: DiagnosisFacts) {
  const { qcow2, clusterSize } = info;
  if (qcow2 === undefined || clusterSize === undefined) return undefined;
  const entry = entryBytes(qcow2.extendedL2);
  const content = survey?.clusters;
  const written = content === undefined ? 0 : (content.normal + content.compressed) * clusterSize;
  return {
    qcow2,
    clusterSize,
    entry,
    written,
    needed: l2Bytes(info.virtualSize, clusterSize, entry),
  };
}

export function judgeClusterSize(facts: DiagnosisFacts): Found<'small-clusters'> | undefined {
  const tables = tablesOf(facts);
  const { virtualSize, snapshots, backing } = facts.info;
  if (tables === undefined || virtualSize < LARGE_DISK) return undefined;
  const { clusterSize, entry, written, needed } = tables;
  if (clusterSize >= USUAL_CLUSTER) return undefined;
  const better = USUAL_CLUSTER;
  const options: Record<string, string> = { cluster_size: '65536' };
  if (backing !== undefined) {
    // Without it, a conversion would take in what is below.
    options['backing_file'] = backing.name;
    if (backing.format !== '') options['backing_fmt'] = backing.format;
  }
  return {
    grade: written >= MUCH_CONTENT ? 'advice' : 'note',
    values: {
      ...{ clusterSize, better, virtualSize, tables: needed, snapshots: snapshots.length },
      tablesBetter: l2Bytes(virtualSize, better, entry),
    },
    remedies: [{ kind: 'convert', format: 'qcow2', options, compress: false }],
  };
}

export function judgeL2Cache(facts: DiagnosisFacts): Found<'l2-cache-short'> | undefined {
  const tables = tablesOf(facts);
  if (tables === undefined) return undefined;
  const { clusterSize, entry, needed } = tables;
  // Tables that are not there need no room in a cache: a thin disk is slow only once it is filled.
  const stored = facts.survey?.space.metadata.l2 ?? 0;
  const isShort = needed > LINUX_CACHE;
  const covered = coveredBy(LINUX_CACHE, clusterSize, entry);
  // Where they were laid out in advance, what the file takes tells how much there is to look up.
  const { allocatedSize = Infinity } = facts.info;
  const isAhead = facts.survey?.preallocation === 'metadata' && allocatedSize <= covered;
  if (!isShort && Math.min(needed, stored) <= OTHER_CACHE) return undefined;
  return {
    grade: isShort && stored > LINUX_CACHE && !isAhead ? 'advice' : 'note',
    values: {
      ...{ clusterSize, virtualSize: facts.info.virtualSize, needed, stored },
      covered,
      coveredElsewhere: coveredBy(OTHER_CACHE, clusterSize, entry),
    },
    remedies: [{ kind: 'paste', lines: l2CacheLines(needed, clusterSize) }],
  };
}

/** The images below have caches of their own, which have to be named one by one. */
export function judgeChainCaches({
  chain,
}: DiagnosisFacts): Found<'chain-caches-short'> | undefined {
  const layers = chain.map((layer) => {
    const isQcow2 = layer.format === 'qcow2' && layer.clusterSize > 0;
    const { virtualSize, clusterSize, serves } = layer;
    // Whether its entries are extended is not known from above: the usual ones are counted.
    const needed = isQcow2 ? l2Bytes(virtualSize, clusterSize, entryBytes(false)) : 0;
    const used = isQcow2 ? (serves / clusterSize) * entryBytes(false) : 0;
    return { needed, used };
  });
  const options: string[] = [];
  let isFelt = false;
  for (const [depth, { needed, used }] of layers.entries()) {
    // The first image has a finding of its own; it is in the line for the whole to be pasted.
    if (needed <= LINUX_CACHE) continue;
    options.push(`${'backing.'.repeat(depth)}l2-cache-size=${sizeOption(needed)}`);
    isFelt ||= depth > 0 && used > LINUX_CACHE;
  }
  const below = layers.slice(1).filter(({ needed }) => needed > LINUX_CACHE);
  if (below.length === 0) return undefined;
  return {
    grade: isFelt ? 'advice' : 'note',
    values: {
      ...{ layers: chain.length, short: below.length },
      needed: layers.reduce((total, { needed }) => total + needed, 0),
    },
    remedies: [
      { kind: 'paste', lines: [`-drive file=FILE,format=qcow2,${options.join(',')}`] },
      { kind: 'flatten' },
    ],
  };
}

export function judgeExtendedL2(facts: DiagnosisFacts): Found<'whole-clusters-copied'> | undefined {
  const tables = tablesOf(facts);
  const { info, survey } = facts;
  if (tables === undefined || tables.qcow2.extendedL2) return undefined;
  const { clusterSize, written } = tables;
  if (clusterSize < LARGE_CLUSTER) return undefined;
  const shared = survey?.space.shared ?? 0;
  const isShared = worth(shared, info.fileSize) !== undefined;
  if (info.backing === undefined && !isShared) return undefined;
  const backing = info.backing?.name ?? '';
  const options: Record<string, string> = { extended_l2: 'on', cluster_size: String(clusterSize) };
  if (info.backing !== undefined) {
    options['backing_file'] = backing;
    if (info.backing.format !== '') options['backing_fmt'] = info.backing.format;
  }
  // Snapshots do not survive a conversion: with them it is good to know, and for the next image.
  const canConvert = info.snapshots.length === 0;
  const remedies: Remedy[] = canConvert
    ? [{ kind: 'convert', format: 'qcow2', options, compress: false }]
    : [];
  return {
    grade: canConvert && written >= MUCH_CONTENT ? 'advice' : 'note',
    values: { clusterSize, subclusterSize: clusterSize / SUBCLUSTERS, backing, shared },
    remedies,
  };
}

export function judgeExtendedL2Cost(facts: DiagnosisFacts): Found<'extended-l2-costs'> | undefined {
  const tables = tablesOf(facts);
  const { info } = facts;
  if (tables === undefined || !tables.qcow2.extendedL2) return undefined;
  // With something to copy from, subclusters are worth their tables.
  if (info.backing !== undefined || info.snapshots.length > 0) return undefined;
  const tablesStandard = l2Bytes(info.virtualSize, tables.clusterSize, entryBytes(false));
  if (tables.needed - tablesStandard < ODD_TABLES) return undefined;
  return { grade: 'note', values: { tables: tables.needed, tablesStandard } };
}

/** Refcounts are looked up for snapshots; without them they are written in order. */
export function judgeRefcountCache(
  facts: DiagnosisFacts,
): Found<'refcount-cache-short'> | undefined {
  const tables = tablesOf(facts);
  const { fileSize, snapshots } = facts.info;
  if (tables === undefined || snapshots.length === 0) return undefined;
  const { clusterSize, qcow2 } = tables;
  const perCluster = (clusterSize * 8) / qcow2.refcountBits;
  const covered = REFCOUNT_CACHE_CLUSTERS * perCluster * clusterSize;
  if (fileSize <= covered) return undefined;
  const needed = Math.ceil(fileSize / (perCluster * clusterSize)) * clusterSize;
  const line = `-drive file=FILE,format=qcow2,refcount-cache-size=${sizeOption(needed)}`;
  return {
    grade: 'note',
    values: { fileSize, covered, needed, snapshots: snapshots.length },
    remedies: [{ kind: 'paste', lines: [line] }],
  };
}

export function judgeRefcountWidth(facts: DiagnosisFacts): Found<'wide-refcounts'> | undefined {
  const tables = tablesOf(facts);
  if (tables === undefined) return undefined;
  const bits = tables.qcow2.refcountBits;
  const clusters = Math.ceil(facts.info.fileSize / tables.clusterSize);
  const bytes = (clusters * bits) / 8;
  const bytesWith16 = clusters * 2;
  if (bits <= 16 || bytes - bytesWith16 < ODD_TABLES) return undefined;
  return {
    grade: 'note',
    values: { bits, bytes, bytesWith16 },
    remedies: [{ kind: 'amend', options: { refcount_bits: '16' } }],
  };
}

export function judgeLazyRefcounts({
  info,
  survey,
}: DiagnosisFacts): Found<'lazy-refcounts'> | undefined {
  if (info.qcow2?.lazyRefcounts !== true) return undefined;
  return {
    grade: 'note',
    values: { tables: survey?.space.metadata.l2 ?? 0 },
    remedies: [{ kind: 'amend', options: { lazy_refcounts: 'off' } }],
  };
}
