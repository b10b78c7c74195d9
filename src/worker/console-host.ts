/** The console: qemu-img's command line over the files that are open in the app. */
import { runCommand } from '../command/run.ts';
import type { CommandHost } from '../command/host.ts';
import {
  BlobStorage,
  type CodecPool,
  ImageError,
  type Storage,
  throwIfCancelled,
} from '../engine/index.ts';
import type { CommandResult, PrivateFile } from './api.ts';
import { codecPool } from './codec-pool.ts';
import type { JobContext } from './job.ts';
import { privateName, resultFile, UnfinishedFile } from './private-files.ts';
import { shellWords } from './shell-words.ts';

/** The name of the program may begin the line, as in a shell; it need not. */
const PROGRAM = 'qemu-img';

/**
 * Runs one line. Files that it makes are published when it ends with 0, and removed otherwise.
 * @throws ImageError cancelled
 */
export async function runCommandLine(line: string, context: JobContext): Promise<CommandResult> {
  const words = shellWords(line);
  if (words === undefined) {
    context.output('err', `${PROGRAM}: a quotation mark is not closed\n`);
    return { exitCode: 1, files: [] };
  }
  const host = new ConsoleHost(context);
  try {
    const argv = words[0] === PROGRAM ? words.slice(1) : words;
    const exitCode = await runCommand(argv, host, context.signal);
    throwIfCancelled(context.signal);
    return { exitCode, files: exitCode === 0 ? await host.publish() : [] };
  } finally {
    await host.discard();
  }
}

class ConsoleHost implements CommandHost {
  readonly #context: JobContext;
  readonly #made = new Map<string, UnfinishedFile>();

  constructor(context: JobContext) {
    this.#context = context;
  }

  /** Asked for only by those who need it: its threads start then. */
  get pool(): CodecPool {
    return codecPool();
  }

  /** A file that is open in the app, or else one that a command has made. */
  async open(path: string): Promise<Storage> {
    const name = nameIn(path);
    const open = this.#context.images.fileNamed(name);
    if (open !== undefined) return new BlobStorage(open, path);
    try {
      const made = this.#made.get(name);
      return new BlobStorage(await (made?.file() ?? resultFile(name)), path);
    } catch (error) {
      throw notThere(path, error);
    }
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
