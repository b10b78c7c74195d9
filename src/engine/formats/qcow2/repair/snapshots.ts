/** Mending the snapshot table, and saying which L1 tables there are. Specification: «Snapshots». */
import { alignUp, divideRoundUp, isAligned } from '../../../binary/units.ts';
import { LIMITS } from '../layout.ts';
import { entryOffset } from '../tables.ts';
import type { Layer, RepairJob } from './job.ts';
import { completeExtra, extentOf, labelOf, type RawSnapshot } from './snapshot-list.ts';

const MAX_L1_ENTRIES = LIMITS.l1Bytes / 8;
const EXTRA_NEEDED = 16;

/** Snapshots whose L1 table is at no place that can be read. */
export type Broken = RawSnapshot;

/**
 * Mends the entries and makes the layers of those that have an L1 table. What is left over is
 * returned: it can be looked for, or be dropped.
 */
export async function mendSnapshots(job: RepairJob): Promise<Broken[]> {
  const { header } = job.image;
  const { log, snapshots } = job;
  job.layers.push({
    index: -1,
    name: '',
    offset: header.l1TableOffset,
    size: header.l1Size,
    moves: false,
    held: new Set(),
  });
  // A place of no snapshots still has to be a place, or the header is refused.
  if (header.snapshotCount === 0 && !isAligned(header.snapshotsOffset, job.clusterSize)) {
    const values = { field: 'snapshotsOffset', from: header.snapshotsOffset, to: 0 };
    const host = { offset: 64, length: 8 };
    if (log.add({ kind: 'header-field', class: 'safe', host, values })) {
      await job.patchHeader({ snapshotsOffset: 0 });
    }
  }
  if (snapshots.overhang > 0) {
    job.doubt = true;
    const host = { offset: header.snapshotsOffset, length: job.clusterSize };
    const values = { count: snapshots.overhang };
    const loses = 'unreadable';
    if (log.add({ kind: 'snapshot-dropped', class: 'loses-data', loses, host, values })) {
      snapshots.changed = true;
    }
  }
  const broken: Broken[] = [];
  for (const entry of [...snapshots.entries]) mendEntry(job, entry, broken);
  for (const layer of job.layers) await cutSurplus(job, layer);
  return broken;
}

/**
 * Entries of an L1 table behind what its disk and machine state need, where they are no entries: a
 * wrong length makes whatever follows a part of the table.
 */
async function cutSurplus(job: RepairJob, layer: Layer): Promise<void> {
  const { clusterSize, fileSize, image, log, snapshots } = job;
  const { l2Coverage } = image.header;
  const entry = snapshots.entries[layer.index];
  const extent = entry === undefined ? image.size : extentOf(entry, image.size, l2Coverage);
  const needed = Math.max(1, divideRoundUp(extent, l2Coverage));
  if (layer.size <= needed) return;
  const words = await job.readL1(layer);
  let isSound = layer.offset + layer.size * 8 - fileSize < clusterSize;
  for (let at = needed * 2; isSound && at < words.length; at += 2) {
    const high = words[at] as number;
    const low = words[at + 1] as number;
    const offset = entryOffset(high, low);
    const isPure = (high & 0x7f000000) === 0 && (low & 0x1ff) === 0;
    isSound = isPure && isAligned(offset, clusterSize) && offset < fileSize;
  }
  if (isSound) return;
  const values = { field: 'l1Size', from: layer.size, to: needed };
  const host = { offset: layer.offset, length: layer.size * 8 };
  job.doubt = true;
  const kind = entry === undefined ? 'header-field' : 'snapshot-l1-resized';
  if (!log.add({ kind, class: 'guess', host, snapshot: layer.name, values })) return;
  layer.size = needed;
  if (entry === undefined) {
    await job.patchHeader({ l1Size: needed });
    return;
  }
  entry.fixed.l1Size = needed;
  snapshots.changed = true;
}

