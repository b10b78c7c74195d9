/** An image that was not closed cleanly is repaired before it is changed, as QEMU does. */
import { isImageError } from '../../../errors.ts';
import type { Storage } from '../../../storage/storage.ts';
import { isQcow2 } from '../header.ts';
import { openQcow2 } from '../image.ts';
import { runRepair, type RepairOptions } from './index.ts';
import { CHOICE_ALL, type RepairPlan } from './plan.ts';

/**
 * Repairs an image that is marked as dirty. Others, also those that cannot be opened, are left as
 * they are.
 * @param storage the overlay of a change
 * @returns what was done; undefined where there was no need
 */
export async function repairDirty(
  storage: Storage,
  options: RepairOptions = {},
): Promise<RepairPlan | undefined> {
  const magic = new Uint8Array(4);
  await storage.read(0, magic);
  if (!isQcow2(new Uint8Array([...magic, ...new Uint8Array(68)])) || !(await isDirty(storage))) {
    return undefined;
  }
  return runRepair(storage, CHOICE_ALL, options);
}

async function isDirty(storage: Storage): Promise<boolean> {
  try {
    const { header } = await openQcow2(storage, 'check');
    return header.dirty && !header.corrupt;
  } catch (error) {
    if (isImageError(error, 'cancelled')) throw error;
    return false;
  }
}
