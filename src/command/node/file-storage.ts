/** A file under Node as a Storage. */
import {
  close,
  constants,
  fstatSync,
  fsync,
  ftruncate,
  openSync,
  read,
  readFileSync,
  readSync,
  write,
  writeSync,
  type BigIntStats,
} from 'node:fs';
import { promisify } from 'node:util';
import { ImageError, type Storage } from '../../engine/index.ts';
import { NOT_REGULAR } from '../host.ts';
import { openFailure, readFailure, writeFailure } from './errno.ts';

const closeFile = promisify(close);
const flushFile = promisify(fsync);
const cutFile = promisify(ftruncate);
const readFrom = promisify(read);
const writeTo = promisify(write);

/** Up to this many bytes are read or written at once: the way through the thread pool is longer. */
const SYNC_BYTES = 256 * 1024;
/** Linux reads and writes at most 2^31 - 4096 bytes in one call. */
const MOST_AT_ONCE = 2 ** 30;

const OPEN_MODES = {
  read: constants.O_RDONLY,
  /** Makes the file when it is not there; what is in it stays until it is cut. */
  create: constants.O_RDWR | constants.O_CREAT,
  modify: constants.O_RDWR,
};

export class FileStorage implements Storage {
  readonly name: string;
  readonly writable: boolean;
  /** Device and inode: tells one file from another, whatever it is called. */
  readonly identity: string;
  readonly #file: number;
  #size: number;
  #closed = false;

  private constructor(name: string, file: number, stats: BigIntStats, writable: boolean) {
    this.name = name;
    this.writable = writable;
    this.identity = `${String(stats.dev)}:${String(stats.ino)}`;
    this.#file = file;
    this.#size = stats.isBlockDevice() ? deviceSize(stats) : Number(stats.size);
  }

  /** @throws ImageError open-failed */
  static async open(name: string, mode: keyof typeof OPEN_MODES): Promise<FileStorage> {
    let file: number;
    try {
      // A pipe would wait for its other end before anybody could look at what it is.
      file = openSync(name, OPEN_MODES[mode] | constants.O_NONBLOCK, 0o644);
    } catch (error) {
      throw openFailure(name, error);
    }
    const stats = fstatSync(file, { bigint: true });
    const possible = mode === 'read' ? !isStream(stats) : stats.isFile();
    if (possible) return new FileStorage(name, file, stats, mode !== 'read');
    await closeFile(file);
    throw new ImageError('open-failed', { name, reason: NOT_REGULAR });
  }

  get size(): number {
    return this.#size;
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    const wanted = Math.max(0, Math.min(target.length, this.#size - offset));
    let done = 0;
    try {
      while (done < wanted) {
        const length = Math.min(wanted - done, MOST_AT_ONCE);
        const at = offset + done;
        const count =
          length <= SYNC_BYTES
            ? readSync(this.#file, target, done, length, at)
            : (await readFrom(this.#file, target, done, length, at)).bytesRead;
        if (count === 0) break;
        done += count;
      }
    } catch (error) {
      throw readFailure(this.name, offset, target.length, error);
    }
    return done;
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    if (!this.writable) throw new ImageError('read-only', { name: this.name });
    let done = 0;
    try {
      while (done < source.length) {
        const length = Math.min(source.length - done, MOST_AT_ONCE);
        const at = offset + done;
        done +=
          length <= SYNC_BYTES
            ? writeSync(this.#file, source, done, length, at)
            : (await writeTo(this.#file, source, done, length, at)).bytesWritten;
      }
    } catch (error) {
      throw writeFailure(this.name, offset, source.length, error);
    }
    if (done > 0) this.#size = Math.max(this.#size, offset + done);
  }

  async resize(size: number): Promise<void> {
    if (!this.writable) throw new ImageError('read-only', { name: this.name });
    try {
      await cutFile(this.#file, size);
    } catch (error) {
      throw writeFailure(this.name, this.#size, Math.max(0, size - this.#size), error);
    }
    this.#size = size;
  }

  async flush(): Promise<void> {
    if (!this.writable) return;
    try {
      await flushFile(this.#file);
    } catch (error) {
      throw writeFailure(this.name, 0, this.#size, error);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await closeFile(this.#file);
  }

  allocated(): Promise<number> {
    return Promise.resolve(Number(fstatSync(this.#file, { bigint: true }).blocks * 512n));
  }
}

/** Without places to go to: directories and whatever only flows. */
function isStream(stats: BigIntStats): boolean {
  return stats.isDirectory() || stats.isFIFO() || stats.isSocket();
}

/** Bytes of a block device. Its own size says nothing; Linux tells it elsewhere, in sectors. */
function deviceSize({ rdev }: BigIntStats): number {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
  try {
    const text = readFileSync(`/sys/dev/block/${String(major)}:${String(minor)}/size`, 'utf8');
    return Number(text) * 512;
  } catch {
    return 0;
  }
}
