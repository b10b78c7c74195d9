/** Looking for bytes in files and on disks, from front to back. */
import { InlinePool, type CodecPool } from '../codecs/pool.ts';
import { ImageError, throwIfCancelled } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import type { Storage } from '../storage/storage.ts';
import type { RunOptions } from './operation.ts';
import type { DiskPiece } from './pieces.ts';
import { seeFile, seePieces, type SeenBytes, type SeenPieces } from './read-lenient.ts';
import { Finder } from './search-finder.ts';
import { Patterns, type Match } from './search-patterns.ts';
import { stretches, windows, type Step, type Stretch } from './stretches.ts';
import { pacer } from './yield.ts';

export interface SearchOptions extends RunOptions {
  /** Each of 1 to 65535 bytes; where several are at one place, the longest counts. */
  patterns: readonly Uint8Array[];
  /** Letters from A to Z count as the small ones. */
  ignoreCase: boolean;
  /** Matches lie between these, bytes. */
  from: number;
  to: number;
  /** Ends after so many. */
  most: number;
  pool?: CodecPool | undefined;
}

/** What was found. Matches do not overlap: behind one, the search goes on behind its end. Bytes. */
export interface SearchReport {
  matches: Match[];
  /** Bytes that were looked at, without those that are known to be zeros. */
  searched: number;
  /** `to` or the end of all; behind the last match, where there were as many as were wanted. */
  end: number;
  /** Bytes that cannot be read: nothing is found in them. */
  unreadable: number;
}

/** Windows that are read while an earlier one is searched. */
const AHEAD = 2;
/** Bytes that are searched between two looks at the signal. */
const PIECE = 512 * 1024;

/**
 * Looks for bytes of the guest's disk, the images below included. Zeros that the tables tell of are
 * not read.
 * @throws ImageError cancelled and those of reading; what cannot be read of the content is counted
 */
export async function searchDisk(disk: Disk, options: SearchOptions): Promise<SearchReport> {
  const own = new InlinePool();
  const { signal, pool = own } = options;
  const { from, to } = within(options, disk.size);
  try {
    const search = new Search(from, to, options);
    return await search.of(stretches(disk, from, to), ({ length, extents }) =>
      seePieces(extents, length, { pool, signal }),
    );
  } finally {
    own.close();
  }
}

/**
 * Looks for bytes of a file as it is.
 * @throws ImageError cancelled and those of reading
 */
export async function searchFile(file: Storage, options: SearchOptions): Promise<SearchReport> {
  const { from, to } = within(options, file.size);
  return new Search(from, to, options).of(windows(from, to), async ({ offset, length }) =>
    asPieces(offset, await seeFile(file, offset, length)),
  );
}

function within({ from, to }: SearchOptions, size: number): { from: number; to: number } {
  const end = Math.min(to, size);
  return { from: Math.max(0, Math.min(from, end)), to: end };
}

/** Without the bytes that cannot be read. */
function asPieces(offset: number, { bytes, unreadable }: SeenBytes): SeenPieces {
  if (unreadable.length === 0) return { pieces: [{ offset, bytes }], unreadable };
  const pieces: DiskPiece[] = [];
  let at = offset;
  const addUntil = (end: number): void => {
    if (end > at) pieces.push({ offset: at, bytes: bytes.subarray(at - offset, end - offset) });
  };
  for (const hole of unreadable) {
    addUntil(hole.offset);
    at = hole.offset + hole.length;
  }
  addUntil(offset + bytes.length);
  return { pieces, unreadable };
}

/** A step under way. */
type Coming = { stretch: Stretch; seen: Promise<SeenPieces> } | { zeros: number };

class Search {
  readonly #options: SearchOptions;
  readonly #finder: Finder;
  readonly #pace: () => Promise<void> | undefined;
  readonly #from: number;
  readonly #to: number;
  #at: number;
  #searched = 0;
  #unreadable = 0;

