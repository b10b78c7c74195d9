import type { PrivateFile } from '../worker/api.ts';
import { engine } from './engine.svelte.ts';
import { download } from './files.ts';

/** Results that lie in the browser's private storage until they are saved or deleted. */
class Stored {
  files = $state.raw<PrivateFile[]>([]);

  readonly total = $derived(this.files.reduce((sum, file) => sum + file.size, 0));

  async load(): Promise<void> {
    try {
      this.files = await (await engine.client()).privateFiles();
    } catch {
      this.files = [];
    }
  }

  /** The file itself: costs no memory, it stays on disk. */
  async file(name: string): Promise<File> {
    return await (await engine.client()).privateFile(name);
  }

  /** Gives it out as a download; the copy here stays. */
  async save(name: string): Promise<void> {
    download(await this.file(name), name);
  }

  async remove(name: string): Promise<void> {
    await (await engine.client()).deletePrivateFile(name);
    await this.load();
  }
}

export const stored = new Stored();
