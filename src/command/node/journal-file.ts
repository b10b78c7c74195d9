/**
 * The journal of a file, as `NAME.journal` beside it: visible, because whoever moves or copies the
 * file after a crash has to take it along.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { ImageError, isImageError, type JournalPlace, type Storage } from '../../engine/index.ts';
import { FileStorage } from './file-storage.ts';

const SUFFIX = '.journal';
/** Milliseconds for which the process of another machine is taken to be still at work. */
const PATIENCE = 60_000;

/** Journals that this process is at work on. */
const ours = new Set<string>();

/** The path that a file has whatever it is called; undefined when it is not there. */
export function realPath(name: string): string | undefined {
  try {
    return realpathSync(name);
  } catch {
    return undefined;
  }
}

/** Whether there may be a journal for the file of a {@link realPath}. */
export function hasJournal(path: string): boolean {
  return existsSync(path + SUFFIX);
}

/** @param path of the file, as {@link realPath} has it */
export function journalPlace(path: string): JournalPlace {
  const file = path + SUFFIX;
  return {
    name: file,
    owner: [machine(), process.pid, startOf(process.pid)].join('\n'),
    find: () => (existsSync(file) ? FileStorage.open(file, 'modify') : Promise.resolve(undefined)),
    create: async () => {
      const journal = await createBeside(file, path);
      ours.add(file);
      return journal;
    },
    remove: () => {
      ours.delete(file);
      rmSync(file, { force: true });
      flushFolder(file);
      return Promise.resolve();
    },
    release: () => {
      ours.delete(file);
    },
    isAlive: (owner) => isAlive(owner, file),
  };
}

/**
 * A scratch file beside a file, for what is too much for memory. It loses its name at once, so that
 * nothing is left of it whatever happens.
 */
export async function openScratch(path: string): Promise<Storage> {
  const file = join(dirname(path), `.${basename(path)}.${process.pid}.scratch`);
  const storage = await FileStorage.open(file, 'exclusive');
  unlinkSync(file);
  return storage;
}

/** Whoever can read the file, and nobody else, can read its journal. */
async function createBeside(file: string, path: string): Promise<Storage> {
  let storage: FileStorage;
  try {
    storage = await FileStorage.open(file, 'exclusive');
  } catch (error) {
    if (isImageError(error, 'open-failed') && error.details.reason === 'File exists') {
      throw new ImageError('being-changed', { name: path }, { cause: error });
    }
    throw error;
  }
  const { mode, uid, gid } = statSync(path);
  try {
    chownSync(file, uid, gid);
    chmodSync(file, mode & 0o666);
  } catch {
    // Only who owns both can give it away; nobody else can read it then.
  }
  flushFolder(file);
  return storage;
}

/** Makes the coming and going of a name last. Not every system lets a folder be opened for it. */
function flushFolder(file: string): void {
  try {
    const folder = openSync(dirname(file), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch {
    return;
  }
}

/** Where process numbers mean the same: this start of this machine, and this container on it. */
function machine(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

/** When a process was started, in ticks: tells it from a later one of that number. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program, in brackets, may hold spaces.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function isAlive(owner: string, file: string): boolean {
  const [where = '', number = '', start = ''] = owner.split('\n');
  if (where !== machine()) return Date.now() - statSync(file).mtimeMs < PATIENCE;
  const pid = Number(number);
  if (pid === process.pid) return ours.has(file);
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Somebody else's process may not be signalled, but is there.
    const isThere = error instanceof Error && 'code' in error && error.code === 'EPERM';
    if (!isThere) return false;
  }
  return startOf(pid) === start;
}
