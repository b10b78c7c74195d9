/** Rules: performance. In which order content lies, what is written twice, what is below. Bytes. */
import { MOST_PLACES, type DiagnosisFinding } from '../diagnosis.ts';
import type { DiagnosisFacts } from '../facts.ts';
import type { Found } from '../rule.ts';
import type { Partition } from '../../guest/partitions.ts';
import { GIB, isDamaged, keepPlaces, KIB, MIB, rewrite, sum, worth } from './worth.ts';

/** A hard disk takes about this for each jump; an SSD for a request of its own. Seconds. */
const HARD_DISK_JUMP = 0.008;
const SSD_JUMP = 0.0001;
/** Runs of this mean length are read at half the speed of a hard disk (125 MB/s) or better. */
const RUN_NOTE = MIB;
/**
 * A system that was installed once has runs of some hundred KiB. Shorter ones come from months of
 * writing, trimming and snapshots: a hard disk then jumps for five sixths of the time.
 */
const RUN_ADVICE = 192 * KIB;
const LEAST_FRAGMENTED = 256 * MIB;
const SHORT_SKIP = MIB;
const BACKWARD_SHARE = 0.1;
/** Less time on a hard disk than this is not worth a rewrite. Seconds. */
const LEAST_SECONDS = 60;

/** New content falls into pieces where free space is in pieces of at most this. */
const SMALL_GAP = MIB;
const MANY_GAPS = 1000;

/** Images in a chain: it becomes something to know of, and something to change. */
const DEEP_NOTE = 4;
const DEEP_ADVICE = 8;

/** Of stored content; and what besides it says that a machine writes to the disk. */
const PACKED_SHARE = 0.05;
const WRITTEN_BYTES = GIB;
const WRITTEN_SHARE = 0.2;

/** Blocks of file systems and sectors of disks of today. */
const SECTOR = 4 * KIB;
/** Boot and BIOS partitions are read once: they may begin anywhere. */
const LEAST_PARTITION = 64 * MIB;
const LEAST_MISALIGNED = GIB;
/** Partitions begin at multiples of 1 MiB: larger clusters are not asked to fit. */
const LARGEST_FITTING = MIB;
const EXTENDED_TYPES: readonly string[] = ['05', '0f', '85'];

export function judgePreallocated({
  info,
  survey,
}: DiagnosisFacts): Found<'preallocated'> | undefined {
  if (survey?.preallocation !== 'metadata') return undefined;
  const { virtualSize, fileSize } = info;
  return { grade: 'note', values: { virtualSize, fileSize } };
}

export function judgeFragmented(facts: DiagnosisFacts): Found<'fragmented'> | undefined {
  const { survey } = facts;
  const order = survey?.order;
  if (order === undefined || order.bytes < LEAST_FRAGMENTED || isDamaged(facts)) return undefined;
  // qemu-img counts each packed cluster, too. Gaps in the disk alone make no jump in the file.
  const packed = survey?.clusters?.compressed ?? 0;
  const jumps = Math.min(order.extents, Math.max(order.backward, order.fragmented - packed, 0));
  const meanRun = Math.round(order.bytes / (jumps + 1));
  if (meanRun > RUN_NOTE) return undefined;
  const hardDiskSeconds = jumps * HARD_DISK_JUMP;
  // Skipping what was trimmed goes on in the same direction, and disks read ahead.
  const isFar = order.backward >= jumps * BACKWARD_SHARE || order.travel >= jumps * SHORT_SKIP;
  const isMuch = meanRun <= RUN_ADVICE && hardDiskSeconds >= LEAST_SECONDS && isFar;
  return {
    grade: isMuch ? 'advice' : 'note',
    values: {
      ...{ share: order.fragmented / Math.max(1, order.allocated), bytes: order.bytes, jumps },
      ...{ jumpsPerGib: Math.round(jumps / (order.bytes / GIB)), meanRun, hardDiskSeconds },
      ...{ backward: order.backward / Math.max(1, jumps), ssdSeconds: jumps * SSD_JUMP },
    },
    remedies: rewrite(facts),
  };
}

export function judgeFreeGaps(facts: DiagnosisFacts): Found<'small-gaps'> | undefined {
  const { info, survey } = facts;
  const gaps = survey?.order?.gaps ?? [];
  const small = gaps.filter(({ upTo }) => upTo > 0 && upTo <= SMALL_GAP);
  const pieces = sum(small.map((gap) => gap.pieces));
  const bytes = sum(small.map((gap) => gap.bytes));
  const free = sum(gaps.map((gap) => gap.bytes));
  if (pieces < MANY_GAPS || bytes < free / 2 || isDamaged(facts)) return undefined;
  if (worth(bytes, info.fileSize) === undefined) return undefined;
  return {
    grade: 'note',
    values: { pieces, bytes, upTo: SMALL_GAP, free },
    remedies: [...rewrite(facts), ...keepPlaces(info.format)],
  };
}