  constructor(from: number, to: number, options: SearchOptions) {
    const { patterns, ignoreCase, most } = options;
    this.#options = options;
    this.#finder = new Finder(new Patterns(patterns, ignoreCase), from, most);
    this.#pace = pacer(options.signal);
    this.#from = from;
    this.#to = to;
    this.#at = from;
  }

  /** Searches the steps in their order, while the next ones are read already. */
  async of(
    steps: AsyncIterable<Step> | Iterable<Step>,
    read: (stretch: Stretch) => Promise<SeenPieces>,
  ): Promise<SearchReport> {
    const coming: Coming[] = [];
    let reading = 0;
    this.#report();
    for await (const step of steps) {
      throwIfCancelled(this.#options.signal);
      if (this.#finder.isFull) break;
      if ('zeros' in step) {
        coming.push(step);
        continue;
      }
      const seen = read(step);
      // Its failure is met where it is waited for; nobody may have come so far.
      seen.catch(() => undefined);
      coming.push({ stretch: step, seen });
      reading++;
      for (; reading > AHEAD; reading--) await this.#takeUntilBytes(coming);
    }
    for (const step of coming) await this.#take(step);
    this.#finder.flush();
    const { matches, isFull, free } = this.#finder;
    const end = isFull ? free : this.#to;
    return { matches, searched: this.#searched, end, unreadable: this.#unreadable };
  }

  async #takeUntilBytes(coming: Coming[]): Promise<void> {
    for (let step = coming.shift(); step !== undefined; step = coming.shift()) {
      await this.#take(step);
      if (!('zeros' in step)) return;
    }
  }

  async #take(step: Coming): Promise<void> {
    if (this.#finder.isFull) return;
    if ('zeros' in step) {
      this.#finder.zeros(this.#at, step.zeros);
      await this.#advance(step.zeros);
      return;
    }
    const { pieces, unreadable } = await orCancelled(step.seen, this.#options.signal);
    const { offset, length, extents } = step.stretch;
    this.#searched += extents.length > 0 ? lengthOf(extents) : length;
    let hole = 0;
    const passUntil = async (end: number): Promise<void> => {
      for (let next = unreadable[hole]; next !== undefined; next = unreadable[hole]) {
        if (next.offset >= end) break;
        await this.#zerosUntil(next.offset);
        this.#searched -= next.length;
        this.#unreadable += next.length;
        await this.#advance(next.length);
        hole += 1;
      }
      await this.#zerosUntil(end);
    };
    for (const piece of pieces) {
      await passUntil(piece.offset);
      await this.#feed(piece.bytes);
    }
    await passUntil(offset + length);
  }

  async #zerosUntil(end: number): Promise<void> {
    if (end <= this.#at || this.#finder.isFull) return;
    this.#finder.zeros(this.#at, end - this.#at);
    await this.#advance(end - this.#at);
  }

  async #feed(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && !this.#finder.isFull; at += PIECE) {
      const piece = bytes.subarray(at, at + PIECE);
      this.#finder.feed(this.#at, piece);
      await this.#advance(piece.length);
    }
  }

  async #advance(length: number): Promise<void> {
    this.#at += length;
    this.#report();
    const pause = this.#pace();
    if (pause !== undefined) await pause;
    throwIfCancelled(this.#options.signal);
  }

  #report(): void {
    const done = this.#at - this.#from;
    this.#options.progress?.({ stage: 'searching', done, total: this.#to - this.#from });
  }
}

function lengthOf(extents: readonly { readonly length: number }[]): number {
  return extents.reduce((sum, { length }) => sum + length, 0);
}

/** A slow medium must not keep anybody waiting who has cancelled: its answer is then nobody's. */
function orCancelled<Value>(work: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const stop = () => reject(new ImageError('cancelled', {}));
    signal.addEventListener('abort', stop, { once: true });
    const settled = () => signal.removeEventListener('abort', stop);
    work.then(resolve, reject).finally(settled).catch(settled);
  });
}