/** Drops a snapshot of which nothing can be read. */
export function dropSnapshot(job: RepairJob, entry: RawSnapshot): void {
  const { snapshots, log } = job;
  const action = { kind: 'snapshot-dropped', class: 'loses-data', loses: 'unreadable' } as const;
  if (!log.add({ ...action, snapshot: labelOf(entry), values: { count: 1 } })) return;
  snapshots.entries.splice(snapshots.entries.indexOf(entry), 1);
  snapshots.changed = true;
}

function mendEntry(job: RepairJob, entry: RawSnapshot, broken: Broken[]): void {
  const { log, snapshots, clusterSize } = job;
  const { header } = job.image;
  const { fixed } = entry;
  const isEmpty = fixed.l1TableOffset === 0 && fixed.l1Size === 0;
  if (isEmpty && entry.id.length === 0 && entry.name.length === 0) {
    job.doubt = true;
    dropSnapshot(job, entry);
    return;
  }
  const snapshot = labelOf(entry);
  if (fixed.extraDataSize > entry.extra.length) {
    if (log.add({ kind: 'snapshot-extra-cut', class: 'guess', snapshot })) snapshots.changed = true;
  } else if (header.version >= 3 && entry.extra.length < EXTRA_NEEDED) {
    if (log.add({ kind: 'snapshot-incomplete', class: 'safe', snapshot })) {
      completeExtra(entry, job.image.size);
      snapshots.changed = true;
    }
  }
  if (!isAligned(fixed.l1TableOffset, clusterSize) || fixed.l1TableOffset >= 2 ** 53) {
    job.doubt = true;
    broken.push(entry);
    return;
  }
  if (fixed.l1Size > MAX_L1_ENTRIES && !resizeL1(job, entry)) {
    job.doubt = true;
    return;
  }
  job.layers.push(layerOf(job, entry));
}

/** An impossible length of the L1 table: as long as the snapshot's disk needs it. */
function resizeL1(job: RepairJob, entry: RawSnapshot): boolean {
  const { l2Coverage } = job.image.header;
  const size = divideRoundUp(extentOf(entry, job.image.size, l2Coverage), l2Coverage);
  if (size > MAX_L1_ENTRIES) return false;
  const values = { from: entry.fixed.l1Size, to: size };
  const action = { kind: 'snapshot-l1-resized', class: 'guess', snapshot: labelOf(entry) } as const;
  if (!job.log.add({ ...action, values })) return false;
  entry.fixed.l1Size = size;
  job.snapshots.changed = true;
  return true;
}

export function layerOf(job: RepairJob, entry: RawSnapshot): Layer {
  return {
    index: job.snapshots.entries.indexOf(entry),
    name: labelOf(entry),
    offset: entry.fixed.l1TableOffset,
    size: entry.fixed.l1Size,
    moves: false,
    held: new Set(),
  };
}

/** Writes the table again, where anything of it has changed, at a place of its own. */
export async function writeSnapshots(job: RepairJob, moves: boolean): Promise<void> {
  const { snapshots, log, storage, clusterSize } = job;
  const { header } = job.image;
  if (moves && snapshots.entries.length > 0) {
    const host = { offset: header.snapshotsOffset, length: snapshots.size };
    if (log.add({ kind: 'snapshot-table-rewritten', class: 'guess', host })) {
      snapshots.changed = true;
    }
  }
  if (!snapshots.changed) return;
  const bytes = snapshots.serialize();
  if (bytes.length === 0) {
    await job.patchHeader({ snapshotCount: 0, snapshotsOffset: 0 });
    return;
  }
  const fitsInPlace = !moves && snapshots.isReadable && bytes.length <= snapshots.size;
  const offset = fitsInPlace
    ? header.snapshotsOffset
    : job.allocate(divideRoundUp(bytes.length, clusterSize));
  await storage.write(offset, bytes);
  // The file must not end before the table does, to the byte: padding is part of the last entry.
  const end = offset + alignUp(bytes.length, 8);
  if (end > storage.size) await storage.resize(end);
  await job.patchHeader({
    snapshotCount: snapshots.entries.length,
    snapshotsOffset: offset,
  });
}
