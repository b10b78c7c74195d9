/** All that is different between two disks, as ranges: where {@link compareDisks} ends at the first. */
import { alignDown, SECTOR } from '../binary/units.ts';
import { InlinePool, type CodecPool } from '../codecs/pool.ts';
import { throwIfCancelled } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import type { ByteRange } from '../storage/range-set.ts';
import type { Storage } from '../storage/storage.ts';
import type { ChainExtent } from './chain.ts';
import { damaged } from './compare.ts';
import { cutToPair, isEmpty, pairUp, type Pair } from './disk-pairs.ts';
import type { RunOptions } from './operation.ts';
import type { DiskPiece } from './pieces.ts';
import { readPieces } from './read.ts';
import { PieceComparison } from './same-bytes.ts';
import { pacer } from './yield.ts';

export interface CompareRangesOptions extends RunOptions {
  pool?: CodecPool | undefined;
  /** Ranges that are kept; all are counted. */
  most: number;
  sameMedium?: SameMedium | undefined;
}

/** Whether two storages are the same file, opened twice. */
export type SameMedium = (a: Storage, b: Storage) => boolean;

/** In whole sectors of 512 bytes; bytes. */
export interface RangesReport {
  different: number;
  ranges: number;
  /** The first of them, merged. */
  first: ByteRange[];
}

/** Bytes of both disks that are looked at together. */
const WINDOW = 8 * 1024 * 1024;

/**
 * Compares up to the end of the longer disk; behind its own end, the shorter one has zeros. What both
 * have at the same place of the same file is not read.
 * @throws ImageError unreadable-cluster, cancelled and those of reading
 */
export async function compareRanges(
  first: Disk,
  second: Disk,
  options: CompareRangesOptions,
): Promise<RangesReport> {
  const own = options.pool === undefined ? new InlinePool() : undefined;
  try {
    const pool = options.pool ?? own;
    return await new RangeComparison(first, second, { ...options, pool }).run();
  } finally {
    own?.close();
  }
}

class RangeComparison {
  readonly #first: Disk;
  readonly #second: Disk;
  readonly #options: CompareRangesOptions;
  readonly #report: RangesReport = { different: 0, ranges: 0, first: [] };
  readonly #pace: () => Promise<void> | undefined;
  /** Where the last range ends. */
  #end = -1;
  #window: Pair[] = [];

  constructor(first: Disk, second: Disk, options: CompareRangesOptions) {
    this.#first = first;
    this.#second = second;
    this.#options = options;
    this.#pace = pacer(options.signal);
  }

  async run(): Promise<RangesReport> {
    const { signal, progress, sameMedium } = this.#options;
    const total = Math.max(this.#first.size, this.#second.size);
    for await (const pair of pairUp(this.#first, this.#second, 0, total)) {
      const pause = this.#pace();
      if (pause !== undefined) await pause;
      throwIfCancelled(signal);
      if (!isSamePlace(pair, sameMedium)) await this.#add(pair);
      progress?.({ stage: 'comparing', done: pair.offset + pair.length, total });
    }
    await this.#flush();
    return this.#report;
  }

  /** Takes a pair up into windows that begin and end at whole sectors of the disk. */
  async #add(pair: Pair): Promise<void> {
    const end = pair.offset + pair.length;
    for (let at = pair.offset; at < end;) {
      const start = this.#window[0]?.offset ?? at;
      const limit = alignDown(start, SECTOR) + WINDOW;
      if (at >= limit) {
        await this.#flush();
        continue;
      }
      const to = Math.min(end, limit);
      this.#window.push({ ...pair, offset: at, length: to - at });
      at = to;
    }
  }

  async #flush(): Promise<void> {
    const pairs = this.#window;
    this.#window = [];
    const [head, tail] = [pairs[0], pairs.at(-1)];
    if (head === undefined || tail === undefined) return;
    const length = tail.offset + tail.length - head.offset;
    const [a, b] = await Promise.all([
      this.#read(pairs, ({ first }) => first, length),
      this.#read(pairs, ({ second }) => second, length),
    ]);
    throwIfCancelled(this.#options.signal);
    this.#mark(new PieceComparison(a, b), head.offset, head.offset + length);
  }

  /** The bytes of one disk within the pairs; between them are zeros, as in the other disk. */
  #read(
    pairs: readonly Pair[],
    side: (pair: Pair) => ChainExtent | undefined,
    length: number,
  ): Promise<DiskPiece[]> {
    const extents: ChainExtent[] = [];
    for (const pair of pairs) {
      const extent = side(pair);
      if (extent === undefined || isEmpty(extent)) continue;
      if (extent.kind === 'invalid') throw damaged(extent);
      extents.push(cutToPair(extent, pair));
    }
    return readPieces(extents, length, this.#options);
  }

  #mark(both: PieceComparison, start: number, end: number): void {
    for (let at = start; at < end;) {
      const different = both.next(at, end);
      if (different === undefined) return;
      this.#different(different);
      at = alignDown(different, SECTOR) + SECTOR;
    }
  }

  /** A sector in which something is different: in order, and at most twice the same. */
  #different(offset: number): void {
    const longer = Math.max(this.#first.size, this.#second.size);
    const start = Math.max(this.#end, alignDown(offset, SECTOR));
    const end = Math.min(longer, alignDown(offset, SECTOR) + SECTOR);
    if (end <= start) return;
    const report = this.#report;
    report.different += end - start;
    const last = report.first.at(-1);
    if (start === this.#end) {
      if (last !== undefined && last.offset + last.length === start) {
        report.first[report.first.length - 1] = { offset: last.offset, length: end - last.offset };
      }
    } else {
      report.ranges += 1;
      if (report.first.length < this.#options.most) {
        report.first.push({ offset: start, length: end - start });
      }
    }
    this.#end = end;
  }
}

/** Known to be equal without reading: zeros in both, or the very same place of the same file. */
export function isSamePlace({ first, second }: Pair, sameMedium?: SameMedium): boolean {
  if (first === undefined || second === undefined) return isEmpty(first) && isEmpty(second);
  if (isEmpty(first) && isEmpty(second)) return true;
  const isKnown = !first.unknown && !second.unknown && first.kind === second.kind;
  if (!isKnown || first.disk.cipher !== second.disk.cipher) return false;
  const { storage } = first;
  if (storage !== second.storage && sameMedium?.(storage, second.storage) !== true) return false;
  if (first.kind === 'data') {
    return first.hostOffset - first.offset === second.hostOffset - second.offset;
  }
  return (
    first.kind === 'compressed' &&
    first.hostOffset === second.hostOffset &&
    first.hostLength === second.hostLength &&
    first.clusterOffset === second.clusterOffset &&
    (first.packing ?? first.disk.codec) === (second.packing ?? second.disk.codec) &&
    first.unpackedLength === second.unpackedLength
  );
}
