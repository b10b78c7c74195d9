/** Putting a change into its file, and what undoes it into another one. */
import {
  isImageError,
  openPatch,
  type Applied,
  type ApplyOptions,
  type Change,
  type Storage,
} from '../engine/index.ts';
import { CommandFailure, type Context } from './context.ts';
import { fileName } from './names.ts';

/**
 * Puts a change into its file, and what undoes it into another one first.
 * @param undoName where the undo file goes; undefined: there is to be none
 * @throws CommandFailure for an undo file that is there already; what {@link Change.apply} throws
 */
export async function applyChange(
  context: Context,
  change: Change,
  undoName: string | undefined,
): Promise<Applied> {
  const options: ApplyOptions = { signal: context.signal };
  if (undoName === undefined) return change.apply(options);
  const target = await createUndo(context, undoName);
  try {
    return await change.apply({ ...options, undo: target });
  } finally {
    await target.close();
  }
}

/** An old one of that name may be the only way back from another change: it stays. */
async function createUndo({ host }: Context, name: string): Promise<Storage> {
  const path = fileName(name);
  const old = await openOld(host, path);
  if (old === undefined) return host.create(path);
  try {
    if (!(await isUseless(old))) {
      throw new CommandFailure(`Could not create '${name}': File exists`);
    }
    await old.resize(0);
    return old;
  } catch (error) {
    await old.close();
    throw error;
  }
}

async function openOld(host: Context['host'], path: string): Promise<Storage | undefined> {
  try {
    return await host.modify?.(path);
  } catch (error) {
    if (isImageError(error, 'open-failed')) return undefined;
    throw error;
  }
}

/** Empty, or an undo file that was never finished. */
async function isUseless(storage: Storage): Promise<boolean> {
  if (storage.size === 0) return true;
  try {
    await openPatch(storage, ['undo']);
    return false;
  } catch (error) {
    if (isImageError(error, 'patch-invalid')) return error.details.problem === 'unfinished';
    throw error;
  }
}
