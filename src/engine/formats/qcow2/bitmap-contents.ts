/**
 * What a persistent bitmap marks: ranges of the guest's disk. Specification: «Bitmap table»,
 * «Bitmap data». Read in pieces, so that a bitmap of any size takes a few MiB.
 */
import { divideRoundUp, isAligned } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import { gather, REQUEST_LIMIT, type Piece } from '../../storage/gather.ts';
import type { Bitmap } from './bitmaps.ts';
import type { Qcow2Image } from './image.ts';
import { entryOffset, readTable, type Table } from './tables.ts';

/** A run of marked guest bytes. */
export interface MarkedRange {
  offset: number;
  length: number;
}

/** Table entries that are read at once. */
const ENTRIES_AT_ONCE = 8 * 1024;
/** Bytes of a bitmap between two looks at how many ranges there are. */
const BYTES_AT_ONCE = 8 * 1024;
/** A batch ends after about this many ranges. */
const RANGES_AT_ONCE = 64 * 1024;

/** In a table entry without an offset: all bits of that part are ones. */
const ALL_ONES = 1;
/** Bits of an entry that have to be zero; bit 0 too, where there is an offset. */
const RESERVED_HIGH = 0xff000000;
const RESERVED_LOW = 0x1fe;

/** A part of a bitmap in which something may be marked: one cluster of bits. */
export interface BitmapPart {
  /** The first granule. */
  readonly granule: number;
  /** Granules. */
  readonly count: number;
  /** «Bitmap data»: bit b of byte n stands for the granule 8n + b of the part. */
  readonly bits: Uint8Array | 'ones';
}

/**
 * The ranges that a bitmap marks, in guest order, neighbours joined, in batches. The last one ends
 * with the disk at the latest. Bits of a bitmap that was not saved cleanly (`inUse`) are what the
 * file says, and not to be trusted.
 * @throws ImageError bitmap-damaged where the table says what no table may say, and those of reading
 */
export async function* readBitmap(
  image: Qcow2Image,
  bitmap: Bitmap,
): AsyncGenerator<MarkedRange[], undefined> {
  const runs = new MarkedRuns(bitmap.granularity, image.size);
  for await (const parts of readBitmapParts(image, bitmap)) {
    for (const { granule, count, bits } of parts) {
      if (bits === 'ones') {
        runs.mark(granule, count);
        continue;
      }
      // A single cluster can hold millions of ranges.
      for (let at = 0; at < bits.length; at += BYTES_AT_ONCE) {
        runs.addBits(granule + at * 8, bits.subarray(at, at + BYTES_AT_ONCE));
        if (runs.count >= RANGES_AT_ONCE) yield runs.take();
      }
    }
    if (runs.count >= RANGES_AT_ONCE) yield runs.take();
  }
  runs.end();
  const rest = runs.take();
  if (rest.length > 0) yield rest;
  return undefined;
}

/**
 * The same as it is in the file, in rising order: parts in which nothing is marked are left out,
 * those that are there may have bits behind the end of the disk.
 * @throws ImageError bitmap-damaged, and those of reading
 */
export async function* readBitmapParts(
  image: Qcow2Image,
  bitmap: Bitmap,
): AsyncGenerator<BitmapPart[], undefined> {
  const { clusterSize, storage, size } = image;
  const count = clusterSize * 8;
  const granules = divideRoundUp(size, bitmap.granularity);
  const entries = Math.min(bitmap.tableSize, divideRoundUp(granules, count));
  const atOnce = Math.max(1, Math.floor(REQUEST_LIMIT / clusterSize));
  for (let first = 0; first < entries; first += ENTRIES_AT_ONCE) {
    const read = Math.min(ENTRIES_AT_ONCE, entries - first);
    const table = await readTable(storage, bitmap.tableOffset + first * 8, read);
    for (let from = 0; from < read; from += atOnce) {
      const parts = partsOf(table, from, Math.min(read, from + atOnce), clusterSize);
      const bad = parts.indexOf('bad');
      if (bad >= 0) {
        const entry = first + from + bad;
        throw new ImageError('bitmap-damaged', { name: bitmap.name, entry });
      }
      const clusters = await readClusters(image, parts);
      const found: BitmapPart[] = [];
      for (const [index, part] of parts.entries()) {
        const bits = part === 'ones' ? part : clusters.get(index);
        const granule = (first + from + index) * count;
        if (bits !== undefined) found.push({ granule, count, bits });
      }
      yield found;
    }
  }
  return undefined;
}

