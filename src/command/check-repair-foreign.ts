/** `qemu-img check -r` of formats that have drivers. */
import { checkImage, openImage, repairDisk, type Change } from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import { applyChange } from './apply-change.ts';
import { CheckMessages } from './check-messages.ts';
import { CommandFailure, type Context } from './context.ts';
import { repairedText } from './repair-messages.ts';
import type { Repaired, RepairRequest } from './repair-request.ts';

const EXIT_UNSUPPORTED = 63;
const UNSUPPORTED = 'This image format does not support checks';

/**
 * Repairs an image on an overlay, looks at the result, and puts it into the file when nothing is
 * wrong with it that was right before.
 * @throws CommandFailure 63 where there is no repair of the format
 */
export async function repairForeign(
  context: Context,
  request: RepairRequest,
  change: Change,
  disk: Disk,
): Promise<Repaired> {
  const { signal, host } = context;
  if (request.plans || disk.check === undefined || disk.checkIsOurs === true) {
    throw new CommandFailure(UNSUPPORTED, EXIT_UNSUPPORTED);
  }
  const first = new CheckMessages(context);
  const fixed = await repairDisk(disk, request.level ?? 'leaks', {
    ...{ signal, limit: 0 },
    onFinding: (finding) => {
      first.print(finding);
    },
  });
  if (fixed === undefined) throw new CommandFailure(UNSUPPORTED, EXIT_UNSUPPORTED);
  const isFixed = fixed.leaksFixed > 0 || fixed.corruptionsFixed > 0;
  const again = await openImage(change.storage, { mode: 'check', format: disk.format });
  const messages = new CheckMessages(context);
  const report = await checkImage(again, {
    ...{ signal, limit: 0 },
    onFinding: (finding) => {
      // What was not repaired has been said.
      if (isFixed) messages.print(finding);
    },
  });
  await applyChange(context, change, request.undo);
  if (isFixed && request.output === 'human' && !request.quiet) {
    host.stdout(repairedText(fixed));
  }
  return { format: disk.format, report, ...fixed };
}
