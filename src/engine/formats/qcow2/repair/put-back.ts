/** Putting lost tables back where there is evidence that they belong. */
import { divideRoundUp, isAligned } from '../../../binary/units.ts';
import { wordsToBytes } from '../edit/words.ts';
import { COPIED_HIGH, entryOffset, readTable, type Table } from '../tables.ts';
import { setOffset, type Layer, type RepairJob } from './job.ts';
import { keepLostTables } from './lost-and-found.ts';
import { searchLost, type LostTable, type LostTables } from './lost-tables.ts';
import { targetsOf } from './likeness.ts';
import { extentOf, labelOf } from './snapshot-list.ts';
import { dropSnapshot, type Broken } from './snapshots.ts';

/**
 * Looks for lost tables. Where a place cannot be read, they are put back into it; where it reads as
 * empty, only when that is asked for. Those that are left get a snapshot of their own, so that
 * nothing of them is given up, or are remembered in the job, so that nobody frees them unasked.
 * @param broken snapshots without a readable L1 table
 * @returns whether something was put back: the survey is to begin again
 */
export async function rescueTables(job: RepairJob, broken: readonly Broken[]): Promise<boolean> {
  if (!job.doubt) {
    for (const entry of broken) dropSnapshot(job, entry);
    return false;
  }
  const found = await searchLost(job);
  let again = false;
  for (const entry of broken) {
    if (putBackL1(job, entry, found)) again = true;
    else dropSnapshot(job, entry);
  }
  if (again) return true;
  for (const layer of job.layers) {
    if (layer.index < 0 && (await putBackActive(job, layer, found))) return true;
    if (await putBackTables(job, layer, found)) return true;
  }
  if (found.l2.length === 0) return false;
  if (await keepLostTables(job, found)) return true;
  for (const { cluster, words } of found.l2) {
    job.lost.add(cluster);
    for (const target of targetsOf(job, words)) job.lost.add(target);
  }
  return false;
}

/** A snapshot whose L1 pointer is damaged: the one table that fits, where there is only one. */
function putBackL1(job: RepairJob, entry: Broken, found: LostTables): boolean {
  const { log, clusterSize, snapshots } = job;
  const { l2Coverage } = job.image.header;
  const size = divideRoundUp(extentOf(entry, job.image.size, l2Coverage), l2Coverage);
  const near = Math.floor(entry.fixed.l1TableOffset / clusterSize);
  const fits = found.l1.filter(({ words }) => lastEntry(words) < Math.max(size, 1));
  const best =
    fits.find(({ cluster }) => cluster === near) ?? (fits.length === 1 ? fits[0] : undefined);
  if (best === undefined || size * 8 > clusterSize) return false;
  const host = { offset: best.cluster * clusterSize, length: size * 8 };
  const snapshot = labelOf(entry);
  if (!log.add({ kind: 'put-back-l1', class: 'guess', host, snapshot })) return false;
  entry.fixed.l1TableOffset = host.offset;
  entry.fixed.l1Size = size;
  snapshots.changed = true;
  job.recovered.push({ snapshot, offset: 0, length: size * l2Coverage });
  found.l1.splice(found.l1.indexOf(best), 1);
  return true;
}

function lastEntry(words: Table): number {
  let last = words.length - 1;
  while (last >= 0 && words[last] === 0) last--;
  return Math.floor(last / 2);
}

/** The active L1 table is not in the file: the one table that fits. */
async function putBackActive(job: RepairJob, layer: Layer, found: LostTables): Promise<boolean> {
  const { log, clusterSize, fileSize, image } = job;
  if (layer.offset < fileSize || layer.size * 8 > clusterSize) return false;
  const fits = found.l1.filter(({ words }) => lastEntry(words) < layer.size);
  const [best] = fits;
  if (best === undefined || fits.length !== 1) return false;
  const host = { offset: best.cluster * clusterSize, length: layer.size * 8 };
  if (!log.recovers) return false;
  if (!log.add({ kind: 'put-back-l1', class: 'guess', host })) return false;
  await job.patchHeader({ l1TableOffset: host.offset });
  const length = layer.size * image.header.l2Coverage;
  job.recovered.push({ snapshot: '', offset: 0, length });
  return true;
}