/** What a table entry stands for: a whole part of zeros or of ones, or bits in a cluster. */
export type Part = 'zeros' | 'ones' | 'bad' | number;

export function partsOf(table: Table, from: number, to: number, clusterSize: number): Part[] {
  const parts: Part[] = [];
  for (let index = from; index < to; index++) {
    const high = table[index * 2] as number;
    const low = table[index * 2 + 1] as number;
    const offset = entryOffset(high, low);
    const isReserved = (high & RESERVED_HIGH) !== 0 || (low & RESERVED_LOW) !== 0;
    const flag = (low & ALL_ONES) !== 0;
    const isBad = isReserved || !isAligned(offset, clusterSize) || (offset !== 0 && flag);
    if (isBad) parts.push('bad');
    else if (offset !== 0) parts.push(offset);
    else parts.push(flag ? 'ones' : 'zeros');
  }
  return parts;
}

/** The clusters that hold bits, by the index of their part. Behind the end of the file: zeros. */
async function readClusters(
  { storage, clusterSize }: Qcow2Image,
  parts: readonly Part[],
): Promise<Map<number, Uint8Array>> {
  const pieces: (Piece & { index: number })[] = [];
  for (const [index, part] of parts.entries()) {
    if (typeof part === 'number') pieces.push({ offset: part, length: clusterSize, index });
  }
  const clusters = new Map<number, Uint8Array>();
  await gather(storage, pieces, ({ index }, bytes) => clusters.set(index, bytes));
  return clusters;
}

/** Joins marked granules to ranges of bytes. Granules come in rising order. */
class MarkedRuns {
  readonly #granularity: number;
  readonly #size: number;
  #ranges: MarkedRange[] = [];
  /** First granule of the run that is going on, or -1. */
  #start = -1;
  /** Behind its last granule. */
  #end = 0;

  constructor(granularity: number, size: number) {
    this.#granularity = granularity;
    this.#size = size;
  }

  get count(): number {
    return this.#ranges.length;
  }

  /** Continues the run that is going on, or begins one. */
  mark(granule: number, count: number): void {
    if (granule !== this.#end) this.end();
    if (this.#start < 0) this.#start = granule;
    this.#end = granule + count;
  }

  /** «Bitmap data»: bit b of byte n stands for granule 8n + b. */
  addBits(first: number, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < bytes.length; at += 4) {
      const granule = first + at * 8;
      const word = view.getInt32(at, true);
      if (word === 0) this.end();
      else if (word === -1) this.mark(granule, 32);
      else this.#addWord(granule, word);
    }
  }

  #addWord(granule: number, word: number): void {
    for (let bit = 0; bit < 32; bit++) {
      if (((word >>> bit) & 1) === 1) this.mark(granule + bit, 1);
      else this.end();
    }
  }

  /** Ends the run that is going on. What is behind the end of the disk marks nothing. */
  end(): void {
    if (this.#start < 0) return;
    const offset = this.#start * this.#granularity;
    const end = Math.min(this.#end * this.#granularity, this.#size);
    if (end > offset) this.#ranges.push({ offset, length: end - offset });
    this.#start = -1;
  }

  take(): MarkedRange[] {
    const ranges = this.#ranges;
    this.#ranges = [];
    return ranges;
  }
}
