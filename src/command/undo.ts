/** `qemu-img undo`, which is ours: makes a file what it was before a change. */
import { applyPatch, openPatch, type Change } from '../engine/index.ts';
import { applyChange } from './apply-change.ts';
import { COMMON, readArguments, usageFailure, type Context } from './context.ts';
import { openChange } from './editing.ts';
import { fileName } from './names.ts';

const SPECS = [COMMON.help, COMMON.quiet, COMMON.undo] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

/** Takes a file and what was written as its undo file. */
export async function undo(context: Context, argv: readonly string[]): Promise<number> {
  const given = readArguments<Id>(context, argv, SPECS);
  if (given.help) return 0;
  const [name, undoName] = given.operands;
  if (name === undefined || undoName === undefined || given.operands.length > 2) {
    throw usageFailure('Expecting the name of a file and of its undo file');
  }
  const source = await context.host.open(fileName(undoName));
  let change: Change | undefined;
  try {
    const patch = await openPatch(source, ['undo']);
    change = await openChange(context, fileName(name));
    await applyPatch(patch, change.storage);
    await applyChange(context, change, given.value('undo'));
  } finally {
    await source.close();
    await change?.storage.close();
    await change?.storage.base.close();
  }
  if (!given.has('quiet')) context.host.stdout('The change was undone.\n');
  return 0;
}
