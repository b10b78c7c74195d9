/**
 * Journals of files in private storage, each in a file of its own: what makes up for a worker that
 * died in the middle of a change.
 */
import {
  ImageError,
  isImageError,
  type JournalPlace,
  OpfsStorage,
  recover,
  type Storage,
} from '../engine/index.ts';
import type { RecoveredChange } from './api.ts';
import { aloneWith } from './locks.ts';
import { journalFolder, resultHandle } from './private-files.ts';

async function find(name: string): Promise<FileSystemFileHandle | undefined> {
  try {
    return await (await journalFolder()).getFileHandle(name);
  } catch (error) {
    if (error instanceof Error && error.name === 'NotFoundError') return undefined;
    throw error;
  }
}

/**
 * The journal of the file of that name in private storage. Whoever uses it is alone with the file:
 * its lock is freed with the thread that held it, so that a journal that is found has no owner.
 */
export function privateJournal(name: string): JournalPlace {
  return {
    ...{ name: `${name}.journal`, owner: '' },
    find: async () => {
      const handle = await find(name);
      return handle && OpfsStorage.open(handle);
    },
    create: async () => {
      if ((await find(name)) !== undefined) throw new ImageError('being-changed', { name });
      return OpfsStorage.open(await (await journalFolder()).getFileHandle(name, { create: true }));
    },
    remove: async () => {
      if ((await find(name)) !== undefined) await (await journalFolder()).removeEntry(name);
    },
  };
}

/**
 * Finishes or drops every change that a dead worker has left. Those of other tabs that are under
 * way are left alone.
 */
export async function recoverPrivate(): Promise<RecoveredChange[]> {
  const names: string[] = [];
  for await (const name of (await journalFolder()).keys()) names.push(name);
  const recovered: RecoveredChange[] = [];
  for (const name of names) {
    const result = await recoverOne(name);
    if (result !== undefined) recovered.push(result);
  }
  return recovered;
}

async function recoverOne(name: string): Promise<RecoveredChange | undefined> {
  try {
    return await aloneWith(name, async () => {
      // Either not begun or made void when all was done: that does not say what the file is.
      if (await removeEmpty(name)) return undefined;
      const { outcome } = await recover(privateJournal(name), () => openPrivate(name));
      return outcome === 'none' ? undefined : { name, outcome, code: undefined };
    });
  } catch (error) {
    if (isImageError(error, 'being-changed')) return undefined;
    const code = isImageError(error) ? error.code : 'internal';
    return { name, outcome: 'failed', code };
  }
}

/** Removes a journal that holds nothing. Returns whether it was one. */
async function removeEmpty(name: string): Promise<boolean> {
  const handle = await find(name);
  if (handle === undefined || (await handle.getFile()).size > 0) return false;
  await (await journalFolder()).removeEntry(name);
  return true;
}

/** Opens a result for writing. @throws ImageError file-gone, open-failed while it is open elsewhere */
export async function openPrivate(name: string): Promise<Storage> {
  return OpfsStorage.open(await resultHandle(name), { name });
}
