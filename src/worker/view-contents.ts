/** What the guest keeps on a disk: its partitions, and the superblocks in them. */
import {
  type Disk,
  mapChain,
  readContents,
  readDisk,
  throwIfCancelled,
  yieldToEvents,
} from '../engine/index.ts';
import type { ContentsRequest, DiskContents } from './api.ts';
import type { JobContext } from './job.ts';

/** A disk that takes longer to be looked through is not called empty, milliseconds. */
const LONGEST_LOOK = 200;

/**
 * Reads some KiB of the disk and of each partition.
 * @throws ImageError what forbids reading: locked, damaged, or in a file that was not given
 */
export async function contentsOf(
  { image }: ContentsRequest,
  { images, signal }: JobContext,
): Promise<DiskContents> {
  const disk = await images.disk(image);
  const read = (offset: number, length: number) => readDisk(disk, offset, length, { signal });
  const { table, inside, whole } = await readContents(read, disk.size);
  const isKnown = table !== undefined || whole !== undefined;
  const isEmpty = !isKnown && (await holdsNothing(disk, signal));
  return { table, inside: [...inside], whole, isEmpty };
}

/** Whether its tables alone say that all of it is zeros. */
async function holdsNothing(disk: Disk, signal: AbortSignal): Promise<boolean> {
  const end = performance.now() + LONGEST_LOOK;
  for await (const batch of mapChain(disk)) {
    const isZero = batch.every(
      ({ kind, unknown }) => !unknown && (kind === 'zero' || kind === 'unallocated'),
    );
    if (!isZero || performance.now() > end) return false;
    await yieldToEvents();
    throwIfCancelled(signal);
  }
  return true;
}
