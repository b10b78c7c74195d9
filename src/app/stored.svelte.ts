import type { PrivateFile } from '../worker/api.ts';
import { engine } from './engine.svelte.ts';
import { download } from './files.ts';

/** Results that lie in the browser's private storage until they are saved or deleted. */
class Stored {
  files = $state.raw<PrivateFile[]>([]);
  /** The browser does not clear them away when room gets short. */
  persisted = $state(false);
  /** It was asked, and would not say so. */
  refused = $state(false);

  /** Whether it is worth asking. */
  get canKeep(): boolean {
    return !this.refused && typeof navigator.storage?.persist === 'function';
  }

  readonly total = $derived(this.files.reduce((sum, file) => sum + file.size, 0));

  async load(): Promise<void> {
    try {
      this.files = await (await engine.client()).privateFiles();
    } catch {
      this.files = [];
    }
    // Where nobody can tell, they count as what may be cleared away.
    if (this.files.length > 0) {
      this.persisted = await navigator.storage.persisted().catch(() => false);
    }
  }

  /** Asks the browser to keep them; some of them ask the person, so this needs a click. */
  async keep(): Promise<void> {
    this.persisted = await navigator.storage.persist().catch(() => false);
    this.refused = !this.persisted;
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
