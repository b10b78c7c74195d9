/**
 * Writing guest content into an image that has content already: clusters that a snapshot shares, or
 * that are packed, are replaced by new ones; what is left of a cluster keeps reading as before.
 * Specification: «Cluster mapping», «Extended L2 entries».
 */
import { alignDown, alignUp, isAligned, SECTOR } from '../../../binary/units.ts';
import type { Cipher } from '../../../codecs/cipher.ts';
import { unpackBatch } from '../../../codecs/pool.ts';
import { ImageError } from '../../../errors.ts';
import { RangeSet, type ByteRange } from '../../../storage/range-set.ts';
import { readPadded, writeFresh, type Storage } from '../../../storage/storage.ts';
import type { Qcow2Image } from '../image.ts';
import {
  compressedLayout,
  compressedLength,
  compressedOffset,
  type CompressedLayout,
} from '../mapping.ts';
import { COMPRESSED_HIGH, COPIED_HIGH, entryOffset, ZERO_LOW } from '../tables.ts';
import type { L2Table } from '../../table-editor.ts';
import { entryHigh, entryLow } from './words.ts';
import { SUBCLUSTERS, type Qcow2Writer } from './writer.ts';

const ALL = 0xffffffff;

/** Brings guest bytes of what lies below the image; zeros where there is nothing. */
export type ReadBelow = (offset: number, length: number) => Promise<Uint8Array<ArrayBuffer>>;

/** One entry of an L2 table, taken apart. */
interface Entry {
  readonly table: L2Table;
  /** Of the entry in the table's words. */
  readonly at: number;
  /** Guest offset of its cluster, bytes. */
  readonly guest: number;
  readonly isPacked: boolean;
  /** Whether it keeps a host cluster. */
  readonly hasHost: boolean;
  /** Of that cluster (of the packed bytes), bytes. */
  readonly host: number;
  /** One bit for each part of the cluster that is in the image; all or nothing without subclusters. */
  readonly data: number;
  /** The same for parts that read as zeros. */
  readonly zero: number;
  readonly copied: boolean;
}

export class GuestWriter {
  /** Guest ranges whose content may differ from before. */
  readonly changed = new RangeSet();
  readonly #writer: Qcow2Writer;
  readonly #image: Qcow2Image;
  /** Where data clusters are. */
  readonly #data: Storage;
  readonly #readBelow: ReadBelow | undefined;
  readonly #layout: CompressedLayout;
  readonly #cipher: Cipher | undefined;
  /** Clusters from here on are new, whatever the refcounts of the old image say. Bytes. */
  readonly #freshFrom: number;
  /** Clusters that are no longer used, given back when a call is through. Bytes. */
  readonly #unused: ByteRange[] = [];

  /**
   * @param writer of the same image; all that is written goes through it
   * @param readBelow asked for parts of clusters that the image does not hold; undefined where it
   * has no backing image
   * @throws ImageError unreadable-cluster where the content cannot be had at all
   */
  constructor(image: Qcow2Image, writer: Qcow2Writer, readBelow: ReadBelow | undefined) {
    const { contentMissing: reason } = image;
    if (reason !== undefined) {
      const nowhere = { guestOffset: 0, hostOffset: -1, length: image.size };
      throw new ImageError('unreadable-cluster', { ...nowhere, reason });
    }
    this.#image = image;
    this.#writer = writer;
    this.#data = image.dataFile ?? writer.storage;
    this.#readBelow = readBelow;
    this.#layout = compressedLayout(image.header.clusterBits);
    this.#cipher = image.cipher;
    this.#freshFrom = alignUp(writer.storage.size, writer.clusterSize);
  }

