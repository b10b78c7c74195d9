/**
 * Giving an image another backing image without changing what its guest reads: what the two backing
 * images hold differently, and the image does not hold itself, becomes the image's own.
 */
import { alignDown, alignUp } from '../binary/units.ts';
import { InlinePool, type CodecPool } from '../codecs/pool.ts';
import { throwIfCancelled } from '../errors.ts';
import type { WritablePacking } from '../codecs/packing.ts';
import type { Disk, DiskWriter, Extent } from '../formats/format.ts';
import { GuestWriter } from '../formats/qcow2/edit/guest-writer.ts';
import type { Qcow2Writer } from '../formats/qcow2/edit/writer.ts';
import type { Qcow2Image } from '../formats/qcow2/image.ts';
import type { ByteRange } from '../storage/range-set.ts';
import { mapChain } from './chain.ts';
import { pairUp, type Pair } from './disk-pairs.ts';
import { isSamePlace, type SameMedium } from './compare-ranges.ts';
import type { RunOptions } from './operation.ts';
import { readDisk, readerOfOldBelow } from './read.ts';
import { pacer } from './yield.ts';

export interface RebaseOptions extends RunOptions {
  /** Packs the clusters that have to be taken over, where they get smaller by it. */
  compress?: boolean | undefined;
  pool?: CodecPool | undefined;
  /** Tells files that were opened twice: what both backing images have there is not compared. */
  sameMedium?: SameMedium | undefined;
}

/** Guest bytes. */
export interface RebaseReport {
  /** Of both backing images that were read and compared. */
  compared: number;
  /** That the image took over. */
  copied: number;
  /** That became zeros of its own. */
  zeroed: number;
}

/** Guest bytes that are read and compared at once. */
const WINDOW = 4 * 1024 * 1024;

/** What is written into. Guest offsets in bytes. */
export interface RebaseTarget extends Pick<DiskWriter, 'write' | 'zero' | 'writePacked'> {
  /** Bytes that are taken over together: a cluster, or a part of one that has a place of its own. */
  readonly unit: number;
  readonly clusterSize: number;
  /** How clusters are packed; undefined where none can be packed as a whole. */
  readonly packing: WritablePacking | undefined;
}

/** A qcow2 image to be written into. Its backing image is open. */
export function rebaseIntoQcow2(
  image: Qcow2Image,
  writer: Qcow2Writer,
  options: RebaseOptions = {},
): RebaseTarget {
  const { unit, clusterSize, isExtended } = writer;
  const guest = new GuestWriter(image, writer, readerOfOldBelow(image, options));
  return {
    ...{ unit, clusterSize },
    // Where subclusters are there already, the cluster cannot be packed as a whole.
    packing: isExtended ? undefined : image.codec,
    write: (offset, bytes) => guest.write(offset, bytes),
    zero: (offset, length) => guest.zero(offset, length),
    writePacked: (offset, packed) => guest.writePacked(offset, packed),
  };
}

/**
 * The most that a rebase may take over, by the tables alone: what the two backing images do not have
 * at the same place of the same file. Guest bytes.
 * @throws ImageError cancelled and those of reading
 */
export async function planRebase(
  image: Disk,
  next: Disk | undefined,
  { signal, progress, sameMedium }: RebaseOptions = {},
): Promise<{ data: number; zeros: number }> {
  const most = { data: 0, zeros: 0 };
  const pace = pacer(signal);
  const { size, backing } = image;
  for (let at = 0; at < size;) {
    const extents = await image.map(at, size - at);
    if (extents.length === 0) break;
    for (const { kind, offset, length } of extents) {
      at = offset + length;
      if (kind !== 'unallocated') continue;
      for await (const pair of pairsBelow(backing, next, offset, at)) {
        const pause = pace();
        if (pause !== undefined) await pause;
        throwIfCancelled(signal);
        if (isSamePlace(pair, sameMedium)) continue;
        // Zeros within the old one are copied; behind its end, and where there is none, they are said.
        if (pair.first === undefined) most.zeros += pair.length;
        else most.data += pair.length;
      }
    }
    progress?.({ stage: 'planning', done: at, total: size });
  }
  return most;
}

/** Both backing images run by run; where one is missing, the other's runs. */
async function* pairsBelow(
  old: Disk | undefined,
  next: Disk | undefined,
  start: number,
  end: number,
): AsyncGenerator<Pair> {
  if (old !== undefined && next !== undefined) {
    yield* pairUp(old, next, start, end);
    return;
  }
  const only = old ?? next;
  if (only === undefined) return;
  for await (const batch of mapChain(only, start, Math.max(0, end - start))) {
    for (const extent of batch) {
      const { offset, length } = extent;
      const [first, second] = old === undefined ? [undefined, extent] : [extent, undefined];
      yield { offset, length, first, second, sameStatus: true };
    }
  }
}

/**
 * Takes over into the image whatever it would read differently with `next` below it. The name of
 * its backing image is not changed by this, and nothing is complete before the writer is flushed.
 * @param image as it is, its backing image open
 * @param next what is to be its backing image; undefined for none
 * @throws ImageError unreadable-cluster, cancelled and those of reading and writing
 */
