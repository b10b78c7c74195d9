/**
 * Another virtual size for an image. Specification: «Header», «Cluster mapping», «Host cluster
 * management». What is new reads as zeros, whatever lies below; what is cut off is gone, down to
 * the refcounts and the end of the file.
 */
import { alignDown, alignUp, divideRoundUp, isAligned, SECTOR } from '../../../binary/units.ts';
import { ImageError } from '../../../errors.ts';
import { fillWithZeros } from '../../../storage/fill.ts';
import { openQcow2, type Qcow2Image } from '../image.ts';
import { LIMITS } from '../layout.ts';
import { compressedLayout, compressedLength, compressedOffset } from '../mapping.ts';
import { COMPRESSED_HIGH, entryOffset, ZERO_LOW } from '../tables.ts';
import { checkBitmaps, resizeBitmaps } from './bitmap-resize.ts';
import type { Qcow2Options } from './create.ts';
import { GuestWriter, type ReadBelow } from './guest-writer.ts';
import { editQcow2 } from './open.ts';
import { TableWalk } from './table-walk.ts';
import type { Qcow2Writer } from './writer.ts';

export interface Qcow2ResizeOptions {
  /** What becomes of the clusters that are new; only for a disk that grows. */
  preallocation?: Qcow2Options['preallocation'] | undefined;
  /** Size of the disk of the backing image, bytes; undefined where there is none. */
  backingSize?: number | undefined;
  /** Reads it. */
  readBelow?: ReadBelow | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Gives the disk of an image another size. It works on `image.storage` and, where there is one, on
 * `image.dataFile`, which are to be overlays; the image itself does not see what changes.
 * @param size bytes
 * @throws ImageError resize-refused, and nothing is changed then; too-large; those of editQcow2 and
 * of damaged tables
 */
export async function resizeQcow2(
  image: Qcow2Image,
  size: number,
  options: Qcow2ResizeOptions = {},
): Promise<void> {
  checkResize(image, size, options);
  if (size >= image.size) await grow(image, size, options);
  else await shrink(image, size, options);
}

/** The order of the tests is QEMU's. */
function checkResize(image: Qcow2Image, size: number, options: Qcow2ResizeOptions): void {
  const { header, clusterSize } = image;
  if (!isAligned(size, SECTOR))
    throw new ImageError('resize-refused', { reason: 'sectors', name: '' });
  if (header.snapshotCount > 0 && header.version < 3) {
    throw new ImageError('resize-refused', { reason: 'snapshots', name: '' });
  }
  checkBitmaps(image, size);
  const entries = divideRoundUp(size, header.l2Coverage);
  if (entries * 8 > LIMITS.l1Bytes) {
    const limit = (LIMITS.l1Bytes / 8) * header.l2Coverage;
    throw new ImageError('too-large', { what: 'virtual size', value: String(size), limit });
  }
  // Version 2 cannot say that a cluster reads as zeros; clusters of its own do.
  const isWritten = options.preallocation === 'falloc' || options.preallocation === 'full';
  const reachesClusters = size > alignUp(image.size, clusterSize);
  if (header.version < 3 && hidesBacking(image, size, options) && reachesClusters && !isWritten) {
    throw new ImageError('resize-refused', { reason: 'zeros', name: '' });
  }
}

/** Whether the backing image would show where the disk is new. */
function hidesBacking(image: Qcow2Image, size: number, options: Qcow2ResizeOptions): boolean {
  return size > image.size && (options.backingSize ?? 0) > image.size;
}

async function shrink(
  image: Qcow2Image,
  size: number,
  { signal }: Qcow2ResizeOptions,
): Promise<void> {
  const writer = await editQcow2(image);
  await crop(writer, size, signal);
  await resizeBitmaps(image, writer, size);
  writer.header.fields.size = size;
  await cutFile(writer);
  await image.dataFile?.resize(size);
}

/**
 * Takes everything out of the active tables, so that the backing image shows, and gives its room
 * back; size, snapshots and bitmaps stay.
 * @returns bytes within the file that were freed and taken
 * @throws ImageError those of editQcow2 and of damaged tables
 */
export async function emptyQcow2(
  image: Qcow2Image,
  signal?: AbortSignal,
): Promise<{ freed: number; taken: number }> {
  const writer = await editQcow2(image);
  await crop(writer, 0, signal);
  await cutFile(writer);
  return writer.refcounts.moved;
}

/** Ends the file behind the last cluster that is in use. */
async function cutFile(writer: Qcow2Writer): Promise<void> {
  await writer.flush();
  await writer.refcounts.dropEmptyBlocks();
  await writer.flush();
  const { storage, clusterSize } = writer;
  const used = (await writer.refcounts.lastUsed(storage.size)) + 1;
  if (used * clusterSize < storage.size) await storage.resize(used * clusterSize);
}

async function grow(image: Qcow2Image, size: number, options: Qcow2ResizeOptions): Promise<void> {
  const { header } = image;
  const writer = await editQcow2(image);
  // What lies behind the end, be it the state of a machine, must not become a part of the disk.
  await crop(writer, image.size, options.signal);
  await writer.growL1(divideRoundUp(size, header.l2Coverage));
  await resizeBitmaps(image, writer, size);
  writer.header.fields.size = size;
  await writer.flush();
  await image.dataFile?.resize(Math.max(size, image.dataFile.size));
  // As a raw disk, the data file has to be all that there is to read.
  const asked = options.preallocation ?? 'off';
  const preallocation = asked === 'off' && header.dataFileRaw ? 'metadata' : asked;
  const isHiding = hidesBacking(image, size, options);
  if (size === image.size) return;
  const grown = await reopenQcow2(image);
  if (preallocation === 'off' && !isHiding) return clearTail(grown, image.size, options);
  const added = new AddedRange(grown, await editQcow2(grown), image.size, options);
  await added.fillHead(preallocation);
  await added.fillClusters(preallocation, isHiding);
}

/** The same image as it is in the overlay now. */
export async function reopenQcow2(image: Qcow2Image): Promise<Qcow2Image> {
  const again = await openQcow2(image.storage, 'read');
  again.backing = image.backing;
  again.withoutBacking = image.withoutBacking;
  again.dataFile = image.dataFile;
  again.cipher = image.cipher;
  return again;
}

/**
 * What was cut off within a cluster is still in it. The real program lets it show again; here it
 * reads as the zeros that everything new is.
 * @param image as it is now
 * @param end where the disk ended before, bytes
 */
async function clearTail(
  image: Qcow2Image,
  end: number,
  options: Qcow2ResizeOptions,
): Promise<void> {
  const { clusterSize } = image;
  const length = Math.min(alignUp(end, clusterSize), image.size) - end;
  if (length === 0) return;
  const tail = await image.map(end, length);
  if (!tail.some(({ kind }) => kind === 'data' || kind === 'compressed')) return;
  const writer = await editQcow2(image);
  const below = image.backing === undefined ? undefined : options.readBelow;
  await new GuestWriter(image, writer, below).zero(end, length);
  await writer.flush();
}

/** Takes everything out of the active tables that begins at or behind `size` (bytes). */
async function crop(writer: Qcow2Writer, size: number, signal?: AbortSignal): Promise<void> {
  const { clusterSize, l2Entries } = writer;
  const coverage = l2Entries * clusterSize;
  const start = alignUp(size, clusterSize);
  if (start % coverage !== 0) await cropTable(writer, start);
  const first = divideRoundUp(start, coverage);
  const cut = writer.l1.slice();
  cut.fill(0, 0, first * 2);
  if (cut.every((word) => word === 0)) return;
  await writer.settleTables();
  if (hasDataFile(writer)) await releaseTables(writer, cut);
  else await new TableWalk(writer, signal).count(cut, -1);
  writer.replaceL1(writer.l1.slice(0, first * 2));
}

function hasDataFile({ header }: Qcow2Writer): boolean {
  return (header.fields.incompatibleFeatures & 4n) !== 0n;
}

/** Gives back L2 tables alone: what they name lies in another file. */
async function releaseTables({ refcounts, clusterSize }: Qcow2Writer, l1: Uint32Array) {
  for (let at = 0; at < l1.length; at += 2) {
    const offset = entryOffset(l1[at] as number, l1[at + 1] as number);
    if (offset !== 0) await refcounts.change(offset, clusterSize, -1);
  }
}

/** Empties the entries from guest offset `start` (bytes) on to the end of that table. */
async function cropTable(writer: Qcow2Writer, start: number): Promise<void> {
  if (!writer.hasTable(start)) return;
  const { clusterSize, l2Entries, isExtended } = writer;
  const coverage = l2Entries * clusterSize;
  const table = await writer.tableFor(start);
  const words = isExtended ? 4 : 2;
  const from = ((start % coverage) / clusterSize) * words;
  if (table.words.subarray(from).every((word) => word === 0)) return;
  if (!hasDataFile(writer)) {
    const clusters = clustersOf(writer, table.words.subarray(from), start);
    await writer.refcounts.changeMany(clusters, -1);
  }
  table.words.fill(0, from);
  table.dirty = true;
}

/**
 * The host clusters (their indexes) that entries of an L2 table use, packed ones once for each use.
 * @param guest offset of the first entry, bytes
 */
function clustersOf(writer: Qcow2Writer, entries: Uint32Array, guest: number): Float64Array {
  const { clusterSize, isExtended, header } = writer;
  const layout = compressedLayout(header.fields.clusterBits);
  const step = isExtended ? 4 : 2;
  const clusters: number[] = [];
  for (let at = 0; at < entries.length; at += step) {
    const [high, low] = [entries[at] as number, entries[at + 1] as number];
    const isPacked = (high & COMPRESSED_HIGH) !== 0;
    const offset = isPacked ? compressedOffset(layout, high, low) : entryOffset(high, low);
    if (offset === 0) continue;
    const length = isPacked ? compressedLength(layout, high, low) : clusterSize;
    if (!isPacked && !isAligned(offset, clusterSize)) {
      const guestOffset = guest + (at / step) * clusterSize;
      const where = { guestOffset, hostOffset: offset, length: clusterSize };
      throw new ImageError('unreadable-cluster', { ...where, reason: 'data-unaligned' });
    }
    const last = Math.floor((offset + length - 1) / clusterSize);
    for (let cluster = Math.floor(offset / clusterSize); cluster <= last; cluster++) {
      clusters.push(cluster);
    }
  }
  return Float64Array.from(clusters);
}

/** The part of a disk that has been added to it. */
class AddedRange {
  readonly #image: Qcow2Image;
  readonly #writer: Qcow2Writer;
  readonly #guest: GuestWriter;
  /** Where it begins, bytes. */
  readonly #start: number;
  readonly #signal: AbortSignal | undefined;

