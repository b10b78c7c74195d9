/** Digests of what a guest reads, and of files as they are. */
import { createHasher, type Hasher, type HasherFactory, type HashName } from '../codecs/hash.ts';
import { InlinePool, type CodecPool } from '../codecs/pool.ts';
import { ImageError, throwIfCancelled } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import type { Storage } from '../storage/storage.ts';
import type { RunOptions } from './operation.ts';
import type { DiskPiece } from './pieces.ts';
import { readPieces } from './read.ts';
import { stretches, windows, type Step, type Stretch } from './stretches.ts';
import { pacer } from './yield.ts';

export interface ChecksumOptions extends RunOptions {
  /** SHA-256 unless another is wanted. */
  algorithm?: HashName | undefined;
  /** A faster way to digest than the engine's own, where the platform has one. */
  hasher?: HasherFactory | undefined;
  pool?: CodecPool | undefined;
}

/** A digest, and of how many bytes. */
export interface ChecksumReport {
  algorithm: HashName;
  /** Lower-case hexadecimal. */
  digest: string;
  size: number;
}

/** Windows that are read while an earlier one is digested. */
const AHEAD = 2;
/** Bytes that are digested between two looks at the signal; takes 13 ms at 40 MB/s. */
const PIECE = 512 * 1024;

/**
 * The digest of all that the guest can read, from the first byte to the last: what `sha256sum`
 * says of the disk converted to raw, in whatever format and layout it is kept. Zeros that the
 * tables tell of are not read. They are digested all the same: there is no way around them.
 * @throws ImageError unreadable-cluster, cancelled and those of reading
 */
export async function checksumDisk(
  disk: Disk,
  options: ChecksumOptions = {},
): Promise<ChecksumReport> {
  const own = options.pool === undefined ? new InlinePool() : undefined;
  const { signal, pool = own } = options;
  try {
    return await new Digest(disk.size, options).of(stretches(disk), ({ length, extents }) =>
      readPieces(extents, length, { pool, signal }),
    );
  } finally {
    own?.close();
  }
}

/**
 * The digest of a file as it is, whatever it holds.
 * @throws ImageError file-changed (it ends earlier than it did), cancelled and those of reading
 */
export function checksumFile(
  file: Storage,
  options: ChecksumOptions = {},
): Promise<ChecksumReport> {
  return new Digest(file.size, options).of(windows(0, file.size), async ({ offset, length }) => [
    { offset, bytes: await readAll(file, offset, length) },
  ]);
}

/** A step under way. */
type Coming = { stretch: Stretch; pieces: Promise<DiskPiece[]> } | { zeros: number };

class Digest {
  readonly #algorithm: HashName;
  readonly #hasher: Hasher;
  readonly #options: RunOptions;
  readonly #pace: () => Promise<void> | undefined;
  readonly #total: number;
  #done = 0;

  constructor(total: number, options: ChecksumOptions) {
    const { algorithm = 'sha256', hasher = createHasher } = options;
    this.#algorithm = algorithm;
    this.#hasher = hasher(algorithm);
    this.#options = options;
    this.#pace = pacer(options.signal);
    this.#total = total;
  }

  /** Digests the steps in their order, while the next ones are read already. */
  async of(
    steps: AsyncIterable<Step> | Iterable<Step>,
    read: (stretch: Stretch) => Promise<DiskPiece[]>,
  ): Promise<ChecksumReport> {
    const coming: Coming[] = [];
    let reading = 0;
    this.#report();
    for await (const step of steps) {
      throwIfCancelled(this.#options.signal);
      if ('zeros' in step) {
        coming.push(step);
        continue;
      }
      const pieces = read(step);
      // Its failure is met where it is waited for; nobody may have come so far.
      pieces.catch(() => undefined);
      coming.push({ stretch: step, pieces });
      reading++;
      for (; reading > AHEAD; reading--) await this.#takeUntilBytes(coming);
    }
    for (const step of coming) await this.#take(step);
    const digest = toHex(this.#hasher.digest());
    return { algorithm: this.#algorithm, digest, size: this.#done };
  }

  /** Takes what comes next, up to and with the first that was read. */
  async #takeUntilBytes(coming: Coming[]): Promise<void> {
    for (let step = coming.shift(); step !== undefined; step = coming.shift()) {
      await this.#take(step);
      if (!('zeros' in step)) return;
    }
  }

  async #take(step: Coming): Promise<void> {
    if ('zeros' in step) return this.#zeros(step.zeros);
    const { offset, length } = step.stretch;
    let end = offset;
    for (const { offset: start, bytes } of await step.pieces) {
      await this.#zeros(start - end);
      await this.#inPieces(bytes.length, (at, part) => {
        this.#hasher.update(bytes.subarray(at, at + part));
      });
      end = start + bytes.length;
    }
    await this.#zeros(offset + length - end);
  }

  #zeros(count: number): Promise<void> {
    return this.#inPieces(count, (_, length) => {
      this.#hasher.zeros(length);
    });
  }

  async #inPieces(length: number, take: (at: number, length: number) => void): Promise<void> {
    for (let at = 0; at < length; at += PIECE) {
      throwIfCancelled(this.#options.signal);
      const piece = Math.min(PIECE, length - at);
      take(at, piece);
      this.#done += piece;
      this.#report();
      const pause = this.#pace();
      if (pause !== undefined) await pause;
    }
  }

  #report(): void {
    this.#options.progress?.({ stage: 'digesting', done: this.#done, total: this.#total });
  }
}

async function readAll(
  file: Storage,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const taken = await file.take?.(offset, length);
  const bytes = taken ?? new Uint8Array(length);
  const there = taken === undefined ? await file.read(offset, bytes) : taken.length;
  if (there < length) throw new ImageError('file-changed', { name: file.name });
  return bytes;
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
