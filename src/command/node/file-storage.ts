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
  statSync,
  write,
  writeSync,
  type BigIntStats,
} from 'node:fs';
import { promisify } from 'node:util';
import { giveBuffer, ImageError, type Storage, takeBuffer } from '../../engine/index.ts';
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
  /** Makes the file, for nobody else to read; it must not be there. */
  exclusive: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};
type OpenMode = keyof typeof OPEN_MODES;

export class FileStorage implements Storage {
  readonly name: string;
  readonly writable: boolean;
  /** Device and inode: tells one file from another, whatever it is called. */
  readonly identity: string;
  /** Called once, when it is closed. */
  onClose: () => void = () => undefined;
  readonly #file: number;
  #size: number;
  #closed = false;
  /** When it was last written to, by the last that was seen of it; where others might be at it. */
  #written: bigint | undefined;
  /** Writes that have begun and not ended. */
  #inFlight = 0;
  #changedByOthers = false;

  private constructor(name: string, file: number, stats: BigIntStats, mode: OpenMode) {
    this.name = name;
    this.writable = mode !== 'read';
    this.identity = identityOf(stats);
    this.#file = file;
    if (mode === 'modify') this.#written = stats.mtimeNs;
    this.#size = stats.isBlockDevice() ? deviceSize(stats) : Number(stats.size);
  }

  /** @throws ImageError open-failed */
  static async open(name: string, mode: OpenMode): Promise<FileStorage> {
    let file: number;
    try {
      // A pipe would wait for its other end before anybody could look at what it is.
      file = openSync(
        name,
        OPEN_MODES[mode] | constants.O_NONBLOCK,
        mode === 'exclusive' ? 0o600 : 0o644,
      );
    } catch (error) {
      throw openFailure(name, error);
    }
    const stats = fstatSync(file, { bigint: true });
    const possible = mode === 'read' ? !isStream(stats) : stats.isFile();
    if (possible) return new FileStorage(name, file, stats, mode);
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

  async take(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const there = Math.max(0, Math.min(length, this.#size - offset));
    const bytes = new Uint8Array(takeBuffer(there), 0, there);
    // Behind the end of a file that somebody has cut meanwhile are zeros, and not what was in there.
    const count = await this.read(offset, bytes);
    return bytes.fill(0, count);
  }

  recycle(bytes: Uint8Array<ArrayBuffer>): void {
    giveBuffer(bytes.buffer);
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    this.#beforeWriting();
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
      // A part of it may have been written before the room ran out.
      if (this.#written !== undefined) this.#size = fstatSync(this.#file).size;
      throw writeFailure(this.name, offset, source.length, error);
    } finally {
      this.#afterWriting();
    }
    if (done > 0) this.#size = Math.max(this.#size, offset + done);
  }

  async resize(size: number): Promise<void> {
    this.#beforeWriting();
    try {
      await cutFile(this.#file, size);
    } catch (error) {
      throw writeFailure(this.name, this.#size, Math.max(0, size - this.#size), error);
    } finally {
      this.#afterWriting();
    }
    this.#size = size;
  }

  /** By size and time of the last write, and whether its name still means this file. */
  checkUnchanged(): Promise<void> {
    const { name } = this;
    this.#look();
    if (this.#changedByOthers) return Promise.reject(new ImageError('file-changed', { name }));
    try {
      const { dev, ino } = statSync(name, { bigint: true });
      if (identityOf({ dev, ino }) === this.identity) return Promise.resolve();
      return Promise.reject(new ImageError('file-changed', { name }));
    } catch (error) {
      return Promise.reject(new ImageError('file-gone', { name }, { cause: error }));
    }
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
    this.onClose();
    await closeFile(this.#file);
  }

  #beforeWriting(): void {
    // The number of a closed file may be that of another one by now.
    if (!this.writable || this.#closed) throw new ImageError('read-only', { name: this.name });
    this.#look();
    this.#inFlight++;
  }

  #afterWriting(): void {
    this.#inFlight--;
    if (this.#written === undefined || this.#inFlight > 0 || this.#closed) return;
    this.#written = fstatSync(this.#file, { bigint: true }).mtimeNs;
  }

  /** Whether somebody else has written since. While writes of our own are on their way: unknown. */
  #look(): void {
    if (this.#written === undefined || this.#inFlight > 0 || this.#closed) return;
    const { mtimeNs, size } = fstatSync(this.#file, { bigint: true });
    if (mtimeNs !== this.#written || size !== BigInt(this.#size)) this.#changedByOthers = true;
  }

  allocated(): Promise<number> {
    return Promise.resolve(Number(fstatSync(this.#file, { bigint: true }).blocks * 512n));
  }

  /** A device has no time of its own: its name has. */
  modified(): Promise<number | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const stats = fstatSync(this.#file, { bigint: true });
    return Promise.resolve(stats.isFile() ? Number(stats.mtimeNs / 1_000_000n) : undefined);
  }
}

function identityOf({ dev, ino }: Pick<BigIntStats, 'dev' | 'ino'>): string {
  return `${String(dev)}:${String(ino)}`;
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
