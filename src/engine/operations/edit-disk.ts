/** Writing into images of the formats that have drivers (qcow2 has its own ways, raw needs none). */
import { ImageError } from '../errors.ts';
import { driverOf } from '../formats/drivers.ts';
import type { Disk, DiskWriter, DriverRepair } from '../formats/format.ts';
import type { CheckOptions } from './check-report.ts';
import { readerBelow, readerOfOldBelow } from './read.ts';

/**
 * Opens a disk, which has to be over writable storages, for writing into it.
 * @param rebases another backing image is about to be named: zeros have to be said, too
 * @throws ImageError unsupported-feature (the format is only read), image-dirty, image-damaged
 */
export async function editDisk(disk: Disk, { rebases = false } = {}): Promise<DiskWriter> {
  const driver = await driverOf(disk.format);
  if (driver?.edit === undefined) {
    throw new ImageError('unsupported-feature', { feature: `writing to ${disk.format} images` });
  }
  return driver.edit(disk, rebases ? readerOfOldBelow(disk) : readerBelow(disk));
}

/**
 * Repairs an image that was opened in mode `check` over writable storages.
 * @returns undefined where there is no repair for the format
 */
export async function repairDisk(
  disk: Disk,
  level: 'leaks' | 'all',
  options: CheckOptions,
): Promise<DriverRepair | undefined> {
  const driver = await driverOf(disk.format);
  return driver?.repair?.(disk, level, options);
}
