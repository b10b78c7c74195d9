/**
 * Persistent bitmaps that are added, removed and changed, and kept true while others change the
 * disk. Specification: «Bitmaps extension», «Bitmap directory».
 */
import { alignUp, divideRoundUp, powerOfTwo } from '../../../binary/units.ts';
import { ImageError, isImageError, type BitmapRefusal } from '../../../errors.ts';
import { ReadWindow } from '../../../storage/window.ts';
import type { MarkedRange } from '../bitmap-contents.ts';
import type { Bitmap } from '../bitmaps.ts';
import type { Qcow2Image } from '../image.ts';
import { BITMAP_ENTRY, LIMITS } from '../layout.ts';
import { BitmapBits, tableEntries } from './bitmap-bits.ts';
import type { Qcow2Writer } from './writer.ts';

const IN_USE = 1;
const AUTO = 2;
const AUTOCLEAR_BITMAPS = 1n;
const LARGEST_GRANULARITY = powerOfTwo(31);
/** Bits of one bitmap, bytes: QEMU's limit. */
const MAX_BYTES = 512 * 1024 * 1024;

/** A bitmap of the directory. */
interface Entry {
  readonly name: string;
  /** As it is in the file. */
  readonly nameBytes: Uint8Array;
  readonly granularity: number;
  readonly inUse: boolean;
  auto: boolean;
  readonly tableOffset: number;
  readonly tableSize: number;
  /** Once it was changed. */
  bits: BitmapBits | undefined;
}

/** What a new bitmap is to be. */
export interface NewBitmap {
  /** Guest bytes that one bit stands for; undefined: as long as a cluster, from 4 to 64 KiB. */
  granularity?: number | undefined;
  /** Whether it records changes from now on; without it, it does. */
  enabled?: boolean;
}

/** The bitmaps of an image, to be changed; what changes is in the file after {@link flush}. */
export class BitmapDirectory {
  readonly #writer: Qcow2Writer;
  /** Of the disk, bytes. */
  readonly #size: number;
  readonly #entries: Entry[];
  #changed = false;

  private constructor(writer: Qcow2Writer, size: number, entries: Entry[]) {
    this.#writer = writer;
    this.#size = size;
    this.#entries = entries;
  }

  /**
   * Those of an image that is there.
   * @param writer opened from `image`
   */
  static async open(image: Qcow2Image, writer: Qcow2Writer): Promise<BitmapDirectory> {
    return new BitmapDirectory(writer, image.size, await readEntries(image));
  }

  /**
   * Those of an image that is being made: none yet.
   * @param size of its disk, bytes
   */
  static empty(writer: Qcow2Writer, size: number): BitmapDirectory {
    return new BitmapDirectory(writer, size, []);
  }

