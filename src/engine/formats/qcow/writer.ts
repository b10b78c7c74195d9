/**
 * Writing into a qcow image of version 1. Whatever is taken is taken at the end of the file: first
 * an L2 table where there is none, then the clusters in the order of the calls, as QEMU does it, so
 * that the same calls make the same file.
 */
import { alignDown, alignUp, isAligned, SECTOR, TWO_32 } from '../../binary/units.ts';
import type { Cipher } from '../../codecs/cipher.ts';
import { unpackBatch } from '../../codecs/pool.ts';
import { ImageError } from '../../errors.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import type { DiskWriter, ReadBelow } from '../format.ts';
import { L2Editor, type L2Table } from '../table-editor.ts';
import { encodeTable, entryHigh, entryLow, type Table } from '../tables.ts';
import type { QcowHeader } from './header.ts';
import {
  COMPRESSED_HIGH,
  packedLayout,
  packedLength,
  packedOffset,
  type PackedLayout,
} from './layout.ts';

/** Bytes that become zeros in the file are written in pieces of so many. */
const ZERO_CHUNK = 1024 * 1024;

/** What a table says of a cluster. */
interface Entry {
  readonly kind: 'data' | 'packed' | 'none';
  /** Bytes. */
  readonly host: number;
  /** Of what is packed. */
  readonly length: number;
}

/** What the content of an image is encrypted with, and what lies below it. */
export interface QcowContent {
  readonly cipher: Cipher | undefined;
  readonly below: ReadBelow | undefined;
}

/** The L1 table is kept in memory (it has at most 32 MiB), and of the L2 tables 32 MiB. */
export class QcowWriter implements DiskWriter {
  readonly packing = 'zlib';
  readonly clusterSize: number;
  readonly #storage: Storage;
  readonly #header: QcowHeader;
  readonly #l1: Table;
  readonly #l2: L2Editor;
  readonly #packed: PackedLayout;
  readonly #content: QcowContent;
  #l1Changed = { from: Infinity, to: 0 };
  /** Bytes that the file is to have. */
  #length: number;

  constructor(storage: Storage, header: QcowHeader, l1: Table, content: QcowContent) {
    this.#storage = storage;
    this.#header = header;
    this.#l1 = l1.slice();
    this.#content = content;
    this.clusterSize = header.clusterSize;
    this.#l2 = new L2Editor(storage, header.l2Entries * 8);
    this.#packed = packedLayout(header.fields.clusterBits);
    this.#length = storage.size;
  }

  async write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { clusterSize } = this;
    const end = offset + bytes.length;
    for (let at = offset; at < end;) {
      const table = await this.#tableFor(at);
      const tableEnd = (Math.floor(at / this.#coverage) + 1) * this.#coverage;
      const run = await this.#place(table, at, Math.min(end, tableEnd));
      const part = bytes.subarray(at - offset, run.end - offset);
      await this.#store(at, run.host + (at % clusterSize), part);
      at = run.end;
    }
  }

  /**
   * The place of guest bytes that are about to be written, as far as they lie together in the file;
   * what is left of new clusters is filled. Bytes, within one table.
   * @returns the place of the first cluster, and the guest offset behind the last
   */
  async #place(table: L2Table, start: number, end: number): Promise<{ host: number; end: number }> {
    const { clusterSize } = this;
    const first = this.#entry(table, start);
    let guest = Math.min(end, alignDown(start, clusterSize) + clusterSize);
    if (first.kind === 'data') {
      for (; guest < end; guest += clusterSize) {
        const { kind, host } = this.#entry(table, guest);
        const expected = first.host + (guest - alignDown(start, clusterSize));
        if (kind !== 'data' || host !== expected) break;
      }
      return { host: first.host, end: Math.min(end, guest) };
    }
    const host = this.#take();
    if (guest - start < clusterSize) {
      await this.#fill(start, guest, host, first);
      this.#enter(table, start, entryHigh(host), entryLow(host));
      return { host, end: guest };
    }
    this.#enter(table, start, entryHigh(host), entryLow(host));
    while (guest + clusterSize <= end && this.#entry(table, guest).kind !== 'data') {
      const next = this.#take();
      this.#enter(table, guest, entryHigh(next), entryLow(next));
      guest += clusterSize;
    }
    return { host, end: guest };
  }

