/** A file on this computer that is changed in place: read as it is, written beside, swapped. */
import { BlobStorage, ImageError, type Storage, WritableStorage } from '../engine/index.ts';

/**
 * Reads the file as it was opened and writes into the browser's copy of it, which takes its place
 * when {@link LocalFile.close} is called, or is thrown away by {@link LocalFile.abort}. What was
 * written cannot be read before.
 */
export class LocalFile implements Storage {
  readonly writable = true;
  readonly #handle: FileSystemFileHandle;
  readonly #file: File;
  readonly #old: BlobStorage;
  readonly #copy: WritableStorage;

  private constructor(handle: FileSystemFileHandle, file: File, copy: WritableStorage) {
    this.#handle = handle;
    this.#file = file;
    this.#old = new BlobStorage(file);
    this.#copy = copy;
  }

  /**
   * Has the browser copy the file, which takes its time.
   * @param file as it was opened
   * @throws ImageError file-changed, and as {@link WritableStorage.open}
   */
  static async open(handle: FileSystemFileHandle, file: File): Promise<LocalFile> {
    await refuseChanged(handle, file);
    return new LocalFile(handle, file, await WritableStorage.open(handle, file.size));
  }

  get name(): string {
    return this.#file.name;
  }

  get size(): number {
    return this.#copy.size;
  }

  /** The old content. */
  read(offset: number, target: Uint8Array): Promise<number> {
    return this.#old.read(offset, target);
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    return this.#copy.write(offset, source);
  }

  resize(size: number): Promise<void> {
    return this.#copy.resize(size);
  }

  flush(): Promise<void> {
    return this.#copy.flush();
  }

  checkUnchanged(): Promise<void> {
    return refuseChanged(this.#handle, this.#file);
  }

  /** Of the old content. */
  modified(): Promise<number | undefined> {
    return this.#old.modified();
  }

  /** The changed copy takes the file's place. @throws ImageError and the file is as it was */
  async close(): Promise<void> {
    await this.#copy.close();
  }

  abort(): Promise<void> {
    return this.#copy.abort();
  }
}

/** @throws ImageError file-changed, file-gone, permission-lost */
export async function refuseChanged(handle: FileSystemFileHandle, file: File): Promise<void> {
  const { name } = file;
  const now = await currentFile(handle);
  if (now.size !== file.size || now.lastModified !== file.lastModified) {
    throw new ImageError('file-changed', { name });
  }
}

/** The file as it is now. @throws ImageError file-gone, permission-lost */
export async function currentFile(handle: FileSystemFileHandle): Promise<File> {
  try {
    return await handle.getFile();
  } catch (error) {
    const { name } = handle;
    const gone = error instanceof Error && error.name === 'NotFoundError';
    throw new ImageError(gone ? 'file-gone' : 'permission-lost', { name }, { cause: error });
  }
}
