/**
 * Clusters with more references than their refcounts say: two owners that do not know of each
 * other. Where the refcount agrees, sharing is meant.
 */
import { readPadded } from '../../../storage/storage.ts';
import { decodeBlock, maxRefcount, readRefcountTable } from '../refcounts.ts';
import type { RepairJob } from './job.ts';

/** Beyond this, nobody can tell one from the other: refcounts are raised and that is all. */
const MOST = 2 ** 20;

/** The suspects; undefined where there are too many to be looked at one by one. */
export async function findSuspects(job: RepairJob): Promise<ReadonlySet<number> | undefined> {
  const { clusters, clusterSize, fileSize, storage } = job;
  const { header } = job.image;
  const table = await readRefcountTable(storage, header);
  const most = maxRefcount(header.refcountBits);
  const found = new Set<number>();
  const { blockEntries } = table;
  for (let first = 0; first < clusters.clusters; first += blockEntries) {
    const end = Math.min(first + blockEntries, clusters.clusters);
    const index = first / blockEntries;
    const offset = index < table.entries ? table.offset(index) : 0;
    const isThere = offset !== 0 && offset < fileSize && table.isReadable(index);
    const counts = isThere
      ? decodeBlock(await readPadded(storage, offset, clusterSize), header.refcountBits)
      : undefined;
    for (let cluster = first; cluster < end; cluster++) {
      const count = clusters.count(cluster);
      if (count < 2) continue;
      // Without refcounts, snapshots and packed clusters share by right.
      if (count > (counts?.[cluster - first] ?? 1) || count > most) found.add(cluster);
      if (found.size > MOST) return undefined;
    }
    await job.breathe();
  }
  return found;
}
