import { isImageError, openSnapshot, type SnapshotKey } from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import { CommandFailure, isCancelled } from './context.ts';
import { errorText } from './messages.ts';

/**
 * The disk as a snapshot keeps it, for `-l`; the disk itself where no snapshot is meant.
 * @throws CommandFailure
 */
export async function snapshotOf(
  disk: Disk,
  key: SnapshotKey | undefined,
  exitCode = 1,
): Promise<Disk> {
  if (key === undefined) return disk;
  try {
    return await openSnapshot(disk, key);
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    const reason =
      disk.format === 'raw'
        ? `Block format 'raw' used by device '' does not support temporarily loading internal snapshots`
        : errorText(error);
    throw new CommandFailure(`Failed to load snapshot: ${reason}`, exitCode, error);
  }
}