/** L2 tables of one layer. */
async function putBackTables(job: RepairJob, layer: Layer, found: LostTables): Promise<boolean> {
  if (found.l2.length === 0 || layer.moves) return false;
  const { log, clusterSize, image, storage } = job;
  const { l2Coverage } = image.header;
  const l1 = await job.readL1(layer);
  const slots = slotsOf(job, l1, layer);
  const pairs = await matchTables(job, layer, slots, found.l2);
  let changed = false;
  for (const [slot, lost] of pairs) {
    const host = { offset: lost.cluster * clusterSize, length: clusterSize };
    const guest = { offset: slot.index * l2Coverage, length: l2Coverage };
    // What reads as empty now is left alone, unless it is asked for.
    if (slot.readsEmpty && !log.recovers) continue;
    const action = {
      kind: 'put-back-l2',
      class: 'guess',
      host,
      guest,
      snapshot: layer.name,
    } as const;
    if (!log.add({ ...action, values: { index: slot.index } })) continue;
    setOffset(l1, slot.index, host.offset, layer.index < 0 ? COPIED_HIGH : 0);
    job.recovered.push({ snapshot: layer.name, ...guest });
    found.l2.splice(found.l2.indexOf(lost), 1);
    changed = true;
  }
  if (changed) await storage.write(layer.offset, wordsToBytes(l1));
  return changed;
}

interface Slot {
  readonly index: number;
  /** It reads as empty; otherwise it cannot be read. */
  readonly readsEmpty: boolean;
  readonly isZero: boolean;
}

function slotsOf(job: RepairJob, l1: Table, layer: Layer): Slot[] {
  const { clusterSize, fileSize, image } = job;
  const slots: Slot[] = [];
  const needed = divideRoundUp(image.size, image.header.l2Coverage);
  for (let index = 0; index < l1.length / 2; index++) {
    const offset = entryOffset(l1[index * 2] as number, l1[index * 2 + 1] as number);
    const isZero = offset === 0;
    if (isZero && (layer.index >= 0 || index >= needed)) continue;
    const unaligned = !isAligned(offset, clusterSize);
    if (isZero || unaligned || offset >= fileSize) {
      slots.push({ index, readsEmpty: !unaligned, isZero });
    }
  }
  return slots;
}

/** Which lost table belongs where, as far as there is evidence. */
async function matchTables(
  job: RepairJob,
  layer: Layer,
  slots: readonly Slot[],
  lost: readonly LostTable[],
): Promise<[Slot, LostTable][]> {
  const pairs: [Slot, LostTable][] = [];
  const free = new Set(lost);
  const open = new Set(slots);
  // A table of another layer for the same place, with the same entries, says it clearly.
  for (const other of job.layers) {
    if (other === layer) continue;
    const l1 = await job.readL1(other);
    for (const slot of [...open]) {
      const twin = await tableAt(job, l1, slot.index);
      if (twin === undefined) continue;
      const best = [...lost].find((one) => resemblance(one.words, twin) > 0);
      if (best === undefined) continue;
      pairs.push([slot, best]);
      open.delete(slot);
      free.delete(best);
    }
  }
  const damaged = [...open].filter(({ isZero }) => !isZero);
  const rest = [...free];
  const zeros = [...open].filter(({ isZero }) => isZero);
  // As many tables as there are places for them; tables are made in the order of the disk.
  const places = damaged.length === rest.length ? damaged : zeros;
  const fits =
    places.length === rest.length && (damaged.length === rest.length || damaged.length === 0);
  if (fits && rest.length > 0 && fitsDisk(job, places, rest)) {
    for (const [at, slot] of places.entries()) {
      const table = rest[at];
      if (table !== undefined) pairs.push([slot, table]);
    }
  }
  return pairs;
}

async function tableAt(job: RepairJob, l1: Table, index: number): Promise<Table | undefined> {
  const offset = entryOffset(l1[index * 2] ?? 0, l1[index * 2 + 1] ?? 0);
  if (offset === 0 || !isAligned(offset, job.clusterSize) || offset >= job.fileSize)
    return undefined;
  return readTable(job.storage, offset, job.clusterSize / 8);
}

/** How many entries lead to the same cluster from the same place. */
function resemblance(a: Table, b: Table): number {
  let same = 0;
  for (let at = 0; at < a.length; at += 2) {
    const offset = entryOffset(a[at] as number, a[at + 1] as number);
    if (offset !== 0 && offset === entryOffset(b[at] as number, b[at + 1] as number)) same += 1;
  }
  return same;
}

/** The table for the end of the disk has nothing behind it. */
function fitsDisk(job: RepairJob, places: readonly Slot[], tables: readonly LostTable[]): boolean {
  const { l2Coverage, l2Entries } = job.image.header;
  const wordsOfEntry = job.clusterSize / l2Entries / 4;
  return places.every(({ index }, at) => {
    const covered = job.image.size - index * l2Coverage;
    const most = divideRoundUp(Math.min(covered, l2Coverage), job.clusterSize);
    const words = tables[at]?.words;
    if (words === undefined) return false;
    for (let word = most * wordsOfEntry; word < words.length; word++) {
      if (words[word] !== 0) return false;
    }
    return true;
  });
}
