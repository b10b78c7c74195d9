/**
 * Writing guest content into a qcow2 image. Specification: «Cluster mapping», «Compressed Clusters
 * Descriptor», «Extended L2 entries». Clusters are taken in the order of the calls, as QEMU takes
 * them, so that the same calls make the same file.
 */
import { alignDown, alignUp, divideRoundUp, isAligned, powerOfTwo } from '../../../binary/units.ts';
import type { Cipher } from '../../../codecs/cipher.ts';
import { ImageError } from '../../../errors.ts';
import type { Storage } from '../../../storage/storage.ts';
import { compressedLayout, type CompressedLayout } from '../mapping.ts';
import { COMPRESSED_HIGH, COPIED_HIGH, entryOffset, ZERO_LOW, type Table } from '../tables.ts';
import type { ReadBelow } from './guest-writer.ts';
import { serializeHeader, type HeaderContent } from './header-writer.ts';
import { L2Editor, type L2Table } from '../../table-editor.ts';
import type { RefcountEditor } from './refcount-editor.ts';
import { entryHigh, entryLow, wordsToBytes } from './words.ts';

/** QEMU looks at L2 tables in slices of at most this many bytes; an allocation ends with one. */
const SLICE_BYTES = 64 * 1024;
export const SUBCLUSTERS = 32;
/** QEMU encrypts at most so many clusters at once; an allocation ends with them. */
const ENCRYPTED_CLUSTERS = 32;
/** Written at once where clusters that were used before have to become zeros. */
const ZERO_CHUNK = 1024 * 1024;

/** Where guest bytes go. Bytes. */
export interface Placement {
  readonly guestOffset: number;
  readonly hostOffset: number;
  readonly length: number;
}

/** What is to be placed within one slice. Bytes. */
interface Run {
  readonly start: number;
  readonly end: number;
  /** Where it should be, to lie behind what was placed before; 0 for anywhere. */
  readonly wanted: number;
  /** Whether it gets content. */
  readonly isData: boolean;
}

/** An image that is written to; what it holds in memory becomes a file by {@link flush}. */
export class Qcow2Writer {
  readonly storage: Storage;
  /** Where the guest's clusters are: the same, or the external data file. */
  data: Storage;
  readonly header: HeaderContent;
  readonly refcounts: RefcountEditor;
  readonly clusterSize: number;
  /** What the content is encrypted with; undefined where it is not. */
  cipher: Cipher | undefined;
  /** What a new image has below it: shows in the parts of new clusters that {@link place} leaves. */
  below: ReadBelow | undefined;
  readonly #l2: L2Editor;
  readonly #packing: CompressedLayout;
  /** 32-bit words of an L2 entry. */
  readonly #entryWords: number;
  #l1: Table;
  #l1Changed = false;
  /** Where packed data may continue; 0: in a new cluster. */
  #packedEnd = 0;

  constructor(storage: Storage, header: HeaderContent, refcounts: RefcountEditor, l1: Table) {
    this.storage = storage;
    this.data = storage;
    this.header = header;
    this.refcounts = refcounts;
    this.clusterSize = powerOfTwo(header.fields.clusterBits);
    this.#l2 = new L2Editor(storage, this.clusterSize);
    this.#packing = compressedLayout(header.fields.clusterBits);
    this.#entryWords = this.isExtended ? 4 : 2;
    this.#l1 = l1;
  }

  /** Whether the guest's clusters are in another file, each where the guest sees it. */
  get hasDataFile(): boolean {
    return (this.header.fields.incompatibleFeatures & 4n) !== 0n;
  }

  /** Whether L2 entries have subclusters. */
  get isExtended(): boolean {
    return (this.header.fields.incompatibleFeatures & 16n) !== 0n;
  }

  /** The smallest part of a cluster that can be in the image without the rest of it, bytes. */
  get unit(): number {
    return this.isExtended ? this.clusterSize / SUBCLUSTERS : this.clusterSize;
  }