export function judgeChainDepth({ chain }: DiagnosisFacts): Found<'deep-chain'> | undefined {
  if (chain.length < DEEP_NOTE) return undefined;
  const serves = chain.map((layer) => ({ name: layer.name, bytes: layer.serves }));
  const all = sum(serves.map(({ bytes }) => bytes));
  const own = serves[0]?.bytes ?? 0;
  return {
    grade: chain.length >= DEEP_ADVICE ? 'advice' : 'note',
    values: { layers: chain.length, below: all === 0 ? 0 : (all - own) / all, serves },
    remedies: [{ kind: 'flatten' }, { kind: 'commit' }],
  };
}

export function judgeCompressed({
  info,
  survey,
}: DiagnosisFacts): Found<'compressed-content'> | undefined {
  const { clusters, order, space } = survey ?? {};
  const { clusterSize } = info;
  if (clusters === undefined || space === undefined || clusterSize === undefined) return undefined;
  const content = clusters.compressed * clusterSize;
  const plain = clusters.normal * clusterSize;
  const share = content / Math.max(1, content + plain);
  const packed = space.compressed;
  const growth = content - packed;
  if (share < PACKED_SHARE || worth(growth, info.fileSize) === undefined) return undefined;
  // A conversion stores what does not pack as it is, in order. A machine writes out of order.
  const isWritten =
    plain >= WRITTEN_BYTES && 1 - share >= WRITTEN_SHARE && (order?.backward ?? 0) > 0;
  const options: Record<string, string> = {};
  if (info.backing !== undefined) options['backing_file'] = info.backing.name;
  return {
    grade: isWritten && worth(growth, info.fileSize) === 'advice' ? 'advice' : 'note',
    values: { content, packed, plain, share, growth },
    remedies: isWritten ? [{ kind: 'convert', format: info.format, options, compress: false }] : [],
  };
}

export function judgeAlignment(facts: DiagnosisFacts): Found<'partition-misaligned'> | undefined {
  const bad = partitionsOff(facts, SECTOR, LEAST_PARTITION);
  const [first] = bad;
  if (first === undefined) return undefined;
  const { clusters } = facts.survey ?? {};
  const written = (clusters?.normal ?? 0) * (facts.info.clusterSize ?? 0) >= GIB;
  return {
    grade: written ? 'advice' : 'note',
    values: { partitions: bad.length, first: first.number, start: first.start, sector: SECTOR },
    places: placesOf(bad),
  };
}

export function judgeClusterAlignment(
  facts: DiagnosisFacts,
): Found<'partition-off-clusters'> | undefined {
  const { clusterSize } = facts.info;
  if (clusterSize === undefined || clusterSize > LARGEST_FITTING) return undefined;
  // What does not even fit sectors has been told of.
  const bad = partitionsOff(facts, clusterSize, LEAST_MISALIGNED).filter(
    ({ start }) => start % SECTOR === 0,
  );
  const [first] = bad;
  return (
    first && {
      grade: 'note',
      values: { partitions: bad.length, first: first.number, start: first.start, clusterSize },
      places: placesOf(bad),
    }
  );
}

/** Partitions that do not begin at a multiple of `grain`, those too small to matter left out. */
function partitionsOff({ guest }: DiagnosisFacts, grain: number, least: number): Partition[] {
  // Discs that also start from a stick describe themselves with partitions that nobody writes to.
  if (guest?.table === undefined || guest.whole !== undefined) return [];
  const { scheme, partitions } = guest.table;
  return partitions.filter(({ start, length, type }) => {
    const isContainer = scheme === 'mbr' && EXTENDED_TYPES.includes(type);
    return length >= least && !isContainer && start % grain !== 0;
  });
}

function placesOf(partitions: readonly Partition[]): DiagnosisFinding['places'] {
  return partitions
    .slice(0, MOST_PLACES)
    .map(({ start, length }) => ({ guest: { offset: start, length } }));
}

/** What snapshots still share has to be copied once, cluster by cluster, as it is written. */
export function judgeCopies({
  info,
  survey,
}: DiagnosisFacts): Found<'first-write-copies'> | undefined {
  const shared = survey?.space.shared ?? 0;
  const { clusterSize, qcow2 } = info;
  if (clusterSize === undefined || worth(shared, info.fileSize) === undefined) return undefined;
  const unit = qcow2?.extendedL2 === true ? clusterSize / 32 : clusterSize;
  // A guest writes blocks of 4 KiB: smaller clusters copy nothing besides.
  if (unit <= SECTOR) return undefined;
  return {
    grade: 'note',
    values: {
      ...{ shared, clusters: Math.ceil(shared / clusterSize), clusterSize },
      factor: unit / SECTOR,
    },
  };
}
