/** The two places where the result of a job may go, and how each begins and ends. */
import {
  BlobStorage,
  ImageError,
  isImageError,
  type Storage,
  WritableStorage,
} from '../engine/index.ts';
import type { FileTarget, LeftBehind } from './api.ts';
import { storageFacts } from './facts.ts';
import type { JobContext } from './job.ts';
import { byTime } from './by-time.ts';
import { currentFile } from './local-file.ts';
import { UnfinishedFile } from './private-files.ts';

/** A result on its way: written, then read again for verifying, then published, or discarded. */
export interface Result {
  readonly name: string;
  /** Where to write. */
  readonly storage: Storage;
  /** Everything is written. */
  written(): Promise<void>;
  /** What was written, for reading. After {@link written}. */
  reader(): Promise<Storage>;
  /** The last step of one that is right. */
  publish(): Promise<void>;
  /** Undoes as much as can be undone. Never throws. */
  discard(): Promise<LeftBehind>;
}

/** What a result is made from. */
export interface ResultSource {
  /** The files that are read for it: none of them may be its target. */
  files: File[];
  /** Bytes that it will have. */
  size: number;
}

/** Opens the target. @throws ImageError same-file, private-window and those of opening */
export function openResult(
  target: FileTarget,
  source: ResultSource,
  context: JobContext,
): Promise<Result> {
  return target.kind === 'private'
    ? PrivateResult.open(target.name, source.size)
    : ChosenResult.open(target.handle, source, context);
}

/** Kept in memory (private windows), a result may have as much as this. */
const MEMORY_LIMIT = 2 ** 30;

class PrivateResult implements Result {
  readonly #file: UnfinishedFile;

  private constructor(file: UnfinishedFile) {
    this.#file = file;
  }

  static async open(name: string, size: number): Promise<PrivateResult> {
    const { privateStorageInMemory } = await storageFacts();
    if (privateStorageInMemory && size > MEMORY_LIMIT) {
      throw new ImageError('private-window', { needed: size });
    }
    return new PrivateResult(await UnfinishedFile.create(name, size));
  }

  get name(): string {
    return this.#file.name;
  }

  get storage(): Storage {
    return this.#file.storage;
  }

  written(): Promise<void> {
    return Promise.resolve();
  }

  reader(): Promise<Storage> {
    // Still through the handle that wrote: closing it would end the lock.
    return Promise.resolve(this.#file.storage);
  }

  async publish(): Promise<void> {
    await this.#file.publish();
  }

  async discard(): Promise<LeftBehind> {
    const removed = await this.#file.discard().catch(() => false);
    return { name: this.name, state: removed ? 'removed' : 'partial' };
  }
}

/** `remove` is Chromium's, and not in TypeScript's library. */
interface RemovableFile extends FileSystemFileHandle {
  remove?: () => Promise<void>;
}

class ChosenResult implements Result {
  readonly name: string;
  readonly storage: WritableStorage;
  readonly #handle: RemovableFile;
  readonly #context: JobContext;
  /** A file without any bytes is what the picker makes for a new name. */
  readonly #wasEmpty: boolean;
  /** Set once the browser was told to finish: from then on nothing can be taken back. */
  #finishing = false;

  private constructor(
    handle: FileSystemFileHandle,
    storage: WritableStorage,
    wasEmpty: boolean,
    context: JobContext,
  ) {
    this.name = handle.name;
    this.storage = storage;
    this.#handle = handle;
    this.#wasEmpty = wasEmpty;
    this.#context = context;
  }

  static async open(
    handle: FileSystemFileHandle,
    source: ResultSource,
    context: JobContext,
  ): Promise<ChosenResult> {
    const old = await currentFile(handle);
    if (source.files.some((file) => isSame(file, old))) {
      throw new ImageError('same-file', { name: handle.name });
    }
    const storage = await WritableStorage.open(handle);
    // Whatever is on its way is not waited for. Has no effect once the browser is finishing.
    context.signal.addEventListener('abort', () => void storage.abort(), { once: true });
    return new ChosenResult(handle, storage, old.size === 0, context);
  }

  async written(): Promise<void> {
    await this.storage.flush();
    this.#finishing = true;
    const closing = () => unlessCancelled(this.storage.close(), this.#context.signal);
    try {
      await byTime(closing, 'finishing', this.storage.size, this.#context);
    } catch (error) {
      // Only a cancelled one goes on finishing; a refused one has left the old file.
      this.#finishing = isImageError(error, 'cancelled');
      throw error;
    }
  }

  async reader(): Promise<Storage> {
    return new BlobStorage(await currentFile(this.#handle));
  }

  publish(): Promise<void> {
    return Promise.resolve();
  }

  async discard(): Promise<LeftBehind> {
    const { name } = this;
    if (this.#finishing) return { name, state: 'unverified' };
    await this.storage.abort();
    if (!this.#wasEmpty || this.#handle.remove === undefined) return { name, state: 'untouched' };
    try {
      await this.#handle.remove();
      return { name, state: 'removed' };
    } catch {
      return { name, state: 'untouched' };
    }
  }
}

/** Files do not say where they lie, so it is enough that nothing tells them apart. */
function isSame(a: File, b: File): boolean {
  return a.name === b.name && a.size === b.size && a.lastModified === b.lastModified && a.size > 0;
}

/** Waits for what cannot be stopped, but not longer than until the signal. */
function unlessCancelled(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(new ImageError('cancelled', {}));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
