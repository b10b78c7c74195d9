import { ImageError } from '../errors.ts';
import { pacer } from '../yield.ts';
import { available, readFailure, refuseWrite, writeFailure } from './failures.ts';
import type { Storage } from './storage.ts';

/** What is used of FileSystemSyncAccessHandle: so that tests can break it in every way. */
export type SyncAccess = Pick<
  FileSystemSyncAccessHandle,
  'read' | 'write' | 'truncate' | 'getSize' | 'flush' | 'close'
>;

/** Sizes from here on silently fail where the private storage is kept in memory. */
const IN_MEMORY_LIMIT = 2 ** 31 - 1;
/** What Chromium's write returns when it finds no memory: its error -8, taken as unsigned. */
const NO_MEMORY = 2 ** 32 - 8;

/**
 * A file of the browser's private storage through its synchronous handle (workers only), at native
 * speed. Browsers are known to return impossible lengths and to leave the size unchanged without
 * an exception, so every returned number is compared.
 */
export class OpfsStorage implements Storage {
  readonly name: string;
  readonly writable: boolean;
  readonly #handle: SyncAccess;
  /** Calls settle at once; without this a loop over them would never hear a cancel. */
  readonly #breathe = pacer();
  /** Where it was opened from: the handle knows no time. */
  readonly #file: Pick<FileSystemFileHandle, 'getFile'> | undefined;
  #size: number;
  #closed = false;

  constructor(
    handle: SyncAccess,
    name: string,
    writable = true,
    file?: Pick<FileSystemFileHandle, 'getFile'>,
  ) {
    this.#file = file;
    this.name = name;
    this.writable = writable;
    this.#handle = handle;
    this.#size = handle.getSize();
  }

  /**
   * Opens a file of the private storage. It is locked for everyone else until it is closed.
   * @throws ImageError open-failed when it is open elsewhere, another tab included; file-gone
   */
  static async open(
    file: FileSystemFileHandle,
    { name = file.name, writable = true }: { name?: string; writable?: boolean } = {},
  ): Promise<OpfsStorage> {
    try {
      return new OpfsStorage(await file.createSyncAccessHandle(), name, writable, file);
    } catch (error) {
      const busy = error instanceof Error && error.name === 'NoModificationAllowedError';
      if (!busy) throw readFailure(name, 0, 0, error);
      throw new ImageError('open-failed', { name, reason: 'Resource busy' }, { cause: error });
    }
  }

  get size(): number {
    return this.#size;
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    const length = available(this.#size, offset, target.length);
    let done = 0;
    while (done < length) {
      const count = this.#readSome(offset + done, target.subarray(done, length));
      done += count;
    }
    await this.#breathe();
    return length;
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    if (!this.writable) return refuseWrite(this.name);
    let done = 0;
    while (done < source.length) {
      done += this.#writeSome(offset + done, source.subarray(done));
      this.#size = Math.max(this.#size, offset + done);
    }
    await this.#breathe();
  }

  resize(size: number): Promise<void> {
    if (!this.writable) return refuseWrite(this.name);
    try {
      this.#truncate(size);
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(writeFailure(this.name, size, 0, error));
    }
  }

  flush(): Promise<void> {
    try {
      if (!this.#closed && this.writable) this.#handle.flush();
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(writeFailure(this.name, 0, this.#size, error));
    }
  }

  close(): Promise<void> {
    if (!this.#closed) this.#handle.close();
    this.#closed = true;
    return Promise.resolve();
  }

  /** Undefined where the browser does not show a file that is locked. */
  async modified(): Promise<number | undefined> {
    try {
      return (await this.#file?.getFile())?.lastModified;
    } catch {
      return undefined;
    }
  }

  #readSome(offset: number, target: Uint8Array): number {
    const name = this.name;
    const length = target.length;
    let count: number;
    try {
      count = this.#handle.read(target, { at: offset });
    } catch (error) {
      throw readFailure(name, offset, length, error);
    }
    if (count > 0 && count <= length) return count;
    throw new ImageError('read-failed', { name, offset, length, reason: `${count} bytes read` });
  }

  #writeSome(offset: number, source: Uint8Array): number {
    const name = this.name;
    const length = source.length;
    let count: number;
    try {
      count = this.#handle.write(source, { at: offset });
      if (count === 0 && offset > this.#size) {
        // Firefox writes nothing far behind the end: make the hole first.
        this.#truncate(offset);
        count = this.#handle.write(source, { at: offset });
      }
    } catch (error) {
      throw writeFailure(name, offset, length, error);
    }
    if (count > 0 && count <= length) return count;
    if (count === NO_MEMORY) throw new ImageError('private-window', { needed: offset + length });
    const reason = `${count} bytes written`;
    throw new ImageError('write-failed', { name, offset, length, reason });
  }

  #truncate(size: number): void {
    this.#handle.truncate(size);
    const now = this.#handle.getSize();
    if (now !== size) {
      if (size > IN_MEMORY_LIMIT) throw new ImageError('private-window', { needed: size });
      // A private window does not say that it has no room, it only does not grow the file.
      if (size > now) throw new ImageError('disk-full', { name: this.name, needed: size });
      const reason = `the size is ${now} afterwards`;
      throw new ImageError('write-failed', { name: this.name, offset: size, length: 0, reason });
    }
    this.#size = size;
  }
}
