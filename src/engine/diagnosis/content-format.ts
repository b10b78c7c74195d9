/** Whether a disk's own first bytes would be taken for an image by programs that guess formats. */
import { isImageError } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import { PROBE_FIRST, probeDrivers } from '../formats/drivers.ts';
import { isQcow2 } from '../formats/qcow2/header.ts';
import { readDisk } from '../operations/read.ts';

/**
 * The name of the format; '' where there is none, or the first bytes cannot be read.
 * @throws ImageError cancelled
 */
export async function contentLooksLike(
  disk: Disk | undefined,
  signal: AbortSignal | undefined,
): Promise<string> {
  if (disk === undefined || disk.size === 0) return '';
  try {
    const first = await readDisk(disk, 0, Math.min(PROBE_FIRST, disk.size), { signal });
    const known = probeDrivers({ first, last: undefined, size: disk.size, name: '' });
    return known ?? (isQcow2(first) ? 'qcow2' : '');
  } catch (error) {
    if (!isImageError(error) || error.code === 'cancelled') throw error;
    return '';
  }
}
