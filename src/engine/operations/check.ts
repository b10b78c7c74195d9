/** Checking an image for damage. */
import { ImageError } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import { checkQcow2 } from '../formats/qcow2/check/index.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';
import type { CheckOptions, CheckReport } from './check-report.ts';

export type { CheckOptions };

/**
 * Checks an image (opened in `check` mode, so that damaged tables do not keep it from opening).
 * Reads all of its metadata and none of its data; memory grows with the clusters that are in use.
 * @throws ImageError check-unsupported (raw, and others that keep nothing that could be checked), cancelled, too-large and those of reading
 */
export async function checkImage(disk: Disk, options: CheckOptions = {}): Promise<CheckReport> {
  if (disk instanceof Qcow2Image) return checkQcow2(disk, options);
  if (disk.check !== undefined) return disk.check(options);
  throw new ImageError('check-unsupported', { format: disk.format });
}