  /** @throws ImageError bitmap-refused */
  async add(name: string, { granularity, enabled = true }: NewBitmap = {}): Promise<void> {
    const { refcounts, storage, clusterSize } = this.#writer;
    const nameBytes = new TextEncoder().encode(name);
    const chosen = granularity ?? Math.min(65536, Math.max(4096, clusterSize));
    this.#checkNew(name, nameBytes, chosen);
    const tableSize = tableEntries(this.#size, chosen, clusterSize);
    const tableOffset = await refcounts.allocate(divideRoundUp(tableSize * 8, clusterSize));
    await storage.write(tableOffset, new Uint8Array(tableSize * 8));
    this.#entries.push({
      ...{ name, nameBytes, granularity: chosen, tableOffset, tableSize },
      ...{ inUse: false, auto: enabled, bits: undefined },
    });
    this.#changed = true;
  }

  #checkNew(name: string, nameBytes: Uint8Array, granularity: number): void {
    if (name === '') this.#refuse('name-empty', name);
    if (granularity < 512 || !Number.isInteger(Math.log2(granularity))) {
      this.#refuse('granularity', name);
    }
    if (this.#entries.some((one) => one.name === name)) this.#refuse('exists', name);
    if (this.#writer.header.fields.version < 3) this.#refuse('version', name);
    if (granularity > LARGEST_GRANULARITY) this.#refuse('granularity-large', name);
    if (divideRoundUp(this.#size, granularity * 8) > MAX_BYTES) this.#refuse('too-large', name);
    if (nameBytes.length > LIMITS.bitmapNameBytes) this.#refuse('name-long', name);
    if (this.#entries.length >= LIMITS.bitmaps) this.#refuse('too-many', name);
    const size = this.#entries.reduce((sum, entry) => sum + entrySize(entry), 0);
    if (size + entrySize({ nameBytes }) > LIMITS.bitmapDirectoryBytes) {
      this.#refuse('directory-full', name);
    }
    if (this.#size === 0) this.#refuse('empty-disk', name);
  }

  /**
   * Removes a bitmap; one that was not saved cleanly, too.
   * @throws ImageError bitmap-missing
   */
  async remove(name: string): Promise<void> {
    const entry = this.#find(name);
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    this.#changed = true;
    try {
      await (await this.#bitsOf(entry)).free();
    } catch (error) {
      // What its table names may be anything: it is left as it is, for a check to find.
      if (!isImageError(error, 'bitmap-damaged')) throw error;
    }
  }

  /** Unmarks everything. @throws ImageError bitmap-missing, bitmap-refused, bitmap-damaged */
  async clear(name: string): Promise<void> {
    await (await this.#bitsOf(this.#findUsable(name))).clear();
  }

  /** Whether changes are recorded. @throws ImageError bitmap-missing, bitmap-refused */
  enable(name: string, enabled: boolean): void {
    const entry = this.#findUsable(name);
    if (entry.auto === enabled) return;
    entry.auto = enabled;
    this.#changed = true;
  }

  /**
   * Marks besides what another bitmap marks.
   * @param image where that one is: another image, or the one that is being changed
   * @throws ImageError bitmap-missing, bitmap-refused, bitmap-damaged
   */
  async merge(name: string, image: Qcow2Image | undefined, source: string): Promise<void> {
    const target = this.#find(name);
    const isOwn = image?.storage === this.#writer.storage;
    const bitmap = isOwn ? this.#find(source) : image?.bitmaps.find((one) => one.name === source);
    if (bitmap === undefined || image === undefined) {
      throw new ImageError('bitmap-missing', { name: source });
    }
    if (target.inUse) this.#refuse('inconsistent', name);
    if (bitmap.inUse) this.#refuse('inconsistent', source);
    if (image.size !== this.#size) {
      const sizes = { size: this.#size, sourceSize: image.size };
      throw new ImageError('bitmap-refused', { reason: 'sizes', name, ...sizes });
    }
    if (bitmap === target) return;
    // What is read is the file.
    if (isOwn) await this.#find(source).bits?.flush();
    await (await this.#bitsOf(target)).merge(image, bitmap);
  }

  /**
   * Adds the bitmaps of another image, apart from those that were not saved cleanly.
   * @throws ImageError bitmap-refused, bitmap-damaged
   */
  async copy(image: Qcow2Image): Promise<void> {
    const first = this.#entries.length;
    // From the last to the first, as the real program does: so it is said which cannot be copied.
    for (const { name, granularity, auto, inUse } of image.bitmaps.toReversed()) {
      if (inUse) continue;
      await this.add(name, { granularity, enabled: auto });
      await this.merge(name, image, name);
    }
    for (const entry of this.#entries.splice(first).reverse()) this.#entries.push(entry);
  }

  /** Marks ranges of the disk in every bitmap that records changes. */
  async record(ranges: readonly MarkedRange[]): Promise<void> {
    for (const entry of this.#entries) {
      if (!entry.auto || entry.inUse) continue;
      const bits = await this.#bitsOf(entry);
      await bits.mark(ranges);
      // One after the other: there may be many.
      await bits.flush();
      entry.bits = undefined;
    }
  }

  /** Writes what has changed; the header is for {@link Qcow2Writer.flush} to write. */
  async flush(): Promise<void> {
    for (const { bits } of this.#entries) await bits?.flush();
    if (this.#changed) await this.#write();
    this.#changed = false;
  }

  async #write(): Promise<void> {
    const { header, refcounts, storage, clusterSize } = this.#writer;
    const old = header.bitmaps;
    const directory = this.#serialize();
    const directorySize = directory.length;
    if (directorySize === 0) {
      header.bitmaps = undefined;
      header.fields.autoclearFeatures &= ~AUTOCLEAR_BITMAPS;
    } else {
      const directoryOffset = await refcounts.allocate(divideRoundUp(directorySize, clusterSize));
      await storage.write(directoryOffset, directory);
      header.bitmaps = { count: this.#entries.length, directorySize, directoryOffset };
      header.fields.autoclearFeatures |= AUTOCLEAR_BITMAPS;
    }
    if (old !== undefined) await refcounts.change(old.directoryOffset, old.directorySize, -1);
  }

  #serialize(): Uint8Array {
    const size = this.#entries.reduce((sum, entry) => sum + entrySize(entry), 0);
    const directory = new Uint8Array(size);
    let at = 0;
    for (const entry of this.#entries) {
      const { nameBytes, granularity } = entry;
      const values = {
        tableOffset: entry.tableOffset,
        tableSize: entry.tableSize,
        flags: (entry.inUse ? IN_USE : 0) | (entry.auto ? AUTO : 0),
        type: 1,
        granularityBits: Math.log2(granularity),
        nameSize: nameBytes.length,
        extraDataSize: 0,
      };
      BITMAP_ENTRY.write(directory, values, at);
      directory.set(nameBytes, at + BITMAP_ENTRY.size);
      at += entrySize(entry);
    }
    return directory;
  }

  #find(name: string): Entry {
    const found = this.#entries.find((entry) => entry.name === name);
    if (found === undefined) throw new ImageError('bitmap-missing', { name });
    return found;
  }

  #findUsable(name: string): Entry {
    const found = this.#find(name);
    if (found.inUse) this.#refuse('inconsistent', name);
    return found;
  }

  async #bitsOf(entry: Entry): Promise<BitmapBits> {
    entry.bits ??= await BitmapBits.open(this.#writer, entry, this.#size);
    return entry.bits;
  }

  #refuse(reason: BitmapRefusal, name: string): never {
    const size = this.#size;
    throw new ImageError('bitmap-refused', { reason, name, size, sourceSize: size });
  }
}

/** Bytes of an entry in the directory. */
function entrySize({ nameBytes }: { readonly nameBytes: Uint8Array }): number {
  return alignUp(BITMAP_ENTRY.size + nameBytes.length, 8);
}

/** The directory's entries, with their names as they are in the file. */
async function readEntries({ header, bitmaps, storage }: Qcow2Image): Promise<Entry[]> {
  if (header.bitmaps === undefined) return [];
  const directory = new ReadWindow(storage, header.bitmaps.directoryOffset);
  const entries: Entry[] = [];
  let at = 0;
  for (const bitmap of bitmaps) {
    const { nameSize } = BITMAP_ENTRY.read(await directory.read(at, BITMAP_ENTRY.size));
    const nameBytes = (await directory.read(at + BITMAP_ENTRY.size, nameSize)).slice();
    const entry = { ...bitmap, nameBytes, bits: undefined };
    entries.push(entry);
    at += entrySize(entry);
  }
  return entries;
}

/** Whether changes of the disk have to be recorded in bitmaps. */
export function recordsChanges({ bitmaps }: { readonly bitmaps: readonly Bitmap[] }): boolean {
  return bitmaps.some(({ auto, inUse }) => auto && !inUse);
}

/**
 * Keeps the bitmaps of an image true: those that record changes mark what was changed. To be called
 * by whoever changes what the guest reads, as often as it likes, before the writer is flushed.
 * Bitmaps that were not saved cleanly stay what they are.
 * @param writer opened from `image`
 * @param changed guest ranges, bytes, best in rising order
 * @throws ImageError bitmap-damaged; those of reading and writing
 */
export async function keepBitmaps(
  image: Qcow2Image,
  writer: Qcow2Writer,
  changed: readonly MarkedRange[],
): Promise<void> {
  if (changed.length === 0 || !recordsChanges(image)) return;
  const directory = await BitmapDirectory.open(image, writer);
  await directory.record(changed);
  await directory.flush();
}
