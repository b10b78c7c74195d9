/**
 * Writing into a QED image. Clusters are taken at the end of the file in the order of the calls, and
 * a new L2 table behind the data that needed it, as QEMU does: the same calls make the same file.
 */
import { alignDown, alignUp, divideRoundUp, isAligned, TWO_32 } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import type { Storage } from '../../storage/storage.ts';
import { imageFault } from '../fault.ts';
import type { DiskWriter, ReadBelow } from '../format.ts';
import { L2Editor, type L2Table } from '../table-editor.ts';
import { encodeTable, entryHigh, entryLow, readTable, type Table } from '../tables.ts';
import { isClusterPlace, isTablePlace } from './header.ts';
import {
  BACKING_FILE,
  BACKING_RAW,
  HEADER,
  mostImageSize,
  NEED_CHECK,
  PIECE_BYTES,
  type HeaderFields,
} from './layout.ts';

/** Bytes that become zeros in the file are written in pieces of so many. */
const ZERO_CHUNK = 1024 * 1024;

/** What a run of guest clusters is now. */
type RunKind = 'data' | 'zero' | 'unallocated';

/** A run within one L2 table. Bytes. */
interface Run {
  readonly kind: RunKind;
  /** Of the first cluster, for data. */
  readonly host: number;
  /** Guest offset behind it, at most what was asked for. */
  readonly end: number;
  /** Whether there is an L2 table. */
  readonly hasTable: boolean;
}

/** The L1 table is kept in memory as far as the disk goes, and L2 tables in pieces up to 32 MiB. */
export class QedWriter implements DiskWriter {
  readonly packing = undefined;
  readonly clusterSize: number;
  readonly #storage: Storage;
  readonly #fields: HeaderFields;
  readonly #below: ReadBelow | undefined;
  readonly #l2: L2Editor;
  readonly #pieceEntries: number;
  readonly #tableEntries: number;
  #l1: Table;
  /** Entries that are not in the file yet. */
  #l1Changed = { from: Infinity, to: 0 };
  #headerChanged = false;
  /** Whether something was appended: until then, what is behind the last whole cluster stays. */
  #appends = false;
  /** Where the next cluster is taken. */
  #end: number;

  /**
   * @param fields of a valid header
   * @param l1 the entries for the whole disk
   * @param end of the last whole cluster of the file
   */
  constructor(
    storage: Storage,
    fields: HeaderFields,
    { l1, end }: { l1: Table; end: number },
    below?: ReadBelow,
  ) {
    this.#storage = storage;
    this.#fields = fields;
    this.#below = below;
    this.clusterSize = fields.clusterSize;
    const tableBytes = fields.clusterSize * fields.tableSize;
    const pieceBytes = Math.min(PIECE_BYTES, tableBytes);
    this.#l2 = new L2Editor(storage, pieceBytes, 'little');
    this.#pieceEntries = pieceBytes / 8;
    this.#tableEntries = tableBytes / 8;
    this.#l1 = l1;
    this.#end = end;
    // Whoever changes it leaves it clean, and without marks of programs that know more.
    this.#headerChanged = (fields.features & NEED_CHECK) !== 0n || fields.autoclearFeatures !== 0n;
    fields.features &= ~NEED_CHECK;
    fields.autoclearFeatures = 0n;
  }

