import { get, set } from 'idb-keyval';
import type { Chosen } from './files.ts';

/** A file that was open before. Handles live in IndexedDB; they cannot be kept anywhere else. */
export interface RecentFile {
  name: string;
  size: number;
  format: string;
  /** Milliseconds since 1970. */
  opened: number;
  /** Missing where the browser has none (or it came through a plain dialog). */
  handle: FileSystemFileHandle | undefined;
}

const KEY = 'recent';
const LIMIT = 10;

class Recent {
  files = $state.raw<RecentFile[]>([]);

  async load(): Promise<void> {
    try {
      this.files = (await get<RecentFile[]>(KEY)) ?? [];
    } catch {
      // No IndexedDB (some private windows): the list lives as long as the page.
    }
  }

  /** Puts a file at the top; the same file under an older entry goes. */
  async add(chosen: Chosen, format: string): Promise<void> {
    const { file, handle } = chosen;
    const others = await without(this.files, file, handle);
    const entry = { name: file.name, size: file.size, format, opened: Date.now(), handle };
    await this.#keep([entry, ...others].slice(0, LIMIT));
  }

  async remove(entry: RecentFile): Promise<void> {
    await this.#keep(this.files.filter((file) => file !== entry));
  }

  /**
   * Opens a file again through its handle; the browser may ask for permission, so this needs a
   * click. `gone` when there is no such file any more, `refused` when reading is not allowed.
   */
  async reopen(handle: FileSystemFileHandle): Promise<Chosen | 'gone' | 'refused'> {
    try {
      const state = await handle.requestPermission({ mode: 'read' });
      return state === 'granted' ? { file: await handle.getFile(), handle } : 'refused';
    } catch (error) {
      const missing = error instanceof DOMException && error.name === 'NotFoundError';
      return missing ? 'gone' : 'refused';
    }
  }

  async #keep(files: RecentFile[]): Promise<void> {
    this.files = files;
    try {
      await set(KEY, files);
    } catch {
      // As above.
    }
  }
}

async function without(
  files: RecentFile[],
  file: File,
  handle: FileSystemFileHandle | undefined,
): Promise<RecentFile[]> {
  const kept: RecentFile[] = [];
  for (const other of files) {
    const same =
      handle !== undefined && other.handle !== undefined
        ? await handle.isSameEntry(other.handle)
        : other.name === file.name && other.size === file.size;
    if (!same) kept.push(other);
  }
  return kept;
}

export const recent = new Recent();
