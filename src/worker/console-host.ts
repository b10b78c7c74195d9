/** The console: qemu-img's command line over the files that are open in the app. */
import { runCommand } from '../command/run.ts';
import type { CommandHost } from '../command/host.ts';
import {
  type ApplyOptions,
  BlobStorage,
  Change,
  type CodecPool,
  ImageError,
  isImageError,
  type Overlay,
  PassingStorage,
  type Storage,
  throwIfCancelled,
} from '../engine/index.ts';
import type { CommandRequest, CommandResult, EditResult, ImageId, PrivateFile } from './api.ts';
import { codecPool } from './codec-pool.ts';
import type { JobContext } from './job.ts';
import { tellChanged } from './locks.ts';
import { openScratch, privateName, resultFile, UnfinishedFile } from './private-files.ts';
import { openPrivate, privateJournal } from './private-journal.ts';
import { shellWords } from './shell-words.ts';

/** The name of the program may begin the line, as in a shell; it need not. */
const PROGRAM = 'qemu-img';

/**
 * Runs one line. Files that it makes are published when it ends with 0, and removed otherwise.
 * @throws ImageError cancelled
 */
export async function runCommandLine(
  { line, shown = line }: CommandRequest,
  context: JobContext,
): Promise<CommandResult> {
  const words = shellWords(line);
  if (words === undefined) {
    context.output('err', `${PROGRAM}: a quotation mark is not closed\n`);
    return { exitCode: 1, files: [], changed: [] };
  }
  const host = new ConsoleHost(context, shown);
  try {
    const argv = words[0] === PROGRAM ? words.slice(1) : words;
    const exitCode = await runCommand(argv, host, context.signal);
    throwIfCancelled(context.signal);
    const files = exitCode === 0 ? await host.publish() : [];
    return { exitCode, files, changed: host.adopted };
  } finally {
    await host.discard();
  }
}

class ConsoleHost implements CommandHost {
  readonly #context: JobContext;
  readonly #line: string;
  readonly #made = new Map<string, UnfinishedFile>();
  readonly #adopted = new Map<ImageId, EditResult>();
  readonly #changed = new Set<string>();

  /** @param line as it may be shown */
  constructor(context: JobContext, line: string) {
    this.#context = context;
    this.#line = line;
  }

  /** Asked for only by those who need it: its threads start then. */
  get pool(): CodecPool {
    return codecPool();
  }

  /** A file that is open in the app, as it is shown there, or else one that a command has made. */
  async open(path: string): Promise<Storage> {
    const name = nameIn(path);
    const { images } = this.#context;
    const image = images.imageNamed(name);
    if (image !== undefined && images.hasChanges(image))
      return new Shown(images.shown(image), path);
    const open = images.fileNamed(name);
    if (open !== undefined) return new BlobStorage(open, path);
    try {
      const made = this.#made.get(name);
      return new BlobStorage(await (made?.file() ?? resultFile(name)), path);
    } catch (error) {
      throw notThere(path, error);
    }
  }

  /**
   * Changes of an open image wait with its others until the person saves them; files in private
   * storage are changed at once, with a journal.
   */
  async change(path: string): Promise<Change> {
    const name = nameIn(path);
    const { images } = this.#context;
    const image = images.imageNamed(name);
    if (image !== undefined) {
      const { changesOf } = await import('./changing.ts');
      const changes = changesOf(images);
      const base = changes.top(image);
      const edit = { kind: 'command', line: this.#line } as const;
      return new HandedChange(new Shown(base, path), async (from) => {
        const made = await changes.adopt(image, { from, base }, edit, this.#context);
        // What it names now may be open here.
        const opened = await images.attachAll(image, images.allFiles());
        this.#adopted.set(image, { ...made, opened });
      });
    }
    // Given as a part of a chain only: it is not known where its file is.
    if (images.fileNamed(name) !== undefined) {
      const reason = 'Open this file as an image of its own to change it';
      throw new ImageError('open-failed', { name: path, reason });
    }
    try {
      const storage = await openPrivate(name);
      this.#changed.add(name);
      return new Change(storage, { journal: privateJournal(name), scratch: openScratch });
    } catch (error) {
      throw isImageError(error, 'file-gone') ? notThere(path, error) : error;
    }
  }

  /** Open images that were changed. */
  get adopted(): EditResult[] {
    return [...this.#adopted.values()];
  }

  /** A new file in private storage. Files that are open in the app are never replaced. */
  async create(path: string): Promise<Storage> {
    const name = nameIn(path);
    if (name !== privateName(name)) throw notThere(path);
    if (this.#context.images.fileNamed(name) !== undefined) {
      throw new ImageError('same-file', { name: path });
    }
    await this.#made.get(name)?.discard();
    const file = await UnfinishedFile.create(name);
    this.#made.set(name, file);
    return file.storage;
  }

  stdout(text: string): void {
    this.#context.output('out', text);
  }

  stderr(text: string): void {
    this.#context.output('err', text);
  }

  /** Puts what was made among the results. */
  async publish(): Promise<PrivateFile[]> {
    const files: PrivateFile[] = [];
    for (const [name, file] of this.#made) {
      files.push(await file.publish());
      this.#made.delete(name);
    }
    for (const name of this.#changed) {
      const { size, lastModified: modified } = await resultFile(name);
      files.push({ name, size, modified });
      tellChanged(name);
    }
    return files;
  }

  /** Removes what was made and not published. */
  async discard(): Promise<void> {
    for (const [name, file] of this.#made) {
      const removed = await file.discard().catch(() => false);
      this.#context.leave({ name, state: removed ? 'removed' : 'partial' });
    }
  }
}

/** An open image under the name that the command has for it; it stays open. */
class Shown extends PassingStorage {
  readonly #name: string;

  constructor(storage: Storage, name: string) {
    super(storage);
    this.#name = name;
  }

  override get name(): string {
    return this.#name;
  }

  override get writable(): boolean {
    return false;
  }

  override close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A change of an open image: applying it hands it over. */
class HandedChange extends Change {
  readonly #take: (overlay: Overlay) => Promise<void>;

  constructor(shown: Storage, take: (overlay: Overlay) => Promise<void>) {
    super(shown, { scratch: openScratch });
    this.#take = take;
  }

  override async apply({ undo }: ApplyOptions = {}): ReturnType<Change['apply']> {
    // It is undone where the other changes are: nothing is overwritten yet.
    if (undo !== undefined) {
      throw new ImageError('unsupported-feature', { feature: 'an undo file for an open image' });
    }
    if (this.storage.changed) await this.#take(this.storage);
    return { bytes: 0, runs: 0 };
  }
}

/**
 * Open files have no folders here. A path, as images hold them for their backing file, therefore
 * means the open file of that name.
 */
function nameIn(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function notThere(name: string, cause?: unknown): ImageError {
  return new ImageError('open-failed', { name, reason: 'No such file or directory' }, { cause });
}
