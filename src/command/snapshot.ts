/** `qemu-img snapshot`: listing, taking, applying and deleting internal snapshots. */
import { COMMON, CommandFailure, readArguments, usageFailure, type Context } from './context.ts';
import { openByName, type OpenedImage } from './images.ts';
import { changeSnapshots, warnOfGuess } from './snapshot-change.ts';
import { snapshotTable } from './snapshot-table.ts';

const SPECS = [
  COMMON.help,
  { id: 'list', short: 'l' },
  { id: 'apply', short: 'a', argument: true },
  { id: 'create', short: 'c', argument: true },
  { id: 'delete', short: 'd', argument: true },
  COMMON.quiet,
  COMMON.object,
  COMMON.imageOpts,
  COMMON.forceShare,
  COMMON.undo,
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

/** What is done with a snapshot; only one of them at a time. */
const ACTIONS = ['list', 'apply', 'create', 'delete'] as const;
type Action = (typeof ACTIONS)[number];

export async function snapshot(context: Context, argv: readonly string[]): Promise<number> {
  let action: Action | undefined;
  const given = readArguments<Id>(context, argv, SPECS, ({ id }) => {
    const asked = ACTIONS.find((one) => one === id);
    if (asked === undefined) return;
    if (action !== undefined) throw usageFailure("Cannot mix '-l', '-a', '-c', '-d'");
    action = asked;
  });
  if (given.help) return 0;
  const [name] = given.operands;
  if (name === undefined || given.operands.length > 1) {
    throw usageFailure('Expecting one image file name');
  }
  const listed = action === 'list';
  if (!listed && given.has('force-share')) {
    const reason = 'force-share=on can only be used with read-only images';
    throw new CommandFailure(`Could not open '${name}': ${reason}`);
  }
  const asked = { name, format: undefined, imageOpts: given.has('image-opts') };
  if (action !== undefined && action !== 'list') {
    const request = { ...asked, undo: given.value('undo') };
    await changeSnapshots(context, request, { action, word: given.value(action) ?? '' });
    return 0;
  }
  const image = await openByName(context, { ...asked, mode: 'read' });
  try {
    if (listed) list(context, image);
    else nothing(context, image, name);
  } finally {
    await image.close();
  }
  return 0;
}

function list({ host }: Context, { info }: OpenedImage): void {
  if (info.snapshots.length === 0) return;
  host.stdout(`${snapshotTable(info.snapshots).join('\n')}\n`);
}

/**
 * Without an action the real program opens the image for writing and does nothing with it. Here it
 * is only read; what opening it for writing says of it is said all the same.
 * @throws CommandFailure for an image that is marked as corrupt
 */
function nothing({ host }: Context, image: OpenedImage, name: string): void {
  if (image.info.qcow2?.corrupt === true) {
    const reason = 'qcow2: Image is corrupt; cannot be opened read/write';
    throw new CommandFailure(`Could not open '${name}': ${reason}`);
  }
  warnOfGuess(host, image);
}
