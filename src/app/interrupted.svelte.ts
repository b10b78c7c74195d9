/** Changes of files that did not come to their end: noted before, found at the next start. */
import { del, get, set } from 'idb-keyval';
import type { RecoveredChange } from '../worker/api.ts';
import { engine } from './engine.svelte.ts';
import type { Chosen } from './files.ts';

const KEY = 'changing';

/** A file that is being changed, as it was before. */
interface Note {
  id: string;
  name: string;
  size: number;
  modified: number;
  /** Under which name it lies in private storage. */
  stored: string | undefined;
  handle: FileSystemFileHandle | undefined;
}

/** A note of work that is under way. */
export interface OpenNote {
  /** It is known what became of the file. */
  forget(): Promise<void>;
  /** It is not: the next look finds it. */
  leave(): void;
}

/** What to say of a change that was interrupted. */
export interface Interruption {
  id: string;
  name: string;
  /** What is known of the file now. */
  outcome: RecoveredChange['outcome'] | 'local' | 'localOld' | 'localNew';
  handle: FileSystemFileHandle | undefined;
}

class Interrupted {
  found = $state.raw<readonly Interruption[]>([]);

  /** Notes that a file is about to be changed. */
  async note({ file, handle, stored }: Chosen): Promise<OpenNote> {
    const id = crypto.randomUUID();
    const { name, size, lastModified: modified } = file;
    // Held as long as this page lives: by it the note of a dead page is told from others.
    const release = await hold(id);
    await change((notes) => [...notes, { id, name, size, modified, stored, handle }]);
    return {
      leave: release,
      forget: async () => {
        await change((notes) => notes.filter((note) => note.id !== id));
        release();
      },
    };
  }

  /** Looks for what pages and workers that died have left. */
  async look(): Promise<void> {
    const recovered = await (await engine.client()).recoveredChanges().catch(() => []);
    const found: Interruption[] = recovered.map(({ name, outcome }) => {
      return { id: name, name, outcome, handle: undefined };
    });
    const held = new Set((await navigator.locks.query()).held?.map((lock) => lock.name));
    const notes = (await read()).filter(({ id }) => !held.has(lockOf(id)));
    for (const note of notes) {
      const isKnown = recovered.some(({ name }) => name === note.stored);
      if (!isKnown) found.push(await judge(note));
    }
    await change((all) => all.filter((one) => !notes.some(({ id }) => id === one.id)));
    if (found.length > 0) this.found = [...this.found, ...found];
  }

  dismiss(id: string): void {
    this.found = this.found.filter((one) => one.id !== id);
  }
}

/** What became of the file, as far as that can be seen without asking anybody. */
async function judge({ id, name, size, modified, stored, handle }: Note): Promise<Interruption> {
  const result = (outcome: Interruption['outcome']) => ({ id, name, outcome, handle });
  try {
    const now =
      stored === undefined
        ? await granted(handle)
        : await (await engine.client()).privateFile(stored);
    if (now === undefined) return result('local');
    const isOld = now.size === size && now.lastModified === modified;
    return result(isOld ? 'localOld' : 'localNew');
  } catch {
    return result('local');
  }
}

/** The file, if it may be read without a question. */
async function granted(handle: FileSystemFileHandle | undefined): Promise<File | undefined> {
  if (handle === undefined) return undefined;
  const isGranted = (await handle.queryPermission({ mode: 'read' })) === 'granted';
  return isGranted ? handle.getFile() : undefined;
}

function lockOf(id: string): string {
  return `changing:${id}`;
}

function hold(id: string): Promise<() => void> {
  return new Promise((resolve) => {
    void navigator.locks.request(lockOf(id), () => {
      return new Promise<void>((release) => resolve(release));
    });
  });
}

async function read(): Promise<Note[]> {
  try {
    return (await get<Note[]>(KEY)) ?? [];
  } catch {
    return [];
  }
}

async function change(work: (notes: Note[]) => Note[]): Promise<void> {
  try {
    const notes = work(await read());
    if (notes.length === 0) await del(KEY);
    else await set(KEY, notes);
  } catch {
    // Without a place to note it, nothing is said of it later; the file is as safe as with it.
  }
}

export const interrupted = new Interrupted();