export async function rebaseContent(
  image: Disk,
  target: RebaseTarget,
  next: Disk | undefined,
  options: RebaseOptions = {},
): Promise<RebaseReport> {
  const own = options.pool === undefined ? new InlinePool() : undefined;
  try {
    const pool = options.pool ?? own ?? new InlinePool();
    return await new Rebase(image, target, next, { ...options, pool }).run();
  } finally {
    own?.close();
  }
}

class Rebase {
  readonly #image: Disk;
  readonly #old: Disk | undefined;
  readonly #next: Disk | undefined;
  readonly #target: RebaseTarget;
  readonly #options: RebaseOptions & { pool: CodecPool };
  readonly #report: RebaseReport = { compared: 0, copied: 0, zeroed: 0 };
  readonly #pace: () => Promise<void> | undefined;

  constructor(
    image: Disk,
    target: RebaseTarget,
    next: Disk | undefined,
    options: RebaseOptions & { pool: CodecPool },
  ) {
    this.#image = image;
    this.#target = target;
    this.#old = image.backing;
    this.#next = next;
    this.#options = options;
    this.#pace = pacer(options.signal);
  }

  async run(): Promise<RebaseReport> {
    const { size } = this.#image;
    for (let at = 0; at < size;) {
      const extents = await this.#image.map(at, size - at);
      for (const extent of extents) {
        if (extent.kind === 'unallocated') await this.#takeOver(extent);
        at = extent.offset + extent.length;
        this.#options.progress?.({ stage: 'comparing', done: at, total: size });
      }
      if (extents.length === 0) break;
    }
    return this.#report;
  }

  /** A run that the image does not hold: windows of it in which the two may differ. */
  async #takeOver({ offset, length }: Extent): Promise<void> {
    const { unit } = this.#target;
    const end = offset + length;
    // Whole units, from the one that follows what was looked at last.
    let start = offset;
    let reached = offset;
    for await (const pair of pairsBelow(this.#old, this.#next, offset, end)) {
      const pause = this.#pace();
      if (pause !== undefined) await pause;
      throwIfCancelled(this.#options.signal);
      if (isSamePlace(pair, this.#options.sameMedium)) continue;
      let at = Math.max(reached, alignDown(pair.offset, unit));
      const until = Math.min(end, alignUp(pair.offset + pair.length, unit));
      while (at < until) {
        const isFar = at > reached || at - start >= WINDOW;
        if (isFar) {
          await this.#compare({ offset: start, length: reached - start });
          start = at;
        }
        reached = Math.min(until, start + WINDOW);
        at = reached;
      }
    }
    await this.#compare({ offset: start, length: reached - start });
  }

  async #compare({ offset, length }: ByteRange): Promise<void> {
    if (length === 0) return;
    const { unit } = this.#target;
    const [old, next] = await Promise.all([
      this.#read(this.#old, offset, length),
      this.#read(this.#next, offset, length),
    ]);
    this.#report.compared += length;
    for (let at = 0; at < length;) {
      const unitEnd = (from: number) =>
        Math.min(length, alignDown(offset + from, unit) + unit - offset);
      const isEqual = (from: number) => equal(old, next, from, unitEnd(from));
      if (isEqual(at)) {
        at = unitEnd(at);
        continue;
      }
      // Zeros that the old one holds are data like all the rest, as the real program has it.
      const isBehind = (from: number) => offset + from >= (this.#old?.size ?? 0);
      const empty = isBehind(at);
      let to = unitEnd(at);
      while (to < length && !isEqual(to) && isBehind(to) === empty) to = unitEnd(to);
      await this.#own(offset + at, old.slice(at, to), empty);
      at = to;
    }
  }

  /** What was the old backing image's becomes the image's own. */
  async #own(offset: number, bytes: Uint8Array<ArrayBuffer>, empty: boolean): Promise<void> {
    const { length } = bytes;
    if (empty) {
      this.#report.zeroed += length;
      await this.#target.zero(offset, length);
      return;
    }
    this.#report.copied += length;
    const { clusterSize, packing } = this.#target;
    const packs = this.#options.compress === true && offset % clusterSize === 0;
    if (packs && packing !== undefined) await this.#pack(offset, bytes, packing);
    else await this.#target.write(offset, bytes);
  }

  async #pack(
    offset: number,
    bytes: Uint8Array<ArrayBuffer>,
    codec: WritablePacking,
  ): Promise<void> {
    const { clusterSize } = this.#target;
    const data = new Uint8Array(alignUp(bytes.length, clusterSize));
    data.set(bytes);
    const { packed, lengths } = await this.#options.pool.pack({ codec, data, clusterSize });
    let from = 0;
    for (const [index, length] of lengths.entries()) {
      const at = index * clusterSize;
      const plain = bytes.slice(at, at + clusterSize);
      if (length === 0) await this.#target.write(offset + at, plain);
      else await this.#target.writePacked(offset + at, packed.slice(from, from + length));
      from += length;
    }
  }

  /** Zeros behind the end of a disk, and where there is none. */
  async #read(
    disk: Disk | undefined,
    offset: number,
    length: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length);
    const there = disk === undefined ? 0 : Math.min(length, disk.size - offset);
    if (disk === undefined || there <= 0) return bytes;
    const { pool, signal } = this.#options;
    bytes.set(await readDisk(disk, offset, there, { pool, signal }));
    return bytes;
  }
}

function equal(a: Uint8Array, b: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (a[at] !== b[at]) return false;
  return true;
}
