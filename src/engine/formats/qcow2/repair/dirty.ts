/** An image that was not closed cleanly is repaired before it is changed, as QEMU does. */
import { readPadded, type Storage } from '../../../storage/storage.ts';
import { isQcow2 } from '../header.ts';
import { HEADER_V2, HEADER_V3 } from '../layout.ts';
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
  if (!isDirty(await readPadded(storage, 0, HEADER_V3.size))) return undefined;
  return runRepair(storage, CHOICE_ALL, options);
}

/** Only that bit is looked at: whoever opens the image says what is wrong with the rest. */
function isDirty(bytes: Uint8Array): boolean {
  if (!isQcow2(bytes) || HEADER_V2.read(bytes).version !== 3) return false;
  const { incompatibleFeatures } = HEADER_V3.read(bytes);
  return (incompatibleFeatures & MARKS) === DIRTY;
}

/** Dirty and corrupt: one that is both is refused anyway. */
const MARKS = 3n;
const DIRTY = 1n;