  constructor(
    image: Qcow2Image,
    writer: Qcow2Writer,
    start: number,
    { readBelow, signal }: Qcow2ResizeOptions,
  ) {
    this.#image = image;
    this.#writer = writer;
    this.#guest = new GuestWriter(
      image,
      writer,
      image.backing === undefined ? undefined : readBelow,
    );
    this.#start = start;
    this.#signal = signal;
  }

  /** Behind the cluster that the disk ended in, bytes. */
  get #headEnd(): number {
    return alignUp(this.#start, this.#image.clusterSize);
  }

  /** What is new in the cluster that the disk ended in. */
  async fillHead(preallocation: Qcow2Options['preallocation']): Promise<void> {
    const length = Math.min(this.#headEnd, this.#image.size) - this.#start;
    if (length === 0) return;
    if (preallocation === 'off') return this.#guest.zero(this.#start, length);
    await this.#guest.write(this.#start, new Uint8Array(length));
  }

  /** The clusters that are wholly new. */
  async fillClusters(
    preallocation: Qcow2Options['preallocation'],
    isHiding: boolean,
  ): Promise<void> {
    const start = this.#headEnd;
    const end = this.#image.size;
    const { header, cipher } = this.#image;
    if (end > start) {
      const isWritten = preallocation === 'falloc' || preallocation === 'full';
      const isReserved = isWritten && !header.hasDataFile;
      if (isReserved) await this.#reserve(start, end);
      else if (preallocation !== 'off') await this.#writer.preallocateAtEnd(start, end);
      // Zeros in the file are something else once they are decrypted.
      const isScrambled = preallocation !== 'off' && cipher !== undefined && header.version >= 3;
      if (isScrambled || (isHiding && !isReserved)) await this.#mark(start, end, { isZero: true });
      else if (isHiding) await this.#mark(start, end, { isZero: false });
    }
    await this.#writer.flush();
  }

  /** Clusters that take room on the medium: it is taken by writing. */
  async #reserve(start: number, end: number): Promise<void> {
    const { offset, length } = await this.#writer.preallocateContiguous(start, end);
    await fillWithZeros(this.#writer.storage, offset, length, this.#signal);
  }

  /** Lets clusters read as zeros: by saying so, or (with subclusters) as data. */
  async #mark(start: number, end: number, { isZero }: { isZero: boolean }): Promise<void> {
    const { clusterSize, l2Entries, isExtended } = this.#writer;
    if (!isExtended && !isZero) return;
    const coverage = l2Entries * clusterSize;
    for (let at = start; at < end; at = alignDown(at, coverage) + coverage) {
      const { words } = await this.#dirtyTable(at);
      const first = (at % coverage) / clusterSize;
      const count = divideRoundUp(Math.min(end - at, coverage - (at % coverage)), clusterSize);
      for (let entry = first; entry < first + count; entry++) {
        if (isExtended) {
          words[entry * 4 + 2] = isZero ? 0xffffffff : 0;
          words[entry * 4 + 3] = isZero ? 0 : 0xffffffff;
        } else words[entry * 2 + 1] = ((words[entry * 2 + 1] as number) | ZERO_LOW) >>> 0;
      }
    }
  }

  async #dirtyTable(guestOffset: number) {
    const table = await this.#writer.tableFor(guestOffset);
    table.dirty = true;
    return table;
  }
}