  /**
   * Writes guest bytes.
   * @param offset of the first, a multiple of 512
   * @param bytes a multiple of 512 of them, within the disk
   */
  async write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#checkRange(offset, bytes.length);
    const { clusterSize } = this.#writer;
    const end = offset + bytes.length;
    this.changed.add(offset, bytes.length);
    for (let at = offset; at < end;) {
      const base = alignDown(at, clusterSize);
      const until = Math.min(end, this.#tableEnd(at));
      if (at === base && until - at >= clusterSize) {
        const to = alignDown(until, clusterSize);
        await this.#writeClusters(at, bytes.subarray(at - offset, to - offset));
        at = to;
      } else {
        const to = Math.min(end, base + clusterSize);
        await this.#writePart(at, bytes.subarray(at - offset, to - offset));
        at = to;
      }
    }
    await this.#release();
  }

  /** Puts a packed cluster in place of what is there. @param guestOffset of the cluster, bytes */
  async writePacked(guestOffset: number, packed: Uint8Array<ArrayBuffer>): Promise<void> {
    const { clusterSize } = this.#writer;
    const entry = this.#entry(await this.#writer.tableFor(guestOffset), guestOffset);
    this.changed.add(guestOffset, Math.min(clusterSize, this.#image.size - guestOffset));
    this.#drop(entry);
    this.#put(entry, 0, 0, 0, 0);
    const host = await this.#writer.placePacked(guestOffset, packed.length);
    await this.#store(this.#writer.storage, host, packed);
    await this.#release();
  }

  /**
   * Makes a range read as zeros. What takes no room for that takes none.
   * @param offset a multiple of 512, bytes
   * @param length a multiple of 512, bytes
   */
  async zero(offset: number, length: number): Promise<void> {
    this.#checkRange(offset, length);
    this.changed.add(offset, length);
    const { clusterSize } = this.#writer;
    await this.#eachCluster(offset, length, async (start, end) => {
      const whole = end - start === clusterSize || end === this.#image.size;
      if (start % clusterSize !== 0 || !whole) await this.#zeroPart(start, end);
      else if (!(await this.#zeroCluster(start))) {
        await this.#writePart(start, new Uint8Array(end - start));
      }
    });
    await this.#release();
  }

  /**
   * Makes clusters as if they had never been written: what lies below shows again. Only whole
   * clusters; one that the disk ends in is whole.
   */
  async forget(offset: number, length: number): Promise<void> {
    this.#checkRange(offset, length);
    this.changed.add(offset, length);
    const { clusterSize } = this.#writer;
    await this.#eachCluster(offset, length, async (start, end) => {
      const whole = end - start === clusterSize || end === this.#image.size;
      if (start % clusterSize !== 0 || !whole || !this.#writer.hasTable(start)) return;
      const entry = this.#entry(await this.#writer.tableFor(start), start);
      if (!entry.hasHost && entry.zero === 0) return;
      this.#drop(entry);
      this.#put(entry, 0, 0, 0, 0);
    });
    await this.#release();
  }