  /** Entries of an L2 table. */
  get l2Entries(): number {
    return this.clusterSize / (this.#entryWords * 4);
  }

  /** The active L1 table as it is now: to be looked at. */
  get l1(): Table {
    return this.#l1;
  }

  /**
   * Puts other entries into the L1 table, behind which there are zeros. For these, and for whatever
   * becomes of L2 tables in {@link storage} besides, {@link settleTables} is to be called before.
   * @param entries not more than `l1Size` of them
   */
  replaceL1(entries: Table): void {
    const l1 = new Uint32Array(this.#l1.length);
    l1.set(entries);
    this.#l1 = l1;
    this.#l1Changed = true;
  }

  /** Writes the L2 tables that have changed and forgets them. */
  settleTables(): Promise<void> {
    return this.#l2.settle();
  }

  /**
   * Puts an L1 table in place of one that is shorter.
   * @param entries its length
   */
  async growL1(entries: number): Promise<void> {
    const { fields } = this.header;
    if (entries <= fields.l1Size) return;
    const old = { offset: fields.l1TableOffset, length: fields.l1Size * 8 };
    const clusters = divideRoundUp(entries * 8, this.clusterSize);
    fields.l1TableOffset = await this.refcounts.allocate(clusters);
    const l1 = new Uint32Array(entries * 2);
    l1.set(this.#l1);
    this.#l1 = l1;
    fields.l1Size = entries;
    this.#l1Changed = true;
    await this.refcounts.change(old.offset, old.length, -1);
  }

  /**
   * Makes room for guest bytes that are about to be written, where they have none of their own yet.
   * Of clusters that are new, the rest reads as what is {@link below}: for images that hold nothing
   * besides.
   * @param offset guest offset, bytes
   * @returns the places in guest order, together `length` bytes
   */
  place(offset: number, length: number): Promise<Placement[]> {
    return this.#placeAll(offset, length, true);
  }

  /**
   * Guest bytes as they are to be in the file: encrypted where the image is.
   * @param bytes whole sectors of 512 bytes; they stay as they are
   * @throws ImageError unreadable-cluster (locked) where the passphrase was not given
   */
  encode(
    bytes: Uint8Array,
    { guestOffset, hostOffset }: Pick<Placement, 'guestOffset' | 'hostOffset'>,
  ): Uint8Array | Promise<Uint8Array> {
    const { cipher } = this;
    if (cipher !== undefined) {
      return cipher.encrypt(bytes, cipher.countsBy === 'host' ? hostOffset : guestOffset);
    }
    if (this.header.fields.cryptMethod === 0) return bytes;
    const where = { guestOffset, hostOffset, length: bytes.length };
    throw new ImageError('unreadable-cluster', { ...where, reason: 'locked' });
  }

  /**
   * Gives clusters to a range that has none yet, without any content: it reads as before.
   * @param start guest offset, bytes
   * @param end guest offset, bytes
   */
  async preallocate(start: number, end: number): Promise<void> {
    const most = alignDown(2 ** 31 - 1, this.clusterSize);
    let fileEnd = 0;
    for (let at = start; at < end; at += most) {
      const placed = await this.#placeAll(at, Math.min(most, end - at), false);
      const last = placed.at(-1);
      if (last !== undefined) fileEnd = last.hostOffset + last.length;
    }
    // All of them have to be within the file.
    if (!this.hasDataFile) fileEnd = alignUp(fileEnd, this.unit);
    if (fileEnd > this.data.size) await this.data.resize(fileEnd);
  }

  /**
   * The same in an image that has content: with clusters behind the end of the file, so that nothing
   * that was there before shows.
   */
  async preallocateAtEnd(start: number, end: number): Promise<void> {
    this.refcounts.startAt(divideRoundUp(this.storage.size, this.clusterSize));
    await this.preallocate(start, end);
  }

  /**
   * The same with clusters that lie in one piece at the end of the file.
   * @returns that piece of the file, to be filled or reserved, bytes
   */
  async preallocateContiguous(
    start: number,
    end: number,
  ): Promise<{ offset: number; length: number }> {
    const { clusterSize, refcounts } = this;
    const entries = this.l2Entries;
    const first = Math.floor(start / clusterSize);
    const count = Math.ceil(end / clusterSize) - first;
    await this.flush();
    const fileEnd = alignUp(this.storage.size, clusterSize);
    const offset = await refcounts.reserve(fileEnd, count + divideRoundUp(count, entries) + 1);
    const taken = await refcounts.allocateAt(offset, count);
    if (taken !== count)
      throw new ImageError('internal', { reason: 'the end of the file is used' });
    for (let i = 0; i < count; i++) {
      const table = await this.tableFor((first + i) * clusterSize);
      this.#setEntry(table, first + i, COPIED_HIGH, offset + i * clusterSize);
    }
    return { offset, length: count * clusterSize };
  }

  /** @param isData whether the clusters get content; otherwise they only have their places */
  async #placeAll(offset: number, length: number, isData: boolean): Promise<Placement[]> {
    const placements: Placement[] = [];
    const end = offset + length;
    const sliceCoverage =
      (Math.min(this.clusterSize, SLICE_BYTES) / (this.#entryWords * 4)) * this.clusterSize;
    let wanted = 0;
    let stop = 0;
    for (let at = offset; at < end;) {
      if (wanted === 0) stop = isData ? this.#allocationEnd(at) : end;
      const sliceEnd = (Math.floor(at / sliceCoverage) + 1) * sliceCoverage;
      const run = { start: at, end: Math.min(end, stop, sliceEnd), wanted, isData };
      const placed = await this.#placeRun(run);
      wanted = 0;
      if (placed === undefined) continue;
      placements.push(placed);
      at += placed.length;
      if (at < stop) wanted = placed.hostOffset + placed.length;
    }
    return placements;
  }

  /** Where QEMU ends an allocation at the latest, whatever there is. Guest offsets, bytes. */
  #allocationEnd(start: number): number {
    if (this.cipher === undefined) return Infinity;
    return alignDown(start, this.clusterSize) + ENCRYPTED_CLUSTERS * this.clusterSize;
  }

  /**
   * The longest run from `start` on that is all new or all there already, within one slice.
   * @returns undefined when it cannot be where it is wanted
   */
  async #placeRun(run: Run): Promise<Placement | undefined> {
    const { clusterSize } = this;
    const { start, end } = run;
    const table = await this.tableFor(start);
    const first = Math.floor(start / clusterSize);
    const last = Math.floor((end - 1) / clusterSize);
    const host = this.#hostOf(table, first);
    let count = 1;
    while (first + count <= last) {
      const next = this.#hostOf(table, first + count);
      if (host < 0 ? next >= 0 : next !== host + count * clusterSize) break;
      count++;
    }
    if (host >= 0) {
      const until = Math.min(end, (first + count) * clusterSize);
      if (run.isData) await this.#fillSubclusters(table, start, until, host - first * clusterSize);
      const hostOffset = host + (start - first * clusterSize);
      return { guestOffset: start, hostOffset, length: until - start };
    }
    return this.#allocateRun(table, first, count, run);
  }

  /** New clusters for at most `count` guest clusters, of which a part is written. */
  async #allocateRun(
    table: L2Table,
    first: number,
    count: number,
    { start, end, wanted, isData }: Run,
  ): Promise<Placement | undefined> {
    const { clusterSize, refcounts } = this;
    const isFree = this.hasDataFile || wanted === 0;
    const taken = isFree ? count : await refcounts.allocateAt(wanted, count);
    if (taken === 0) return undefined;
    const place = this.hasDataFile ? first * clusterSize : wanted;
    const base = place === 0 && !this.hasDataFile ? await refcounts.allocate(count) : place;
    const until = Math.min(end, (first + taken) * clusterSize);
    const isZero = { start: this.#isZero(table, start), end: this.#isZero(table, until - 1) };
    for (let i = 0; i < taken; i++) {
      this.#setEntry(table, first + i, COPIED_HIGH, base + i * clusterSize);
    }
    const shift = base - first * clusterSize;
    const placement = { guestOffset: start, hostOffset: start + shift, length: until - start };
    if (!isData) return placement;
    this.#markSubclusters(table, start, until);
    // What is left of the first and the last one has to be there, too, in place of what was before.
    await this.#fill(alignDown(start, this.unit), start, shift, isZero.start);
    await this.#fill(until, alignUp(until, this.unit), shift, isZero.end);
    return placement;
  }

  /**
   * The same for clusters that are there: what is left of subclusters that are new becomes zeros.
   * @param shift from guest to host offset, bytes
   */
  async #fillSubclusters(table: L2Table, start: number, end: number, shift: number): Promise<void> {
    if (!this.isExtended) return;
    const unit = this.unit;
    const head = alignDown(start, unit);
    const tail = alignUp(end, unit);
    const hasNewHead = head < start && !this.#isMarked(table, start);
    const hasNewTail = end < tail && !this.#isMarked(table, end - 1);
    if (hasNewHead) await this.#fill(head, start, shift, this.#isZero(table, start));
    if (hasNewTail) await this.#fill(end, tail, shift, this.#isZero(table, end - 1));
    this.#markSubclusters(table, start, end);
  }

  /** Whether the part of a cluster that holds a guest offset says itself that it reads as zeros. */
  #isZero(table: L2Table, guestOffset: number): boolean {
    const cluster = Math.floor(guestOffset / this.clusterSize);
    if (!this.isExtended) {
      const low = table.words[(cluster % this.l2Entries) * 2 + 1] as number;
      return (low & ZERO_LOW) !== 0;
    }
    const subcluster = Math.floor(guestOffset / this.unit) % SUBCLUSTERS;
    const word = table.words[(cluster % this.l2Entries) * 4 + 2] as number;
    return ((word >>> subcluster) & 1) === 1;
  }

