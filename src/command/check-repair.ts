/** `qemu-img check -r`, and what goes beyond it: the plan of a repair, and the way back. */
import {
  CHOICE_ALL,
  CHOICE_SAFE,
  Change,
  checkImage,
  isImageError,
  openImage,
  planRepair,
  runRepair,
  type RepairAction,
  type RepairChoice,
  type RepairPlan,
} from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import { applyChange } from './apply-change.ts';
import { CheckMessages } from './check-messages.ts';
import { repairForeign } from './check-repair-foreign.ts';
import { CommandFailure, type Context } from './context.ts';
import { openChange } from './editing.ts';
import { openByName, probeChain, type OpenRequest } from './images.ts';
import type { Repaired, RepairRequest } from './repair-request.ts';
import { actionText, planText, refusalText, repairedText } from './repair-messages.ts';

const EXIT_UNSUPPORTED = 63;
const UNSUPPORTED = 'This image format does not support checks';

/** Actions that are no answer to a finding: nobody counts them. */
const NOT_COUNTED: ReadonlySet<RepairAction['kind']> = new Set<RepairAction['kind']>([
  'clear-dirty',
  'clear-corrupt',
  'clear-autoclear',
]);
/** Findings that the real program reports when they are repaired, and not before. */
const REPORTED_LATER: ReadonlySet<string> = new Set(['copied-l1', 'copied-l2']);

/**
 * Repairs an image; the file is changed when all of it is known to be right.
 * @throws CommandFailure
 */
export async function repair(context: Context, request: RepairRequest): Promise<Repaired> {
  return withChange(context, request, (change, disk) =>
    disk === undefined || disk.format === 'qcow2'
      ? repairChange(context, request, change, disk)
      : repairForeign(context, request, change, disk),
  );
}

/**
 * Says what a repair would do.
 * @throws CommandFailure
 */
export async function planOf(context: Context, request: RepairRequest): Promise<RepairPlan> {
  return withChange(context, request, ({ storage }, disk) => {
    if (disk !== undefined && disk.format !== 'qcow2') {
      throw new CommandFailure(UNSUPPORTED, EXIT_UNSUPPORTED);
    }
    return planRepair(storage, choiceOf(request), { signal: context.signal });
  });
}

/** Opens an image, also one whose header is too damaged for that, as far as it can be mended. */
async function withChange<Result>(
  context: Context,
  request: RepairRequest,
  work: (change: Change, disk: Disk | undefined) => Promise<Result>,
): Promise<Result> {
  const { name } = request;
  let change: Change | undefined;
  const opener = async (path: string) => {
    change = request.plans
      ? new Change(await context.host.open(path))
      : await openChange(context, path);
    return change.storage;
  };
  try {
    const disk = await openIfPossible(context, { ...request, opener }, () => change !== undefined);
    if (change === undefined) throw new CommandFailure(`Could not open '${name}'`);
    return await work(change, disk);
  } finally {
    await change?.storage.close();
    await change?.storage.base.close();
  }
}

/** The image; undefined where its header is damaged in a way that may be mended. */
async function openIfPossible(
  context: Context,
  request: Omit<OpenRequest, 'mode'>,
  isOpen: () => boolean,
): Promise<Disk | undefined> {
  try {
    const { disk, info } = await openByName(context, { ...request, mode: 'check' });
    const { backing, qcow2, encrypted } = info;
    const isDescribed = request.imageOpts === true || /^json:/.test(request.name);
    const namesFiles = backing !== undefined || qcow2?.dataFile !== undefined;
    if (isDescribed || namesFiles || encrypted) {
      const { opener, ...others } = request;
      void opener;
      await probeChain(context, { ...others, mode: 'read' });
    }
    return disk;
  } catch (error) {
    if (!(error instanceof CommandFailure) || !isOpen()) throw error;
    const { cause } = error;
    const isMendable =
      isImageError(cause, 'invalid-header') || isImageError(cause, 'not-a-disk-image');
    if (!isMendable || isOtherFile(cause, request.name)) throw error;
    return undefined;
  }
}

/** A backing file that cannot be opened is not what is to be repaired. */
function isOtherFile(cause: unknown, name: string): boolean {
  return isImageError(cause, 'not-a-disk-image') && cause.details.name !== name;
}

function choiceOf({ level, recovers }: RepairRequest): RepairChoice {
  const choice = level === 'leaks' ? CHOICE_SAFE : CHOICE_ALL;
  return { ...choice, recovers };
}

async function repairChange(
  context: Context,
  request: RepairRequest,
  change: Change,
  disk: Disk | undefined,
): Promise<Repaired> {
  const { host, signal } = context;
  const messages = new CheckMessages(context);
  if (disk !== undefined) {
    await checkImage(disk, {
      ...{ signal, limit: 0 },
      onFinding: (finding) => {
        if (!REPORTED_LATER.has(finding.kind)) messages.print(finding);
      },
    });
  }
  const plan = await runRepair(change.storage, choiceOf(request), {
    signal,
    onAction: (action) => {
      // The real program clears its marks without a word.
      const isMark = action.kind === 'clear-dirty' || action.kind === 'clear-corrupt';
      if (action.chosen && !isMark) host.stderr(`Repairing ${actionText(action)}\n`);
    },
  });
  for (const refusal of plan.refusals) {
    if (refusal.reason !== 'still-damaged') host.stderr(`${refusalText(refusal)}\n`);
  }
  if (plan.after === undefined) {
    const [refusal] = plan.refusals;
    const message = refusal?.values['message'];
    const reason = typeof message === 'string' ? message : refusal && refusalText(refusal);
    throw new CommandFailure(`Could not open '${request.name}': ${reason ?? 'damaged header'}`);
  }
  await applyChange(context, change, request.undo);
  return result(context, request, change, plan);
}

/** Says what was repaired, and looks at the result. */
async function result(
  context: Context,
  request: RepairRequest,
  change: Change,
  plan: RepairPlan,
): Promise<Repaired> {
  const fixed = { leaksFixed: 0, corruptionsFixed: 0 };
  for (const { kind, count, chosen } of plan.sums) {
    if (!chosen || NOT_COUNTED.has(kind)) continue;
    if (kind.startsWith('free-')) fixed.leaksFixed += count;
    else fixed.corruptionsFixed += count;
  }
  const isFixed = fixed.leaksFixed > 0 || fixed.corruptionsFixed > 0;
  if (isFixed && request.output === 'human' && !request.quiet) {
    context.host.stdout(repairedText(fixed));
  }
  const messages = new CheckMessages(context);
  const disk = await openImage(change.storage, { mode: 'check', format: 'qcow2' });
  const report = await checkImage(disk, {
    ...{ signal: context.signal, limit: 0 },
    onFinding: (finding) => {
      messages.print(finding);
    },
  });
  return { format: disk.format, report, ...fixed };
}

/** The plan for the reader that was asked for. */
export function showPlan(context: Context, plan: RepairPlan, output: 'human' | 'json'): void {
  const text = output === 'json' ? `${JSON.stringify(plan, null, 4)}\n` : planText(plan);
  context.host.stdout(text);
}
