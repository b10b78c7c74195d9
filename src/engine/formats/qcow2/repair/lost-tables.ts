/**
 * Tables that nothing leads to any more, known by their content. Only strong evidence counts: every
 * entry is sound, and all that the table leads to is as lost as the table itself.
 */
import { gather, type Piece } from '../../../storage/gather.ts';
import { readPadded } from '../../../storage/storage.ts';
import { decodeBlock, readRefcountTable } from '../refcounts.ts';
import { decodeTable, entryOffset, type Table } from '../tables.ts';
import type { RepairJob } from './job.ts';
import { looksLikeL1, looksLikeL2, targetsOf } from './likeness.ts';

/** Clusters that are read to see what is in them, and tables that are remembered. */
const MOST_READ = 2 ** 18;
const MOST_TABLES = 4096;
const BATCH_BYTES = 4 * 1024 * 1024;
/** Words of tables that are remembered, bytes. */
const MOST_BYTES = 32 * 1024 * 1024;

/** A table that looks lost. */
export interface LostTable {
  readonly cluster: number;
  readonly words: Table;
}

/** Everything that looks lost. */
export interface LostTables {
  l2: LostTable[];
  /** L1 tables that lead to these. */
  l1: LostTable[];
}

/** Unused clusters with a refcount that look like tables. */
export async function searchLost(job: RepairJob): Promise<LostTables> {
  const found: LostTables = { l2: [], l1: [] };
  const { clusterSize, storage } = job;
  const atOnce = Math.max(1, Math.floor(BATCH_BYTES / clusterSize));
  let pieces: Piece[] = [];
  let read = 0;
  const most = Math.min(MOST_TABLES, MOST_BYTES / clusterSize);
  const unused = new Set<number>();
  const look = async () => {
    await gather(storage, pieces, ({ offset }, bytes) => {
      if (found.l2.length + found.l1.length >= most || !mayBeTable(bytes)) return;
      const words = decodeTable(bytes);
      const lost = { cluster: offset / clusterSize, words };
      if (looksLikeL2(job, words)) found.l2.push(lost);
      else if (looksLikeL1(job, words)) found.l1.push(lost);
    });
    pieces = [];
    await job.breathe();
  };
  for await (const cluster of unusedClusters(job)) {
    read += 1;
    if (read > MOST_READ) break;
    unused.add(cluster);
    pieces.push({ offset: cluster * clusterSize, length: clusterSize });
    if (pieces.length >= atOnce) await look();
  }
  await look();
  found.l2.sort((a, b) => a.cluster - b.cluster);
  sortOut(job, found);
  found.l2 = found.l2.filter(({ words }) => isAllUnused(job, words, unused));
  return found;
}

/** Whether what a table leads to is used by nobody, and was used once. */
function isAllUnused(job: RepairJob, words: Table, unused: ReadonlySet<number>): boolean {
  for (const target of targetsOf(job, words)) if (!unused.has(target)) return false;
  return true;
}

/** Reserved bits of the first entries tell most other things from a table at once. */
function mayBeTable(bytes: Uint8Array): boolean {
  for (let at = 0; at < 64 && at < bytes.length; at += 8) {
    if (((bytes[at] as number) & 0x3f) !== 0 && ((bytes[at] as number) & 0x40) === 0) return false;
  }
  return true;
}

/** An L1 table looks like an L2 table, but leads to tables only. */
function sortOut(job: RepairJob, found: LostTables): void {
  const tables = new Set(found.l2.map(({ cluster }) => cluster));
  const isL1 = ({ words }: LostTable) => {
    if (!looksLikeL1(job, words)) return false;
    for (let at = 0; at < words.length; at += 2) {
      const offset = entryOffset(words[at] as number, words[at + 1] as number);
      if (offset !== 0 && !tables.has(offset / job.clusterSize)) return false;
    }
    return true;
  };
  const { l2 } = found;
  found.l1 = [...l2.filter(isL1), ...found.l1.filter(isL1)];
  found.l2 = l2.filter((lost) => !found.l1.includes(lost));
}

async function* unusedClusters(job: RepairJob): AsyncGenerator<number, undefined> {
  const { clusters, clusterSize, storage, fileSize } = job;
  const { header } = job.image;
  const table = await readRefcountTable(storage, header);
  const { blockEntries } = table;
  const own = new Set<number>();
  const tableAt = Math.floor(header.refcountTableOffset / clusterSize);
  for (let i = 0; i < header.refcountTableClusters; i++) own.add(tableAt + i);
  for (let index = 0; index < table.entries; index++) own.add(table.offset(index) / clusterSize);
  for (let first = 0; first < clusters.clusters; first += blockEntries) {
    const index = first / blockEntries;
    const offset = index < table.entries ? table.offset(index) : 0;
    const isThere = offset !== 0 && offset < fileSize && table.isReadable(index);
    const counts = isThere
      ? decodeBlock(await readPadded(storage, offset, clusterSize), header.refcountBits)
      : undefined;
    const end = Math.min(first + blockEntries, clusters.clusters);
    for (let cluster = first; cluster < end; cluster++) {
      if (clusters.count(cluster) > 0 || counts?.[cluster - first] === 0) continue;
      if (!own.has(cluster)) yield cluster;
    }
  }
  return undefined;
}
