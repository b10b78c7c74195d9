/**
 * Everything that an L1 table reaches, L2 tables and clusters, counted and marked. The tables are
 * brought in batches and walked without a promise for each entry: a disk of 1 TiB can have 16
 * million of them. Specification: «Host cluster management», «Cluster mapping».
 */
import { isAligned, MIB } from '../../../binary/units.ts';
import { ImageError, throwIfCancelled } from '../../../errors.ts';
import { gather } from '../../../storage/gather.ts';
import { compressedLayout, compressedLength, compressedOffset } from '../mapping.ts';
import { COMPRESSED_HIGH, COPIED_HIGH, decodeTable, entryOffset, type Table } from '../tables.ts';
import type { Qcow2Writer } from './writer.ts';
import { wordsToBytes } from './words.ts';

/** L2 tables that are in memory at once, bytes. */
const BATCH_BYTES = 4 * MIB;

/** An L2 table of a batch. */
interface WalkedTable {
  /** In the L1 table. */
  readonly index: number;
  /** Bytes from the start of the file. */
  readonly offset: number;
  words: Table;
  changed: boolean;
}

/** Clusters of a batch, and for some walks where they are referred to. */
class ClusterList {
  #clusters = new Float64Array(65536);
  #places = new Uint32Array(65536);
  #length = 0;

  get clusters(): Float64Array {
    return this.#clusters.subarray(0, this.#length);
  }

  place(index: number): number {
    return this.#places[index] as number;
  }

  clear(): void {
    this.#length = 0;
  }