  async write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const end = offset + bytes.length;
    for (let at = offset; at < end;) {
      const run = await this.#find(at, end);
      const part = bytes.subarray(at - offset, run.end - offset);
      if (run.kind === 'data') {
        await this.#storage.write(run.host + (at % this.clusterSize), part);
      } else await this.#allocate(at, part, run);
      at = run.end;
    }
  }

  async zero(offset: number, length: number): Promise<void> {
    const { clusterSize } = this;
    const end = offset + length;
    // The last cluster of the disk is whole, wherever the disk ends within it.
    const wholeEnd = end === this.#fields.imageSize ? end : alignDown(end, clusterSize);
    for (let at = offset; at < end;) {
      const isWhole = isAligned(at, clusterSize) && at < wholeEnd;
      const clusterEnd = alignDown(at, clusterSize) + clusterSize;
      const run = await this.#find(at, isWhole ? wholeEnd : Math.min(end, clusterEnd));
      const isZero = run.kind === 'zero' || (run.kind === 'unallocated' && !this.#below);
      if (run.kind === 'data' || !(isWhole || isZero)) await this.#writeZeros(at, run.end);
      else if (run.kind === 'unallocated' && isWhole && (run.hasTable || this.#below)) {
        await this.#enter(at, run.end, 1);
      }
      at = run.end;
    }
  }

  writePacked(): Promise<void> {
    throw new ImageError('internal', { reason: 'QED has no compressed clusters' });
  }

  async flush(): Promise<void> {
    await this.#l2.flush();
    if (this.#appends && this.#storage.size < this.#end) await this.#storage.resize(this.#end);
    const { from, to } = this.#l1Changed;
    if (from < to) {
      const at = this.#fields.l1TableOffset + from * 8;
      await this.#storage.write(at, encodeTable(this.#l1.subarray(from * 2, to * 2), 'little'));
      this.#l1Changed = { from: Infinity, to: 0 };
    }
    if (this.#headerChanged) await this.#writeHeader();
  }

  async resize(size: number): Promise<void> {
    const { clusterSize, tableSize, imageSize, l1TableOffset } = this.#fields;
    const most = mostImageSize(clusterSize, tableSize);
    const refuse = (message: string): never =>
      imageFault('qed', 'disk-size', { field: 'image_size', value: size, message });
    if (size % 512 !== 0 || BigInt(size) > most) refuse('Invalid image size specified');
    if (size < imageSize) {
      const message = 'Shrinking images is currently not supported';
      throw new ImageError('unsupported-feature', { feature: 'shrinking qed', message });
    }
    const entries = divideRoundUp(size, this.#tableEntries * clusterSize);
    const l1 = await readTable(this.#storage, l1TableOffset, entries, 'little');
    l1.set(this.#l1);
    this.#l1 = l1;
    this.#fields.imageSize = size;
    this.#headerChanged = true;
  }

  async setBacking(name: string, format: string): Promise<void> {
    const fields = this.#fields;
    const bytes = new TextEncoder().encode(name);
    if (name !== '' && fields.compatFeatures !== 0n) {
      const feature = 'naming a backing file beside unknown compatible features';
      throw new ImageError('unsupported-feature', { feature, message: 'Operation not supported' });
    }
    const needed = HEADER.size + bytes.length;
    const limit = fields.headerSize * fields.clusterSize;
    if (needed > limit) throw new ImageError('header-full', { needed, limit });
    fields.features &= ~(BACKING_FILE | BACKING_RAW);
    if (name !== '') fields.features |= BACKING_FILE | (format === 'raw' ? BACKING_RAW : 0n);
    fields.backingNameOffset = HEADER.size;
    fields.backingNameSize = bytes.length;
    await this.#writeHeader();
    if (bytes.length > 0) await this.#storage.write(HEADER.size, bytes);
  }

  async #writeHeader(): Promise<void> {
    const bytes = new Uint8Array(HEADER.size);
    HEADER.write(bytes, this.#fields);
    await this.#storage.write(0, bytes);
    this.#headerChanged = false;
  }

  /** The longest run from `at` on of clusters that are alike; data lies together. */
  async #find(at: number, end: number): Promise<Run> {
    const { clusterSize } = this;
    const coverage = this.#tableEntries * clusterSize;
    const index = Math.floor(at / coverage);
    const tableEnd = Math.min(end, (index + 1) * coverage);
    if (this.#l2Offset(index) === 0) {
      return { kind: 'unallocated', host: -1, end: tableEnd, hasTable: false };
    }
    let first: { kind: RunKind; host: number } | undefined;
    let host = -1;
    for (let guest = alignDown(at, clusterSize); guest < tableEnd;) {
      const { table, word, room } = await this.#piece(guest);
      const last = Math.min(room, divideRoundUp(tableEnd - guest, clusterSize));
      for (let i = 0; i < last; i++, guest += clusterSize) {
        const entry = this.#read(table, word + i * 2, guest);
        first ??= entry;
        const isNext = host < 0 || entry.host === host + clusterSize;
        if (entry.kind !== first.kind || !isNext) return { ...first, end: guest, hasTable: true };
        ({ host } = entry);
      }
    }
    const { kind, host: start } = first ?? { kind: 'unallocated', host: -1 };
    return { kind, host: start, end: tableEnd, hasTable: true };
  }

  /** @throws ImageError unreadable-cluster: what is there is damaged */
  #read(table: L2Table, word: number, guest: number): { kind: RunKind; host: number } {
    const host = (table.words[word] as number) * TWO_32 + (table.words[word + 1] as number);
    if (host === 0) return { kind: 'unallocated', host: -1 };
    if (host === 1) return { kind: 'zero', host: -1 };
    if (isClusterPlace(this.#places, host)) return { kind: 'data', host };
    const where = { guestOffset: guest, hostOffset: host, length: this.clusterSize };
    throw new ImageError('unreadable-cluster', { ...where, reason: 'block-outside' });
  }

  get #places() {
    const { clusterSize, tableSize, headerSize } = this.#fields;
    const headerBytes = headerSize * clusterSize;
    return { clusterSize, tableSize, headerBytes, fileSize: this.#end };
  }

  #l2Offset(index: number): number {
    const offset = (this.#l1[index * 2] ?? 0) * TWO_32 + (this.#l1[index * 2 + 1] ?? 0);
    if (offset !== 0 && !isTablePlace(this.#places, offset)) {
      throw new ImageError('l2-damaged', { index, offset });
    }
    return offset;
  }

  /** The piece of an L2 table that has the entry of a guest offset; the table has to be there. */
  async #piece(guest: number): Promise<{ table: L2Table; word: number; room: number }> {
    const cluster = Math.floor(guest / this.clusterSize);
    const inTable = cluster % this.#tableEntries;
    const inPiece = inTable % this.#pieceEntries;
    const place =
      this.#l2Offset(Math.floor(cluster / this.#tableEntries)) + (inTable - inPiece) * 8;
    const table = this.#l2.known(place) ?? (await this.#l2.load(place));
    return { table, word: inPiece * 2, room: this.#pieceEntries - inPiece };
  }

  /** New clusters for guest bytes that have none; what is left of them reads as before. */
  async #allocate(start: number, bytes: Uint8Array<ArrayBuffer>, run: Run): Promise<void> {
    const { clusterSize } = this;
    const guest = alignDown(start, clusterSize);
    const end = start + bytes.length;
    const clusterEnd = alignUp(end, clusterSize);
    const host = await this.#append(clusterEnd - guest);
    await this.#fill(guest, start, host, run.kind);
    await this.#storage.write(host + (start - guest), bytes);
    await this.#fill(end, clusterEnd, host + (end - guest), run.kind);
    await this.#enter(guest, clusterEnd, host);
  }

  /** Takes room at the end of the file. Bytes, whole clusters. */
  async #append(length: number): Promise<number> {
    if (!this.#appends && this.#storage.size > this.#end) {
      // The beginning of a cluster that was never finished must not show.
      await this.#storage.resize(this.#end);
    }
    this.#appends = true;
    const offset = this.#end;
    this.#end += length;
    return offset;
  }

  /** What a new cluster has beside what is written to it. Bytes. */
  async #fill(start: number, end: number, host: number, kind: RunKind): Promise<void> {
    if (start === end) return;
    const bytes = new Uint8Array(end - start);
    const within = Math.min(end, this.#fields.imageSize) - start;
    if (kind === 'unallocated' && this.#below !== undefined && within > 0) {
      bytes.set(await this.#below(start, within));
    }
    await this.#storage.write(host, bytes);
  }

  /** Enters clusters from `host` on, or 1: they read as zeros. All in one L2 table. */
  async #enter(start: number, end: number, host: number): Promise<void> {
    const { clusterSize } = this;
    const index = Math.floor(start / (this.#tableEntries * clusterSize));
    if (this.#l2Offset(index) === 0) {
      const offset = await this.#append(this.#fields.tableSize * clusterSize);
      this.#l1[index * 2] = entryHigh(offset);
      this.#l1[index * 2 + 1] = entryLow(offset);
      const { from, to } = this.#l1Changed;
      this.#l1Changed = { from: Math.min(from, index), to: Math.max(to, index + 1) };
    }
    let place = host;
    for (let guest = start; guest < end;) {
      const { table, word, room } = await this.#piece(guest);
      const last = Math.min(room, divideRoundUp(end - guest, clusterSize));
      for (let i = 0; i < last; i++, guest += clusterSize) {
        table.words[word + i * 2] = entryHigh(place);
        table.words[word + i * 2 + 1] = entryLow(place);
        if (host !== 1) place += clusterSize;
      }
      table.dirty = true;
    }
  }

  async #writeZeros(start: number, end: number): Promise<void> {
    const zeros = new Uint8Array(Math.min(ZERO_CHUNK, end - start));
    for (let at = start; at < end; at += zeros.length) {
      await this.write(at, zeros.subarray(0, Math.min(zeros.length, end - at)));
    }
  }
}
