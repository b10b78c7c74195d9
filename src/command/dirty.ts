/** Images that were not closed cleanly: repaired first by every command that changes them. */
import { repairDirty, type Change } from '../engine/index.ts';
import type { Context } from './context.ts';
import { OptionFault } from './option-text.ts';
import { actionText } from './repair-messages.ts';

/**
 * Repairs an image that is marked as dirty, as a part of the change that is about to be made.
 * @throws OptionFault where that cannot be done
 */
export async function repairBefore({ host, signal }: Context, change: Change): Promise<void> {
  const plan = await repairDirty(change.storage, {
    signal,
    onAction: (action) => {
      if (action.chosen && action.kind !== 'clear-dirty') {
        host.stderr(`Repairing ${actionText(action)}\n`);
      }
    },
  });
  if (plan === undefined) return;
  const { after } = plan;
  if (after === undefined || after.aborted !== undefined || after.checkErrors > 0) {
    throw new OptionFault('Could not repair dirty image: Input/output error');
  }
}
