/**
 * Results in the browser's private storage (OPFS). What is being written lies in a folder of its
 * own and moves among the results when it is finished: a result that is listed is whole.
 */
import { ImageError, isImageError, OpfsStorage, type Storage } from '../engine/index.ts';
import type { PrivateFile } from './api.ts';

const RESULTS = 'results';
const UNFINISHED = 'unfinished';
/** Journals of changes of results, each under the name of its result. */
const JOURNALS = 'journals';
/** Milliseconds after which an unfinished file that nobody holds open was left by a dead worker. */
const ABANDONED = 60_000;
/** Bytes that a file takes at least. */
const LEAST_ROOM = 4096;

/** `move` is in every browser that has synchronous handles, but not in TypeScript's library. */
interface MovableFile extends FileSystemFileHandle {
  move(folder: FileSystemDirectoryHandle, name: string): Promise<void>;
}

/** The folder of that name in private storage. */
async function folder(name: string): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle(name, { create: true });
}

function is(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}

/** A name that the private storage takes. */
export function privateName(name: string): string {
  const plain = name.replace(/[/\\:*?"<>|\0]/g, '_');
  return plain === '' || plain === '.' || plain === '..' ? '_' : plain;
}

/** All results, the newest first. */
export async function listResults(): Promise<PrivateFile[]> {
  const files: PrivateFile[] = [];
  for await (const handle of (await folder(RESULTS)).values()) {
    if (handle.kind !== 'file') continue;
    const { name, size, lastModified } = await handle.getFile();
    files.push({ name, size, modified: lastModified });
  }
  return files.sort((a, b) => b.modified - a.modified);
}

/** One result. @throws ImageError file-gone */
export async function resultFile(name: string): Promise<File> {
  return (await resultHandle(name)).getFile();
}

/** The same, to be opened for writing. @throws ImageError file-gone */
export async function resultHandle(name: string): Promise<FileSystemFileHandle> {
  try {
    return await (await folder(RESULTS)).getFileHandle(name);
  } catch (error) {
    if (is(error, 'NotFoundError') || is(error, 'TypeError')) {
      throw new ImageError('file-gone', { name }, { cause: error });
    }
    throw error;
  }
}

/** Deletes one result and what belongs to it; nothing happens when it is gone already. */
export async function deleteResult(name: string): Promise<void> {
  try {
    await (await folder(RESULTS)).removeEntry(name);
    await (await journalFolder()).removeEntry(name);
  } catch (error) {
    if (is(error, 'NotFoundError')) return;
    const reason = 'Resource busy';
    throw new ImageError('open-failed', { name, reason }, { cause: error });
  }
}

/** Where journals lie. */
export function journalFolder(): Promise<FileSystemDirectoryHandle> {
  return folder(JOURNALS);
}

/** Whether a worker has died in the middle of a change, or one is under way. */
export async function hasJournals(): Promise<boolean> {
  for await (const _name of (await journalFolder()).keys()) return true;
  return false;
}

/** Removes what workers that died have left. */
export async function removeAbandoned(): Promise<void> {
  const unfinished = await folder(UNFINISHED);
  for await (const handle of unfinished.values()) {
    try {
      if (handle.kind === 'file') {
        const { lastModified } = await handle.getFile();
        if (Date.now() - lastModified < ABANDONED) continue;
      }
      // Fails while a worker of another tab holds it open.
      await unfinished.removeEntry(handle.name);
    } catch {
      continue;
    }
  }
}

/** Where there is no room at all, not even an empty file can be made. */
async function newFile(name: string, needed: number): Promise<FileSystemFileHandle> {
  try {
    const unfinished = await folder(UNFINISHED);
    return await unfinished.getFileHandle(crypto.randomUUID(), { create: true });
  } catch (error) {
    if (is(error, 'QuotaExceededError')) {
      throw new ImageError('disk-full', { name, needed }, { cause: error });
    }
    throw error;
  }
}

/** An empty storage for what is too much for memory; it is removed when it is closed. */
export async function openScratch(): Promise<Storage> {
  const handle = await newFile('scratch', LEAST_ROOM);
  const storage = await OpfsStorage.open(handle);
  const close = storage.close.bind(storage);
  storage.close = async () => {
    await close();
    await (await folder(UNFINISHED)).removeEntry(handle.name).catch(() => undefined);
  };
  return storage;
}

/** A result that is being written. */
export class UnfinishedFile {
  readonly name: string;
  /** Open for reading and writing until the result is published or discarded. */
  readonly storage: OpfsStorage;
  readonly #handle: MovableFile;

  private constructor(name: string, handle: MovableFile, storage: OpfsStorage) {
    this.name = name;
    this.#handle = handle;
    this.storage = storage;
  }

  /**
   * Makes an empty one.
   * @param size bytes that it is going to have, as far as known
   * @throws ImageError disk-full, permission-lost
   */
  static async create(wanted: string, size = LEAST_ROOM): Promise<UnfinishedFile> {
    const name = privateName(wanted);
    const handle = await newFile(name, size);
    const storage = await OpfsStorage.open(handle, { name });
    return new UnfinishedFile(name, handle as MovableFile, storage);
  }

  /** Its content up to now. Not while the storage is open for writing. */
  file(): Promise<File> {
    return this.#handle.getFile();
  }

  /** Puts it among the results, in place of an older one of that name. */
  async publish(): Promise<PrivateFile> {
    const { name } = this;
    await this.storage.close();
    try {
      await this.#handle.move(await folder(RESULTS), name);
    } catch (error) {
      throw new ImageError('finish-refused', { name }, { cause: error });
    }
    const { size, lastModified } = await this.#handle.getFile();
    return { name, size, modified: lastModified };
  }

  /** Removes it. Returns whether that worked. */
  async discard(): Promise<boolean> {
    try {
      await this.storage.close();
      await (await folder(UNFINISHED)).removeEntry(this.#handle.name);
      return true;
    } catch (error) {
      if (isImageError(error)) throw error;
      return is(error, 'NotFoundError');
    }
  }
}
