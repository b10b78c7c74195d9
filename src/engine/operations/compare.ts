/** Comparing two disks by what their guests would read. */
import { InlinePool, type CodecPool } from '../codecs/pool.ts';
import { ImageError, isImageError, throwIfCancelled } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import type { ChainExtent } from './chain.ts';
import type { CompareOutcome, CompareReport, CompareSide } from './compare-report.ts';
import { leftToCompare } from './compare-scattered.ts';
import { cutToPair, isEmpty, pairUp, type Pair } from './disk-pairs.ts';
import type { RunOptions } from './operation.ts';
import type { DiskPiece } from './pieces.ts';
import { readPieces } from './read.ts';
import { PieceComparison } from './same-bytes.ts';
import { pacer } from './yield.ts';

export interface CompareOptions extends RunOptions {
  /** Sizes and the way each run is kept must match too. */
  strict?: boolean | undefined;
  pool?: CodecPool | undefined;
}

/** Bytes of both disks that are looked at together. */
const WINDOW = 8 * 1024 * 1024;
/** qemu-img's unit of reading: its errors name the beginning of such a piece. */
const CHUNK = 2 * 1024 * 1024;
const SECTOR = 512;

/**
 * Compares up to the end of the shorter disk, then the rest of the longer one with zeros.
 * Failures of either disk are outcomes; only `cancelled` is thrown.
 */
export async function compareDisks(
  first: Disk,
  second: Disk,
  options: CompareOptions = {},
): Promise<CompareReport> {
  const own = options.pool === undefined ? new InlinePool() : undefined;
  try {
    return await new Comparison(first, second, { ...options, pool: options.pool ?? own }).run();
  } finally {
    own?.close();
  }
}

class Comparison {
  readonly #first: Disk;
  readonly #second: Disk;
  readonly #options: CompareOptions;
  readonly #pace: () => Promise<void> | undefined;
  #compared = 0;

  constructor(first: Disk, second: Disk, options: CompareOptions) {
    this.#first = first;
    this.#second = second;
    this.#options = options;
    this.#pace = pacer(options.signal);
  }

  async run(): Promise<CompareReport> {
    const common = Math.min(this.#first.size, this.#second.size);
    const total = Math.max(this.#first.size, this.#second.size);
    const differ = this.#first.size !== this.#second.size;
    if (this.#options.strict === true && differ) {
      return this.#report({ kind: 'strict-size' }, false);
    }
    const outcome = await this.#compareCommon(common);
    if (outcome !== undefined) return this.#report(outcome, false);
    const rest = differ ? await this.#compare(common, total) : undefined;
    return this.#report(rest ?? { kind: 'identical' }, differ);
  }

  /** The first difference up to the end of the shorter disk. */
  async #compareCommon(end: number): Promise<CompareOutcome | undefined> {
    const { pool, signal, strict } = this.#options;
    if (strict === true || pool === undefined) return this.#compare(0, end);
    const passed = (bytes: number): void => this.#passed(bytes);
    const left = leftToCompare(this.#first, this.#second, end, { pool, signal, passed });
    for await (const { offset, length } of left) {
      const outcome = await this.#compare(offset, offset + length);
      if (outcome !== undefined) return outcome;
    }
    return undefined;
  }

  #report(outcome: CompareOutcome, sizeMismatch: boolean): CompareReport {
    return { outcome, sizeMismatch, compared: this.#compared };
  }

  /** The first difference in a range, undefined where there is none. */
  async #compare(start: number, end: number): Promise<CompareOutcome | undefined> {
    let window: Pair[] = [];
    let bytes = 0;
    // One window is read while the one before is compared.
    let running: Promise<CompareOutcome | undefined> = Promise.resolve(undefined);
    const flush = async (): Promise<CompareOutcome | undefined> => {
      const pairs = window;
      window = [];
      bytes = 0;
      const before = running;
      running = this.#window(pairs);
      running.catch(() => undefined);
      return before;
    };
    for await (const pair of this.#pairs(start, end)) {
      throwIfCancelled(this.#options.signal);
      const verdict = this.#byTables(pair);
      if (verdict !== undefined) return (await flush()) ?? (await running) ?? verdict;
      const pause = this.#pace();
      if (pause !== undefined) await pause;
      if (isEmpty(pair.first) && isEmpty(pair.second)) {
        this.#passed(pair.length);
        continue;
      }
      // Empty stretches between the pairs of a window are cheap, but they take memory.
      if (window[0] !== undefined && pair.offset - window[0].offset > WINDOW) {
        const found = await flush();
        if (found !== undefined) return found;
      }
      for (let done = 0; done < pair.length;) {
        const length = Math.min(pair.length - done, WINDOW - bytes);
        window.push({ ...pair, offset: pair.offset + done, length });
        done += length;
        bytes += length;
        if (bytes < WINDOW) continue;
        const found = await flush();
        if (found !== undefined) return found;
      }
    }
    return (await flush()) ?? (await running);
  }

  #pairs(start: number, end: number): AsyncGenerator<Pair> {
    // Behind the shorter disk there is nothing to compare the allocation with.
    const strict = this.#options.strict === true && this.#first.size === this.#second.size;
    return pairUp(this.#first, this.#second, start, end, strict);
  }

  #passed(bytes: number): void {
    this.#compared += bytes;
    const total = Math.max(this.#first.size, this.#second.size);
    this.#options.progress?.({ stage: 'comparing', done: this.#compared, total });
  }

  /** What the tables alone decide. */
  #byTables({ offset, first, second, sameStatus }: Pair): CompareOutcome | undefined {
    for (const [index, extent] of [first, second].entries()) {
      if (extent?.kind !== 'invalid') continue;
      const side = (index + 1) as CompareSide;
      return { kind: 'map-failed', side, offset, error: damaged(extent) };
    }
    return sameStatus ? undefined : { kind: 'strict-status', offset };
  }

  async #window(pairs: readonly Pair[]): Promise<CompareOutcome | undefined> {
    const head = pairs[0];
    const tail = pairs.at(-1);
    if (head === undefined || tail === undefined) return undefined;
    const { offset } = head;
    const length = tail.offset + tail.length - offset;
    try {
      const outcome = await this.#content(pairs, offset, length);
      this.#passed(pairs.reduce((sum, pair) => sum + pair.length, 0));
      return outcome;
    } catch (error) {
      if (!isImageError(error) || error.code === 'cancelled') throw error;
      return this.#slowly(pairs, error);
    }
  }