  add(cluster: number, place: number): void {
    if (this.#length === this.#clusters.length) this.#grow();
    this.#clusters[this.#length] = cluster;
    this.#places[this.#length++] = place;
  }

  #grow(): void {
    const clusters = new Float64Array(this.#length * 2);
    const places = new Uint32Array(this.#length * 2);
    clusters.set(this.#clusters);
    places.set(this.#places);
    this.#clusters = clusters;
    this.#places = places;
  }
}

/**
 * Walks tables as they are in the storage of a writer, whose own L2 tables have to be settled
 * before ({@link Qcow2Writer.settleTables}).
 */
export class TableWalk {
  readonly #writer: Qcow2Writer;
  readonly #signal: AbortSignal | undefined;
  readonly #list = new ClusterList();
  /** 32-bit words of an L2 entry. */
  readonly #entryWords: number;

  constructor(writer: Qcow2Writer, signal?: AbortSignal) {
    this.#writer = writer;
    this.#signal = signal;
    this.#entryWords = writer.isExtended ? 4 : 2;
  }

  /**
   * Adds `delta` to the refcount of every cluster that an L1 table reaches; of a cluster with packed
   * data once for each of its users.
   * @throws ImageError l2-damaged, unreadable-cluster, refcount-wrong, refcount-limit, cancelled
   */
  async count(l1: Table, delta: 1 | -1): Promise<void> {
    for (const batch of this.#batches(l1)) await this.#countBatch(batch, delta);
  }

  /**
   * The same with one user more for everything in the active tables, which is therefore shared from
   * now on.
   * @param l1 the active L1 table
   * @returns the L1 table with its marks
   */
  async share(l1: Table): Promise<Table> {
    const marked = l1.slice();
    for (const batch of this.#batches(l1)) {
      await this.#countBatch(batch, 1);
      for (const table of batch) {
        clearMarks(table, this.#entryWords);
        marked[table.index * 2] = ((marked[table.index * 2] as number) & ~COPIED_HIGH) >>> 0;
      }
      await this.#writeBatch(batch);
    }
    return marked;
  }

  /**
   * Marks what has exactly one user in the active tables (COPIED), and nothing else.
   * @param l1 the active L1 table
   * @returns the L1 table with its marks
   */
  async markCopied(l1: Table): Promise<Table> {
    const marked = l1.slice();
    for (const batch of this.#batches(l1)) {
      await this.#readBatch(batch);
      await this.#markBatch(batch);
      await this.#writeBatch(batch);
      const own = Float64Array.from(batch, ({ offset }) => offset / this.#writer.clusterSize);
      await this.#writer.refcounts.visit(own, (block, entry, index) => {
        const at = (batch[index] as WalkedTable).index * 2;
        const isOwn = block?.get(entry) === 1;
        marked[at] = (((marked[at] as number) & ~COPIED_HIGH) | (isOwn ? COPIED_HIGH : 0)) >>> 0;
      });
    }
    return marked;
  }

  /** The L2 tables that an L1 table names, not read yet. */
  *#batches(l1: Table): Generator<WalkedTable[], undefined> {
    const { clusterSize, storage } = this.#writer;
    const most = Math.max(1, Math.floor(BATCH_BYTES / clusterSize));
    let batch: WalkedTable[] = [];
    for (let index = 0; index * 2 < l1.length; index++) {
      const offset = entryOffset(l1[index * 2] as number, l1[index * 2 + 1] as number);
      if (offset === 0) continue;
      if (!isAligned(offset, clusterSize) || offset >= storage.size) {
        throw new ImageError('l2-damaged', { index, offset });
      }
      batch.push({ index, offset, words: NO_WORDS, changed: false });
      if (batch.length < most) continue;
      throwIfCancelled(this.#signal);
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
    return undefined;
  }

  async #readBatch(batch: readonly WalkedTable[]): Promise<void> {
    const { storage, clusterSize } = this.#writer;
    const pieces = batch.map((table) => ({ offset: table.offset, length: clusterSize, table }));
    await gather(storage, pieces, ({ table }, bytes) => {
      table.words = decodeTable(bytes);
    });
  }

  async #writeBatch(batch: readonly WalkedTable[]): Promise<void> {
    for (const { offset, words, changed } of batch) {
      if (changed) await this.#writer.storage.write(offset, wordsToBytes(words));
    }
  }

  async #countBatch(batch: readonly WalkedTable[], delta: 1 | -1): Promise<void> {
    await this.#readBatch(batch);
    this.#list.clear();
    for (const table of batch) {
      this.#list.add(table.offset / this.#writer.clusterSize, 0);
      this.#collectPacked(table);
      this.#collect(table, 0);
    }
    await this.#writer.refcounts.changeMany(this.#list.clusters, delta);
  }

  /** Lists the clusters of a table, apart from those with packed data. */
  #collect(table: WalkedTable, place: number): void {
    const { words } = table;
    const { clusterSize } = this.#writer;
    const step = this.#entryWords;
    for (let at = 0; at < words.length; at += step) {
      const high = words[at] as number;
      if ((high & COMPRESSED_HIGH) !== 0) continue;
      const offset = entryOffset(high, words[at + 1] as number);
      if (offset === 0) continue;
      if (offset % clusterSize !== 0) this.#refuse(table, at / step, offset);
      this.#list.add(offset / clusterSize, place + at);
    }
  }

  /** Lists the clusters that the packed clusters of a table touch. */
  #collectPacked({ words }: WalkedTable): void {
    const { clusterSize, header } = this.#writer;
    const layout = compressedLayout(header.fields.clusterBits);
    for (let at = 0; at < words.length; at += this.#entryWords) {
      const high = words[at] as number;
      if ((high & COMPRESSED_HIGH) === 0) continue;
      const low = words[at + 1] as number;
      const start = compressedOffset(layout, high, low);
      const last = Math.floor((start + compressedLength(layout, high, low) - 1) / clusterSize);
      for (let cluster = Math.floor(start / clusterSize); cluster <= last; cluster++) {
        this.#list.add(cluster, 0);
      }
    }
  }

  async #markBatch(batch: readonly WalkedTable[]): Promise<void> {
    const size = this.#writer.clusterSize / 4;
    const own = new Uint8Array(batch.length * size);
    this.#list.clear();
    for (const [index, table] of batch.entries()) this.#collect(table, index * size);
    const list = this.#list;
    await this.#writer.refcounts.visit(list.clusters, (block, entry, index) => {
      if (block?.get(entry) === 1) own[list.place(index)] = 1;
    });
    for (const [index, table] of batch.entries()) {
      const { words } = table;
      for (let at = 0; at < words.length; at += this.#entryWords) {
        const high = words[at] as number;
        const mark = own[index * size + at] === 1 ? COPIED_HIGH : 0;
        const wanted = ((high & ~COPIED_HIGH) | mark) >>> 0;
        if (wanted === high) continue;
        words[at] = wanted;
        table.changed = true;
      }
    }
  }

  #refuse({ index }: WalkedTable, entry: number, hostOffset: number): never {
    const { clusterSize, l2Entries } = this.#writer;
    const guestOffset = (index * l2Entries + entry) * clusterSize;
    const where = { guestOffset, hostOffset, length: clusterSize };
    throw new ImageError('unreadable-cluster', { ...where, reason: 'data-unaligned' });
  }
}

const NO_WORDS: Table = new Uint32Array(0);

function clearMarks(table: WalkedTable, entryWords: number): void {
  const { words } = table;
  for (let at = 0; at < words.length; at += entryWords) {
    const high = words[at] as number;
    if ((high & COPIED_HIGH) === 0) continue;
    words[at] = (high & ~COPIED_HIGH) >>> 0;
    table.changed = true;
  }
}