  async writePacked(offset: number, packed: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#header.encrypted) {
      throw new ImageError('internal', { reason: 'encrypted clusters cannot be packed' });
    }
    const table = await this.#tableFor(offset);
    const host = alignUp(this.#length, SECTOR);
    this.#length = host + packed.length;
    await this.#storage.write(host, packed);
    const length = (packed.length << this.#packed.lengthShift) >>> 0;
    const high = (COMPRESSED_HIGH | length | entryHigh(host)) >>> 0;
    this.#enter(table, offset, high, entryLow(host));
  }

  async zero(offset: number, length: number): Promise<void> {
    const { clusterSize } = this;
    const end = offset + length;
    const isNothing = this.#content.below === undefined;
    for (let at = offset; at < end;) {
      const tableEnd = Math.min(end, (Math.floor(at / this.#coverage) + 1) * this.#coverage);
      if (isNothing && this.#l2Offset(at) === 0) {
        at = tableEnd;
        continue;
      }
      if (!isNothing) {
        await this.#writeZeros(at, tableEnd);
        at = tableEnd;
        continue;
      }
      const table = await this.#tableFor(at);
      const first = this.#entry(table, at).kind === 'none';
      let guest = alignDown(at, clusterSize) + clusterSize;
      while (guest < tableEnd && (this.#entry(table, guest).kind === 'none') === first) {
        guest += clusterSize;
      }
      guest = Math.min(guest, tableEnd);
      if (!first) await this.#writeZeros(at, guest);
      at = guest;
    }
  }

  async flush(): Promise<void> {
    await this.#l2.flush();
    if (this.#storage.size < this.#length) await this.#storage.resize(this.#length);
    const { from, to } = this.#l1Changed;
    if (from >= to) return;
    const at = this.#header.fields.l1TableOffset + from * 8;
    await this.#storage.write(at, encodeTable(this.#l1.subarray(from * 2, to * 2)));
    this.#l1Changed = { from: Infinity, to: 0 };
  }

  async empty(): Promise<void> {
    const { fields, l1Entries } = this.#header;
    this.#l2.forget();
    this.#l1.fill(0);
    this.#l1Changed = { from: 0, to: l1Entries };
    this.#length = fields.l1TableOffset + l1Entries * 8;
    await this.#storage.resize(this.#length);
    await this.flush();
  }

  /** Guest bytes of an L2 table. */
  get #coverage(): number {
    return this.clusterSize * this.#header.l2Entries;
  }

  #l2Offset(guest: number): number {
    const index = Math.floor(guest / this.#coverage);
    return (this.#l1[index * 2] ?? 0) * TWO_32 + (this.#l1[index * 2 + 1] ?? 0);
  }

  /** The L2 table for a guest offset, made where there is none. */
  async #tableFor(guest: number): Promise<L2Table> {
    const offset = this.#l2Offset(guest);
    if (offset > Number.MAX_SAFE_INTEGER) {
      throw new ImageError('l2-damaged', { index: Math.floor(guest / this.#coverage), offset });
    }
    if (offset !== 0) return this.#l2.known(offset) ?? this.#l2.load(offset);
    const place = alignUp(this.#length, this.clusterSize);
    this.#length = place + this.#header.l2Entries * 8;
    const index = Math.floor(guest / this.#coverage);
    this.#l1[index * 2] = entryHigh(place);
    this.#l1[index * 2 + 1] = entryLow(place);
    const { from, to } = this.#l1Changed;
    this.#l1Changed = { from: Math.min(from, index), to: Math.max(to, index + 1) };
    return this.#l2.make(place);
  }

  #word(guest: number): number {
    return (Math.floor(guest / this.clusterSize) % this.#header.l2Entries) * 2;
  }

  /** @throws ImageError unreadable-cluster: what is there is damaged */
  #entry({ words }: L2Table, guest: number): Entry {
    const at = this.#word(guest);
    const [high, low] = [words[at] as number, words[at + 1] as number];
    if ((high & COMPRESSED_HIGH) !== 0) {
      const host = packedOffset(this.#packed, high, low);
      return { kind: 'packed', host, length: packedLength(this.#packed, high) };
    }
    const host = high * TWO_32 + low;
    if (host === 0) return { kind: 'none', host: -1, length: 0 };
    if (isAligned(low, SECTOR) && Number.isSafeInteger(host)) {
      return { kind: 'data', host, length: 0 };
    }
    const where = { guestOffset: guest, hostOffset: host, length: this.clusterSize };
    throw new ImageError('unreadable-cluster', { ...where, reason: 'data-unaligned' });
  }

  #enter(table: L2Table, guest: number, high: number, low: number): void {
    const at = this.#word(guest);
    table.words[at] = high;
    table.words[at + 1] = low;
    table.dirty = true;
  }

  /** A new cluster at the end of the file. */
  #take(): number {
    const place = alignUp(this.#length, this.clusterSize);
    this.#length = place + this.clusterSize;
    return place;
  }

  /** What a new cluster has beside the guest bytes from `start` to `end`: it reads as before. */
  async #fill(start: number, end: number, host: number, entry: Entry): Promise<void> {
    const { clusterSize } = this;
    const guest = alignDown(start, clusterSize);
    const { below } = this.#content;
    const isPlain = entry.kind === 'none' && below === undefined && !this.#header.encrypted;
    // New clusters lie behind the end of the file: there are zeros already.
    if (isPlain) return;
    const bytes = new Uint8Array(clusterSize);
    if (entry.kind === 'packed') bytes.set(await this.#unpack(guest, entry));
    else if (below !== undefined) {
      bytes.set(await below(guest, Math.min(clusterSize, this.#header.size - guest)));
    }
    bytes.fill(0, start - guest, end - guest);
    await this.#store(guest, host, bytes);
  }

  async #unpack(guest: number, { host, length }: Entry): Promise<Uint8Array> {
    const { clusterSize } = this;
    const packed = await readPadded(this.#storage, host, length);
    const clusters = [{ start: 0, length }];
    const { data, results } = unpackBatch({ codec: 'zlib', packed, clusters, clusterSize });
    if (results[0] === 'ok') return data;
    const where = { guestOffset: guest, hostOffset: host, length: clusterSize };
    throw new ImageError('unreadable-cluster', { ...where, reason: 'compressed-corrupt' });
  }

  /** Writes guest bytes to their place, encrypted where the image is. */
  async #store(guest: number, host: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { cipher } = this.#content;
    if (cipher !== undefined) {
      await this.#storage.write(host, await cipher.encrypt(bytes, guest));
      return;
    }
    if (this.#header.encrypted) {
      const where = { guestOffset: guest, hostOffset: host, length: bytes.length };
      throw new ImageError('unreadable-cluster', { ...where, reason: 'locked' });
    }
    await this.#storage.write(host, bytes);
  }

  async #writeZeros(start: number, end: number): Promise<void> {
    const zeros = new Uint8Array(Math.min(ZERO_CHUNK, end - start));
    for (let at = start; at < end; at += zeros.length) {
      await this.write(at, zeros.subarray(0, Math.min(zeros.length, end - at)));
    }
  }
}
