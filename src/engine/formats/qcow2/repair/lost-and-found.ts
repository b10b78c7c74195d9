/**
 * Lost tables that belong nowhere for certain get a snapshot of their own: no layer reads otherwise
 * than before, the clusters are in use again, and whoever knows more can look at what is in them.
 */
import { divideRoundUp } from '../../../binary/units.ts';
import { wordsToBytes } from '../edit/words.ts';
import { LIMITS } from '../layout.ts';
import { entryOffset } from '../tables.ts';
import { setOffset, type RepairJob } from './job.ts';
import { targetsOf } from './likeness.ts';
import type { LostTable, LostTables } from './lost-tables.ts';
import { completeExtra, type RawSnapshot } from './snapshot-list.ts';

/** As a file system calls the place for what its check finds. */
export const LOST_AND_FOUND = 'lost+found';

/** Returns whether there is such a snapshot now. */
export async function keepLostTables(job: RepairJob, found: LostTables): Promise<boolean> {
  const { image, log, clusterSize, snapshots, storage } = job;
  const { header } = image;
  // There are no snapshots with an external data file, and none that could not be counted.
  if (header.hasDataFile || snapshots.entries.length >= LIMITS.snapshots) return false;
  const tables = withoutSharing(job, found.l2);
  const places = placeTables(job, tables, found.l1);
  const size = Math.max(...places.keys()) + 1;
  if (tables.length === 0 || size * 8 > LIMITS.l1Bytes) return false;
  const first = tables[0]?.cluster ?? 0;
  const host = { offset: first * clusterSize, length: clusterSize };
  const values = { tables: tables.length, name: LOST_AND_FOUND };
  if (!log.add({ kind: 'keep-lost-tables', class: 'guess', host, values })) return false;
  const l1 = new Uint32Array(size * 2);
  for (const [index, { cluster }] of places) setOffset(l1, index, cluster * clusterSize, 0);
  const offset = job.allocate(divideRoundUp(size * 8, clusterSize));
  await storage.write(offset, wordsToBytes(l1));
  snapshots.entries.push(entryFor(job, offset, size));
  snapshots.changed = true;
  return true;
}

/** Of tables that lead to one cluster, the first one counts. */
function withoutSharing(job: RepairJob, tables: readonly LostTable[]): LostTable[] {
  const taken = new Set<number>();
  return tables.filter(({ cluster, words }) => {
    const targets = [cluster, ...targetsOf(job, words)];
    if (targets.some((target) => taken.has(target))) return false;
    for (const target of targets) taken.add(target);
    return true;
  });
}

/** Where a lost L1 table has them, and otherwise one behind the other. */
function placeTables(
  job: RepairJob,
  tables: readonly LostTable[],
  l1Tables: readonly LostTable[],
): Map<number, LostTable> {
  const places = new Map<number, LostTable>();
  const placed = new Set<LostTable>();
  for (const { words } of l1Tables) {
    for (let at = 0; at < words.length; at += 2) {
      const offset = entryOffset(words[at] as number, words[at + 1] as number);
      const table = tables.find(({ cluster }) => cluster * job.clusterSize === offset);
      if (offset === 0 || table === undefined || places.has(at / 2)) continue;
      places.set(at / 2, table);
      placed.add(table);
    }
  }
  let next = 0;
  for (const table of tables) {
    if (placed.has(table)) continue;
    while (places.has(next)) next += 1;
    places.set(next, table);
  }
  return places;
}

function entryFor(job: RepairJob, l1TableOffset: number, l1Size: number): RawSnapshot {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  const ids = job.snapshots.entries.map(({ id }) => Number.parseInt(decoder.decode(id), 10) || 0);
  const { size, header } = job.image;
  const entry: RawSnapshot = {
    fixed: {
      l1TableOffset,
      l1Size,
      idSize: 0,
      nameSize: 0,
      dateSeconds: 0,
      dateNanoseconds: 0,
      vmClock: 0,
      vmStateSize: 0,
      extraDataSize: 0,
    },
    extra: new Uint8Array(0),
    id: encoder.encode(String(ids.reduce((most, id) => Math.max(most, id), 0) + 1)),
    name: encoder.encode(LOST_AND_FOUND),
  };
  completeExtra(entry, Math.max(size, l1Size * header.l2Coverage));
  return entry;
}
