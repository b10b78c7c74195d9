/** What only reading the guest's data tells. */
import { InlinePool, type CodecPool } from '../codecs/pool.ts';
import { isImageError } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';
import type { RunOptions } from '../operations/operation.ts';
import { ContentLook } from './deep-content.ts';
import { SecretTally } from './deep-secrets.ts';
import { lookAtSnapshots } from './deep-snapshots.ts';
import { StaleLook } from './deep-stale.ts';
import type { DeepFacts } from './facts.ts';

export interface DeepOptions extends RunOptions {
  pool?: CodecPool | undefined;
}

/**
 * Reads all content of an image once, in bounded memory: what the image itself holds, and the places
 * of its file that the guest does not see. What lies below it is read where both have something.
 * @throws ImageError cancelled and those of reading tables; content that cannot be read is a fact
 */
export async function lookDeep(disk: Disk, options: DeepOptions): Promise<DeepFacts> {
  const own = options.pool === undefined ? new InlinePool() : undefined;
  const pool = options.pool ?? own ?? new InlinePool();
  const { signal, progress } = options;
  const total = disk.size + disk.storage.size;
  const reportFrom = (start: number) => (offset: number) =>
    progress?.({ stage: 'reading', done: Math.min(total, start + offset), total });
  try {
    const tally = new SecretTally();
    const content = new ContentLook(disk, tally, { pool, signal, passed: reportFrom(0) });
    reportFrom(0)(0);
    await content.run();
    const snapshots = await lookAtSnapshots(disk, { pool, signal });
    const stale = new StaleLook(disk, tally, { signal, passed: reportFrom(disk.size) });
    const isLookedAt = await hasRun(stale);
    reportFrom(0)(total);
    const { packedClusters, brokenPacked, unreadable, zeroFilled, equalToBacking } = content;
    return {
      bytesRead: content.bytesRead + snapshots.bytesRead + stale.bytesRead,
      packedClusters: packedClusters + snapshots.packed,
      brokenPacked: brokenPacked + snapshots.broken,
      brokenPlaces: content.broken.ranges,
      snapshotPacked: snapshots.packed,
      brokenSnapshotPacked: snapshots.broken,
      ...{ unreadable, unreadablePlaces: content.unread.ranges, zeroFilled, equalToBacking },
      ...{ sampled: content.sample.sampled, sampledPacked: content.sample.packed },
      staleKnown: isLookedAt && disk instanceof Qcow2Image,
      ...{ stale: stale.stale, stalePlaces: stale.places.ranges },
      secrets: tally.facts(),
    };
  } finally {
    own?.close();
  }
}

/** Tables that are too damaged to tell what is unused leave that unknown. */
async function hasRun(stale: StaleLook): Promise<boolean> {
  try {
    await stale.run();
    return true;
  } catch (error) {
    if (!isImageError(error) || error.code === 'cancelled') throw error;
    return false;
  }
}