  #checkRange(offset: number, length: number): void {
    const fits = offset >= 0 && length >= 0 && offset + length <= this.#image.size;
    if (fits && isAligned(offset, SECTOR) && isAligned(length, SECTOR)) return;
    throw new ImageError('internal', { reason: 'a write that is not within the disk' });
  }

  /** Where the L2 table of a guest offset ends, bytes. */
  #tableEnd(guestOffset: number): number {
    const coverage = this.#writer.l2Entries * this.#writer.clusterSize;
    return (Math.floor(guestOffset / coverage) + 1) * coverage;
  }

  /** Calls `work` for each cluster that a range touches, with the part that it touches. */
  async #eachCluster(
    offset: number,
    length: number,
    work: (start: number, end: number) => Promise<void>,
  ): Promise<void> {
    const { clusterSize } = this.#writer;
    const end = offset + length;
    const isNothing = this.#readBelow === undefined;
    for (let at = offset; at < end;) {
      // Without a table and without anything below, there are zeros and nothing to forget.
      if (isNothing && !this.#writer.hasTable(at)) {
        at = Math.min(end, this.#tableEnd(at));
        continue;
      }
      const to = Math.min(end, alignDown(at, clusterSize) + clusterSize);
      await work(at, to);
      at = to;
    }
  }

  /** Whole clusters, all of one table. */
  async #writeClusters(guest: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { clusterSize } = this.#writer;
    const table = await this.#writer.tableFor(guest);
    const count = bytes.length / clusterSize;
    for (let i = 0; i < count;) {
      const first = this.#entry(table, guest + i * clusterSize);
      const own = await this.#ownRun(first, count - i);
      const run = own > 0 ? own : this.#foreignRun(table, first, count - i);
      const host = own > 0 ? first.host : await this.#allocate(first.guest, run);
      this.#enter(table, first.guest, run, host);
      const part = bytes.subarray(i * clusterSize, (i + run) * clusterSize);
      await this.#writeData(first.guest, host, part);
      i += run;
    }
  }

  /** How many clusters from an entry on may be overwritten where they are, lying in one piece. */
  async #ownRun(first: Entry, most: number): Promise<number> {
    if (!this.#mayBeOwn(first)) return 0;
    const { clusterSize } = this.#writer;
    let run = 1;
    for (; run < most; run++) {
      const next = this.#entry(first.table, first.guest + run * clusterSize);
      if (!this.#mayBeOwn(next) || next.host !== first.host + run * clusterSize) break;
    }
    if (this.#image.header.hasDataFile) return run;
    return this.#writer.refcounts.countOwn(first.host / clusterSize, run);
  }

  /** How many from an entry on need new clusters; at least one. */
  #foreignRun(table: L2Table, first: Entry, most: number): number {
    const { clusterSize } = this.#writer;
    let run = 1;
    while (run < most && !this.#mayBeOwn(this.#entry(table, first.guest + run * clusterSize)))
      run++;
    return run;
  }

  #mayBeOwn({ isPacked, hasHost, host, copied }: Entry): boolean {
    return hasHost && !isPacked && copied && isAligned(host, this.#writer.clusterSize);
  }

  /** Enters `count` clusters that are data from `host` on; what was there before is dropped. */
  #enter(table: L2Table, guest: number, count: number, host: number): void {
    const { clusterSize } = this.#writer;
    for (let i = 0; i < count; i++) {
      const entry = this.#entry(table, guest + i * clusterSize);
      const at = host + i * clusterSize;
      if (!entry.hasHost || entry.host !== at || entry.isPacked) this.#drop(entry);
      this.#put(entry, COPIED_HIGH, at, ALL, 0);
    }
  }

  /** Takes clusters; with an external data file, each has its place there. */
  #allocate(guest: number, count: number): Promise<number> {
    if (this.#image.header.hasDataFile) return Promise.resolve(guest);
    return this.#writer.refcounts.allocate(count);
  }

  /** Writes within one cluster, of which the rest stays as it is. */
  async #writePart(start: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { clusterSize, unit } = this.#writer;
    const end = start + bytes.length;
    const guest = alignDown(start, clusterSize);
    const table = await this.#writer.tableFor(guest);
    const old = this.#entry(table, guest);
    const isOwn = (await this.#ownRun(old, 1)) === 1;
    const host = isOwn ? old.host : await this.#allocate(guest, 1);
    // The parts that are written to, and the parts that have to come along.
    const touched = unitMask((start - guest) / unit, (end - guest) / unit);
    const kept = old.isPacked ? ALL : old.data;
    const moved = isOwn ? 0 : kept;
    for (let i = 0; i < clusterSize / unit; i++) {
      const bit = (1 << i) >>> 0;
      const from = guest + i * unit;
      if ((touched & bit) === 0) {
        if ((moved & bit) !== 0) await this.#move(old, from, from + unit, host);
        continue;
      }
      // What is there stays where it is, except for what is written now.
      if (isOwn && (old.data & bit) !== 0 && (old.zero & bit) === 0) continue;
      const to = from + unit;
      if (from < start) await this.#move(old, from, Math.min(start, to), host);
      if (end < to) await this.#move(old, Math.max(end, from), to, host);
    }
    const data = (kept | touched) >>> 0;
    const zero = (old.zero & ~touched) >>> 0;
    if (!isOwn) this.#drop(old);
    this.#put(old, COPIED_HIGH, host, data, this.#writer.isExtended ? zero : 0);
    await this.#writeData(start, host + (start - guest), bytes);
  }

  /** Copies guest bytes of one cluster to its new place. */
  async #move(old: Entry, start: number, end: number, host: number): Promise<void> {
    const bytes = await this.#readOld(old, start, end);
    await this.#writeData(start, host + (start - old.guest), bytes);
  }

  /** Guest bytes of one part of a cluster as they are now. */
  async #readOld(old: Entry, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const { unit } = this.#writer;
    const length = end - start;
    if (old.isPacked) return this.#unpack(old, start, end);
    const bit = (1 << Math.floor((start - old.guest) / unit)) >>> 0;
    if ((old.zero & bit) !== 0) return new Uint8Array(length);
    if ((old.data & bit) === 0) {
      // Clusters may reach beyond the end of the disk, where there is nothing.
      const within = Math.max(0, Math.min(end, this.#image.size) - start);
      const bytes = new Uint8Array(length);
      if (within > 0) bytes.set((await this.#readBelow?.(start, within)) ?? []);
      return bytes;
    }
    const host = old.host + (start - old.guest);
    const bytes = await readPadded(this.#data, host, length);
    if (this.#cipher === undefined) return bytes;
    return this.#cipher.decrypt(bytes, this.#cipher.countsBy === 'host' ? host : start);
  }

  async #unpack(old: Entry, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const { clusterSize } = this.#writer;
    const [high, low] = [old.table.words[old.at] as number, old.table.words[old.at + 1] as number];
    const length = compressedLength(this.#layout, high, low);
    const packed = await readPadded(this.#writer.storage, old.host, length);
    const { codec } = this.#image;
    const clusters = [{ start: 0, length }];
    const { data, results } = unpackBatch({ codec, packed, clusters, clusterSize });
    if (results[0] !== 'ok') {
      const where = { guestOffset: old.guest, hostOffset: old.host, length: clusterSize };
      throw new ImageError('unreadable-cluster', { ...where, reason: 'compressed-corrupt' });
    }
    return data.slice(start - old.guest, end - old.guest);
  }

  async #writeData(guest: number, host: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const place = { guestOffset: guest, hostOffset: host };
    return this.#store(this.#data, host, await this.#writer.encode(bytes, place));
  }

  /** What lies behind the old end of the file is nothing that the old image uses. */
  #store(storage: Storage, host: number, bytes: Uint8Array): Promise<void> {
    const isFresh = storage === this.#writer.storage && host >= this.#freshFrom;
    return isFresh ? writeFresh(storage, host, bytes) : storage.write(host, bytes);
  }

  /** Zeros within one cluster: written only where there is something else. */
  async #zeroPart(start: number, end: number): Promise<void> {
    const { clusterSize, unit } = this.#writer;
    const guest = alignDown(start, clusterSize);
    const isNothing = this.#readBelow === undefined;
    if (isNothing && !this.#writer.hasTable(guest)) return;
    const entry = this.#entry(await this.#writer.tableFor(guest), guest);
    const touched = unitMask((start - guest) / unit, (end - guest) / unit);
    const nonZero = entry.isPacked ? ALL : isNothing ? entry.data & ~entry.zero : ~entry.zero;
    if ((nonZero & touched) === 0) return;
    await this.#writePart(start, new Uint8Array(end - start));
  }

  /** A whole cluster; returns false where the version cannot say it and it has to be written. */
  async #zeroCluster(guest: number): Promise<boolean> {
    const isNothing = this.#readBelow === undefined;
    if (isNothing && !this.#writer.hasTable(guest)) return true;
    const entry = this.#entry(await this.#writer.tableFor(guest), guest);
    if (this.#image.header.hasDataFile && entry.hasHost) return false;
    const saysNothing = !entry.hasHost && entry.zero === 0;
    if (isNothing && saysNothing) return true;
    const isV2 = this.#image.header.version === 2;
    if (isV2 && !isNothing) return false;
    this.#drop(entry);
    this.#put(entry, 0, 0, 0, isV2 ? 0 : ALL);
    return true;
  }

  #entry(table: L2Table, guestOffset: number): Entry {
    const { clusterSize, l2Entries, isExtended } = this.#writer;
    const cluster = Math.floor(guestOffset / clusterSize);
    const at = (cluster % l2Entries) * (isExtended ? 4 : 2);
    const high = table.words[at] as number;
    const low = table.words[at + 1] as number;
    const place = { table, at, guest: cluster * clusterSize, copied: (high & COPIED_HIGH) !== 0 };
    if ((high & COMPRESSED_HIGH) !== 0) {
      const host = compressedOffset(this.#layout, high, low);
      return { ...place, isPacked: true, hasHost: true, host, data: 0, zero: 0 };
    }
    const host = entryOffset(high, low);
    const hasHost = host !== 0 || (this.#image.header.hasDataFile && place.copied);
    if (isExtended) {
      const [zero, data] = [table.words[at + 2] as number, table.words[at + 3] as number];
      if ((zero & data) !== 0 || (!hasHost && data !== 0)) this.#damaged(place.guest, host);
      return { ...place, isPacked: false, hasHost, host, data, zero };
    }
    const isZero = (low & ZERO_LOW) !== 0;
    if (!isAligned(host, clusterSize)) this.#damaged(place.guest, host);
    const data = hasHost && !isZero ? ALL : 0;
    return { ...place, isPacked: false, hasHost, host, data, zero: isZero ? ALL : 0 };
  }

  #damaged(guestOffset: number, hostOffset: number): never {
    const length = this.#writer.clusterSize;
    const reason = this.#writer.isExtended ? 'subcluster-invalid' : 'data-unaligned';
    throw new ImageError('unreadable-cluster', { guestOffset, hostOffset, length, reason });
  }

  /** Writes an entry: `data` and `zero` as in {@link Entry}. */
  #put(entry: Entry, flags: number, host: number, data: number, zero: number): void {
    const { words } = entry.table;
    words[entry.at] = (flags | entryHigh(host)) >>> 0;
    words[entry.at + 1] = entryLow(host);
    if (this.#writer.isExtended) {
      words[entry.at + 2] = zero >>> 0;
      words[entry.at + 3] = data >>> 0;
    } else if (zero !== 0) {
      words[entry.at + 1] = (entryLow(host) | ZERO_LOW) >>> 0;
    }
    entry.table.dirty = true;
  }

  /** The host clusters of an entry are no longer used by it. */
  #drop({ isPacked, hasHost, host, table, at }: Entry): void {
    if (!hasHost || this.#image.header.hasDataFile) return;
    const { clusterSize } = this.#writer;
    if (!isPacked) {
      const last = this.#unused.at(-1);
      const follows = last !== undefined && last.offset + last.length === host;
      if (follows && isAligned(host, clusterSize) && isAligned(last.offset, clusterSize)) {
        this.#unused[this.#unused.length - 1] = { ...last, length: last.length + clusterSize };
      } else this.#unused.push({ offset: host, length: clusterSize });
      return;
    }
    const [high, low] = [table.words[at] as number, table.words[at + 1] as number];
    // From the sector that it begins in: another packed cluster may end in the same one.
    const length = compressedLength(this.#layout, high, low);
    this.#unused.push({ offset: host, length });
  }

  async #release(): Promise<void> {
    for (const { offset, length } of this.#unused) {
      await this.#writer.refcounts.change(offset, length, -1);
    }
    this.#unused.length = 0;
  }
}

/** Bits of the units from `start` to `end` (in units, not whole: what they touch). */
function unitMask(start: number, end: number): number {
  let mask = 0;
  const last = Math.min(SUBCLUSTERS, Math.ceil(end));
  for (let i = Math.floor(start); i < last; i++) mask |= 1 << i;
  return mask >>> 0;
}