  /**
   * Puts into new parts of clusters what they read as before: zeros, or what is below. Bytes.
   * @param shift from guest to host offset, bytes
   */
  async #fill(start: number, end: number, shift: number, isZero: boolean): Promise<void> {
    if (start === end) return;
    if (isZero || this.below === undefined) return this.#clear(start, end, shift);
    // Clusters may reach beyond the end of the disk, where there is nothing.
    const within = Math.max(0, Math.min(end, this.header.fields.size) - start);
    const bytes = new Uint8Array(end - start);
    if (within > 0) bytes.set(await this.below(start, within));
    const place = { guestOffset: start, hostOffset: start + shift };
    await this.data.write(place.hostOffset, await this.encode(bytes, place));
  }

  /** Whether the subcluster of a guest offset holds data. */
  #isMarked(table: L2Table, guestOffset: number): boolean {
    const subcluster = Math.floor(guestOffset / this.unit);
    const cluster = Math.floor(subcluster / SUBCLUSTERS);
    const word = table.words[(cluster % this.l2Entries) * 4 + 3] as number;
    return ((word >>> (subcluster % SUBCLUSTERS)) & 1) === 1;
  }

  /**
   * Makes a guest range zeros in the file. Behind its end there is nothing to write, unless zeros
   * are encrypted, too. Bytes.
   * @param shift from guest to host offset, bytes
   */
  async #clear(start: number, end: number, shift: number): Promise<void> {
    if (start === end) return;
    const { data } = this;
    const isPlain = this.cipher === undefined;
    const until = isPlain ? Math.min(end, data.size - shift) : end;
    for (let at = start; at < until; at += ZERO_CHUNK) {
      const zeros = new Uint8Array(Math.min(ZERO_CHUNK, until - at));
      const place = { guestOffset: at, hostOffset: at + shift };
      await data.write(place.hostOffset, await this.encode(zeros, place));
    }
    if (end + shift > data.size) await data.resize(end + shift);
  }

  /**
   * Makes room for a packed cluster and enters it.
   * @param guestOffset of the cluster, bytes; it must not be in the image yet
   * @param length of the packed bytes
   * @returns where they go
   * @throws ImageError internal when the cluster is in the image already
   */
  async placePacked(guestOffset: number, length: number): Promise<number> {
    const table = await this.tableFor(guestOffset);
    const cluster = Math.floor(guestOffset / this.clusterSize);
    if (this.#hostOf(table, cluster) >= 0) {
      throw new ImageError('internal', { reason: 'a compressed cluster cannot be overwritten' });
    }
    const host = await this.refcounts.allocateBytes(length, this.#packedEnd);
    const end = host + length;
    this.#packedEnd = end % this.clusterSize === 0 ? 0 : end;
    const sectors = Math.floor((end - 1) / 512) - Math.floor(host / 512);
    const { sectorShift } = this.#packing;
    this.#setEntry(table, cluster, COMPRESSED_HIGH | (sectors << sectorShift), host);
    return host;
  }

  /** Writes everything that is only in memory yet, the header last. */
  async flush(): Promise<void> {
    await this.#l2.flush();
    await this.refcounts.flush();
    const { fields } = this.header;
    if (this.#l1Changed) await this.storage.write(fields.l1TableOffset, wordsToBytes(this.#l1));
    this.#l1Changed = false;
    fields.refcountTableOffset = this.refcounts.layout.tableOffset;
    fields.refcountTableClusters = this.refcounts.layout.tableClusters;
    await this.storage.write(0, serializeHeader(this.header));
  }

  /** Whether an L2 table is there for a guest offset (bytes). */
  hasTable(guestOffset: number): boolean {
    const index = Math.floor(guestOffset / (this.l2Entries * this.clusterSize));
    return entryOffset(this.#l1[index * 2] ?? 0, this.#l1[index * 2 + 1] ?? 0) !== 0;
  }

  /**
   * The L2 table of a guest offset (bytes), to be changed: made when there is none, copied when a
   * snapshot shares it.
   * @throws ImageError l2-damaged where the L1 table points to no table
   */
  async tableFor(guestOffset: number): Promise<L2Table> {
    const index = Math.floor(guestOffset / (this.l2Entries * this.clusterSize));
    const high = this.#l1[index * 2] as number;
    const offset = entryOffset(high, this.#l1[index * 2 + 1] as number);
    if (offset === 0) return this.#l2.make(await this.#newTable(index));
    const known = this.#l2.known(offset);
    if (known !== undefined && (high & COPIED_HIGH) !== 0) return known;
    if (!isAligned(offset, this.clusterSize) || offset >= this.storage.size) {
      throw new ImageError('l2-damaged', { index, offset });
    }
    const table = known ?? (await this.#l2.load(offset));
    const isOwn =
      (high & COPIED_HIGH) !== 0 && (await this.refcounts.get(offset / this.clusterSize)) === 1;
    if (isOwn) return table;
    const copy = await this.#l2.make(await this.#newTable(index));
    copy.words.set(table.words);
    await this.refcounts.change(offset, this.clusterSize, -1);
    return copy;
  }

  /** Takes a cluster for the L2 table of L1 entry `index`; returns its offset, bytes. */
  async #newTable(index: number): Promise<number> {
    const fresh = await this.refcounts.allocate(1);
    this.#l1[index * 2] = (COPIED_HIGH | entryHigh(fresh)) >>> 0;
    this.#l1[index * 2 + 1] = entryLow(fresh);
    this.#l1Changed = true;
    return fresh;
  }

  /** Where a guest cluster is in the file, bytes; -1 where it is not. */
  #hostOf(table: L2Table, cluster: number): number {
    const at = (cluster % this.l2Entries) * this.#entryWords;
    const high = table.words[at] as number;
    const offset = entryOffset(high, table.words[at + 1] as number);
    // In a data file, the first cluster has offset 0, too.
    const isThere = offset !== 0 || (this.hasDataFile && (high & COPIED_HIGH) !== 0);
    return isThere ? offset : -1;
  }

  #setEntry(table: L2Table, cluster: number, flags: number, host: number): void {
    const at = (cluster % this.l2Entries) * this.#entryWords;
    table.words[at] = (flags | entryHigh(host)) >>> 0;
    table.words[at + 1] = entryLow(host);
    table.dirty = true;
  }

  /** «Extended L2 entries»: the subclusters that the bytes from `start` to `end` touch are data. */
  #markSubclusters(table: L2Table, start: number, end: number): void {
    if (!this.isExtended) return;
    const size = this.clusterSize / SUBCLUSTERS;
    const last = Math.floor((end - 1) / size);
    for (let subcluster = Math.floor(start / size); subcluster <= last; subcluster++) {
      const cluster = Math.floor(subcluster / SUBCLUSTERS);
      const at = (cluster % this.l2Entries) * 4 + 3;
      const bit = 1 << (subcluster % SUBCLUSTERS);
      table.words[at] = ((table.words[at] as number) | bit) >>> 0;
      table.words[at - 1] = ((table.words[at - 1] as number) & ~bit) >>> 0;
    }
    table.dirty = true;
  }
}
