/** Repairing an image: a plan that has been tried, and the repair itself. */
import { readPartitions } from '../guest/partitions.ts';
import type { Storage } from '../storage/storage.ts';
import {
  planRepair as planQcow2,
  runRepair as runQcow2,
  type RepairOptions,
} from '../formats/qcow2/repair/index.ts';
import type { RepairChoice, RepairPlan } from '../formats/qcow2/repair/plan.ts';

export { repairDirty } from '../formats/qcow2/repair/dirty.ts';
export { isClean } from '../formats/qcow2/repair/index.ts';
export { CHOICE_ALL, CHOICE_SAFE } from '../formats/qcow2/repair/plan.ts';
export type * from '../formats/qcow2/repair/plan.ts';
export type { RepairOptions };

/**
 * Says what a repair would do: it is tried on layers over `storage`, of which nothing is left.
 * @param storage the qcow2 file; it may be too damaged to be opened
 * @throws ImageError not-a-disk-image, unknown-features, cancelled, too-large and those of reading
 */
export function planRepair(
  storage: Storage,
  choice: RepairChoice,
  options?: RepairOptions,
): Promise<RepairPlan> {
  return planQcow2(storage, choice, { readPartitions, ...options });
}

/**
 * Repairs. The guest's content has been compared and the result checked before the first byte is
 * written to `storage`, which should be the overlay of a change all the same.
 * @throws as {@link planRepair}, and those of writing
 */
export function runRepair(
  storage: Storage,
  choice: RepairChoice,
  options?: RepairOptions,
): Promise<RepairPlan> {
  return runQcow2(storage, choice, { readPartitions, ...options });
}