  async #content(
    pairs: readonly Pair[],
    offset: number,
    length: number,
  ): Promise<CompareOutcome | undefined> {
    const [a, b] = await Promise.all([
      this.#read(pairs, (pair) => pair.first),
      this.#read(pairs, (pair) => pair.second),
    ]);
    throwIfCancelled(this.#options.signal);
    const place = new PieceComparison(a, b).next(offset, offset + length);
    if (place === undefined) return undefined;
    // Sectors count from where the run begins, as qemu-img counts them.
    const pair = pairs.findLast((one) => one.offset <= place);
    const start = pair?.offset ?? offset;
    return { kind: 'content', offset: place - ((place - start) % SECTOR) };
  }

  /** What one disk has from the first to the last pair; what lies between them is equal. */
  #read(
    pairs: readonly Pair[],
    side: (pair: Pair) => ChainExtent | undefined,
  ): Promise<DiskPiece[]> {
    const offset = pairs[0]?.offset ?? 0;
    const tail = pairs.at(-1);
    const length = tail === undefined ? 0 : tail.offset + tail.length - offset;
    const extents: ChainExtent[] = [];
    for (const pair of pairs) {
      const extent = side(pair);
      if (extent !== undefined && !isEmpty(extent)) extents.push(cutToPair(extent, pair));
    }
    return readPieces(extents, length, this.#options);
  }

  /** A read failed: find which, in pieces as qemu-img reads them, and what differs before it. */
  async #slowly(pairs: readonly Pair[], failure: ImageError): Promise<CompareOutcome> {
    for (const pair of pairs) {
      for (let done = 0; done < pair.length; done += CHUNK) {
        const offset = pair.offset + done;
        const piece = { ...pair, offset, length: Math.min(CHUNK, pair.length - done) };
        for (const side of [1, 2] as const) {
          try {
            await this.#read([piece], (one) => (side === 1 ? one.first : one.second));
          } catch (error) {
            if (!isImageError(error) || error.code === 'cancelled') throw error;
            return { kind: 'read-failed', side, offset, error };
          }
        }
        const outcome = await this.#content([piece], offset, piece.length);
        if (outcome !== undefined) return outcome;
      }
    }
    // It failed once and now it does not: a medium that comes and goes is not to be trusted.
    throw failure;
  }
}

/** Why an extent cannot be read whose tables are damaged. */
export function damaged(extent: ChainExtent): ImageError {
  return new ImageError('unreadable-cluster', {
    guestOffset: extent.offset,
    hostOffset: extent.hostOffset,
    length: extent.length,
    reason: extent.reason ?? 'data-unaligned',
  });
}
