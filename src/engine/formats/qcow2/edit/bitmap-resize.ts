/**
 * Persistent bitmaps of a disk that gets another size. Specification: «Bitmap directory», «Bitmap
 * table». A table has an entry for each cluster of bits that the size needs, no more and no fewer;
 * what is new is unmarked, and bits behind the end are zeros.
 */
import { alignUp, divideRoundUp, isAligned, powerOfTwo } from '../../../binary/units.ts';
import { ImageError } from '../../../errors.ts';
import { readPadded } from '../../../storage/storage.ts';
import type { Qcow2Image } from '../image.ts';
import { BITMAP_ENTRY } from '../layout.ts';
import { entryOffset, readTable, type Table } from '../tables.ts';
import { entryHigh, entryLow, wordsToBytes } from './words.ts';
import type { Qcow2Writer } from './writer.ts';

/** Bit 0 of an entry without an offset: a part of ones. */
const ALL_ONES = 1;
const RESERVED_HIGH = 0xff000000;
const RESERVED_LOW = 0x1fe;
const IN_USE = 1;
/** QEMU's limit for the bits of one bitmap. */
const MAX_BYTES = 512 * 1024 * 1024;

/**
 * @throws ImageError resize-refused (bitmap-inconsistent, bitmap-too-large) where the bitmaps do
 * not let the disk have that size
 */
export function checkBitmaps({ bitmaps, size: oldSize }: Qcow2Image, size: number): void {
  for (const { name, inUse, granularity } of bitmaps) {
    if (inUse) throw new ImageError('resize-refused', { reason: 'bitmap-inconsistent', name });
    if (divideRoundUp(Math.max(size, oldSize), granularity * 8) > MAX_BYTES) {
      throw new ImageError('resize-refused', { reason: 'bitmap-too-large', name });
    }
  }
}

/**
 * Fits every bitmap to a disk of `size` bytes. {@link checkBitmaps} has been asked.
 * @throws ImageError bitmap-damaged; those of reading
 */
export async function resizeBitmaps(
  image: Qcow2Image,
  writer: Qcow2Writer,
  size: number,
): Promise<void> {
  const { bitmaps } = image.header;
  if (bitmaps === undefined) return;
  const { directoryOffset, directorySize } = bitmaps;
  const directory = await readPadded(writer.storage, directoryOffset, directorySize);
  for (let at = 0; at + BITMAP_ENTRY.size <= directorySize;) {
    const entry = BITMAP_ENTRY.read(directory, at);
    if ((entry.flags & IN_USE) === 0) {
      const granularity = powerOfTwo(entry.granularityBits);
      const bits = divideRoundUp(size, granularity);
      const oldBits = divideRoundUp(image.size, granularity);
      const found = image.bitmaps.find(({ tableOffset }) => tableOffset === entry.tableOffset);
      const table = new BitmapTable(writer, found?.name ?? '', entry);
      Object.assign(entry, await table.resize(oldBits, bits));
      BITMAP_ENTRY.write(directory, entry, at);
    }
    at += alignUp(BITMAP_ENTRY.size + entry.extraDataSize + entry.nameSize, 8);
  }
  await writer.storage.write(directoryOffset, directory);
}

/** Where a table is, and how many entries it has. */
interface Place {
  tableOffset: number;
  tableSize: number;
}

/** The table of one bitmap. */
class BitmapTable {
  readonly #writer: Qcow2Writer;
  readonly #name: string;
  readonly #old: Place;

  constructor(writer: Qcow2Writer, name: string, { tableOffset, tableSize }: Place) {
    this.#writer = writer;
    this.#name = name;
    this.#old = { tableOffset, tableSize };
  }

  /** Makes it one of `bits` bits, in the place that it returns. */
  async resize(oldBits: number, bits: number): Promise<Place> {
    const { refcounts, storage, clusterSize } = this.#writer;
    const { tableOffset, tableSize } = this.#old;
    const bitsPerEntry = clusterSize * 8;
    const kept = Math.min(bits, oldBits);
    const entries = divideRoundUp(bits, bitsPerEntry);
    if (tableSize !== divideRoundUp(oldBits, bitsPerEntry)) this.#refuse(tableSize);
    const words = await readTable(storage, tableOffset, tableSize);
    for (let index = 0; index < tableSize; index++) {
      const offset = this.#offsetOf(words, index);
      if (index * bitsPerEntry < kept) continue;
      if (offset !== 0) await refcounts.change(offset, clusterSize, -1);
      words.fill(0, index * 2, index * 2 + 2);
    }
    await this.#cut(words, kept, bits);
    const fits = entries === tableSize;
    const next = fits ? words : new Uint32Array(entries * 2);
    if (!fits) next.set(words.subarray(0, entries * 2));
    const clusters = divideRoundUp(entries * 8, clusterSize);
    const isSame = clusters === divideRoundUp(tableSize * 8, clusterSize);
    const place = isSame ? tableOffset : await refcounts.allocate(clusters);
    if (!isSame) await refcounts.change(tableOffset, tableSize * 8, -1);
    await storage.write(place, wordsToBytes(next));
    return { tableOffset: place, tableSize: entries };
  }

  /** Bits of the last part that is kept, behind `kept`: none of them is marked. */
  async #cut(words: Table, kept: number, bits: number): Promise<void> {
    const { refcounts, storage, clusterSize } = this.#writer;
    const bitsPerEntry = clusterSize * 8;
    const index = Math.floor(kept / bitsPerEntry);
    const within = kept % bitsPerEntry;
    if (within === 0 || index * 2 >= words.length) return;
    const offset = this.#offsetOf(words, index);
    const isOnes = offset === 0 && ((words[index * 2 + 1] as number) & ALL_ONES) !== 0;
    if (offset === 0 && (!isOnes || bits === kept)) return;
    const bytes = isOnes
      ? new Uint8Array(clusterSize).fill(0xff)
      : await readPadded(storage, offset, clusterSize);
    const byte = Math.floor(within / 8);
    bytes[byte] = (bytes[byte] as number) & ((1 << (within % 8)) - 1);
    bytes.fill(0, byte + 1);
    const place = isOnes ? await refcounts.allocate(1) : offset;
    words[index * 2] = entryHigh(place);
    words[index * 2 + 1] = entryLow(place);
    await storage.write(place, bytes);
  }

  /** Where an entry's bits are, bytes; 0 for all the same. */
  #offsetOf(words: Table, index: number): number {
    const high = words[index * 2] as number;
    const low = words[index * 2 + 1] as number;
    const offset = entryOffset(high, low);
    const flag = (low & ALL_ONES) !== 0;
    const isReserved = (high & RESERVED_HIGH) !== 0 || (low & RESERVED_LOW) !== 0;
    const isSound =
      !isReserved && isAligned(offset, this.#writer.clusterSize) && (offset === 0 || !flag);
    return isSound ? offset : this.#refuse(index);
  }

  #refuse(entry: number): never {
    throw new ImageError('bitmap-damaged', { name: this.#name, entry });
  }
}
