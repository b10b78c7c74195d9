/**
 * Refcounts that change, and the clusters that are given out by them. Specification: «Host cluster
 * management». Where new clusters go, and how the structure grows, is as QEMU does it: the first
 * free place from a moving hint on, and refcount blocks that count themselves.
 */
import { alignUp, divideRoundUp, isAligned } from '../../../binary/units.ts';
import { ImageError } from '../../../errors.ts';
import { readPadded, type Storage } from '../../../storage/storage.ts';
import { LIMITS } from '../layout.ts';
import { maxRefcount } from '../refcounts.ts';
import { offsetsToBytes } from './words.ts';
import { blocksNeeded, RefcountBlockEditor } from './refcount-block.ts';

/** What the structure looks like in the header; changes when the table grows. */
export interface RefcountLayout {
  readonly clusterSize: number;
  readonly refcountBits: number;
  /** Bytes. */
  tableOffset: number;
  tableClusters: number;
}

/** Blocks that are kept, bytes: 32 MiB are the refcounts of 1 TiB at 64 KiB clusters. */
const KEPT_BYTES = 32 * 1024 * 1024;

/** As often may the block change in a list of clusters before it is worth to be sorted. */
const FEW_CHANGES = 1024;

export class RefcountEditor {
  readonly layout: RefcountLayout;
  /** Clusters whose refcounts one block holds. */
  readonly blockEntries: number;
  readonly maximum: number;
  readonly #storage: Storage;
  readonly #kept: number;
  /** Offset of each block, 0 where there is none. */
  #table: Float64Array<ArrayBuffer>;
  #tableChanged: boolean;
  /** Most recently used last. */
  readonly #blocks = new Map<number, RefcountBlockEditor>();
  /** Nothing below this cluster is free. */
  #hint = 0;
  /** Nothing below this cluster is given out by a search. */
  #floor = 0;
  #freed = 0;
  #taken = 0;

  /**
   * @param table offsets of the blocks, bytes; 0 where there is none
   * @param isNew the table is not in the file yet
   */
  constructor(
    storage: Storage,
    layout: RefcountLayout,
    table: Float64Array<ArrayBuffer>,
    isNew = false,
  ) {
    this.#tableChanged = isNew;
    this.#storage = storage;
    this.layout = layout;
    this.#table = table;
    this.blockEntries = (layout.clusterSize * 8) / layout.refcountBits;
    this.maximum = maxRefcount(layout.refcountBits);
    this.#kept = Math.max(16, Math.floor(KEPT_BYTES / layout.clusterSize));
  }

  /** Bytes of the clusters that have become free so far, and of those that were taken. */
  get moved(): { freed: number; taken: number } {
    const { clusterSize } = this.layout;
    return { freed: this.#freed * clusterSize, taken: this.#taken * clusterSize };
  }

  /** The refcount of a cluster (its index). */
  async get(cluster: number): Promise<number> {
    const index = Math.floor(cluster / this.blockEntries);
    const block =
      this.#known(index) ?? (this.hasBlock(index) ? await this.#load(index) : undefined);
    return block === undefined ? 0 : block.get(cluster % this.blockEntries);
  }

  /** How many of `count` clusters from `first` on (its index) have exactly one user, in a row. */
  async countOwn(first: number, count: number): Promise<number> {
    for (let i = 0; i < count; i++) {
      const index = Math.floor((first + i) / this.blockEntries);
      const block =
        this.#known(index) ?? (this.hasBlock(index) ? await this.#load(index) : undefined);
      if (block?.get((first + i) % this.blockEntries) !== 1) return i;
    }
    return count;
  }

  /**
   * Takes `count` clusters that lie behind each other, with a refcount of one.
   * @returns the offset of the first, bytes
   * @throws ImageError too-large where no place for them can be described
   */
  async allocate(count: number): Promise<number> {
    for (;;) {
      const first = await this.#findFree(count);
      if (await this.#add(first, first + count - 1, 1)) return first * this.layout.clusterSize;
    }
  }

  /**
   * Takes at most `count` clusters from a given place on, as many as are free there.
   * @param offset of the first, bytes
   * @returns how many; 0 when the first is in use
   */
  async allocateAt(offset: number, count: number): Promise<number> {
    const first = offset / this.layout.clusterSize;
    for (;;) {
      let free = 0;
      while (free < count && (await this.get(first + free)) === 0) free++;
      if (free === 0 || (await this.#add(first, first + free - 1, 1))) return free;
    }
  }

  /**
   * Room for `length` bytes of packed data, which may begin and end within clusters: behind what
   * was packed last where that is possible. A cluster's refcount tells how many use it.
   * @param after where the last packed data ended, bytes; 0 when there is none
   * @returns where it goes, bytes
   */
  async allocateBytes(length: number, after: number): Promise<number> {
    const { clusterSize } = this.layout;
    let offset = after;
    if (offset !== 0 && (await this.get(Math.floor(offset / clusterSize))) === this.maximum) {
      offset = 0;
    }
    let room = clusterSize - (offset % clusterSize);
    for (;;) {
      if (offset === 0 || room < length) {
        const fresh = (await this.#findFree(1)) * clusterSize;
        if (offset === 0 || alignUp(offset, clusterSize) !== fresh) {
          offset = fresh;
          room = clusterSize;
        } else {
          room += clusterSize;
        }
      }
      const last = Math.floor((offset + length - 1) / clusterSize);
      if (await this.#add(Math.floor(offset / clusterSize), last, 1)) return offset;
      offset = 0;
    }
  }

  /**
   * Adds `delta` to the refcount of every cluster that a range of the file (bytes) touches.
   * @throws ImageError refcount-limit where one would become negative or too large
   */
  async change(offset: number, length: number, delta: 1 | -1): Promise<void> {
    if (length === 0) return;
    const { clusterSize } = this.layout;
    const first = Math.floor(offset / clusterSize);
    const last = Math.floor((offset + length - 1) / clusterSize);
    while (!(await this.#add(first, last, delta)));
  }

  /**
   * Adds `delta` to the refcounts of clusters (their indexes) that something refers to already,
   * which therefore have one: without a promise for each.
   * @throws ImageError refcount-wrong where one is counted as free; refcount-limit
   */
  async changeMany(clusters: Float64Array, delta: 1 | -1): Promise<void> {
    await this.visit(clusters, (block, entry, index) => {
      const old = block?.get(entry) ?? 0;
      const cluster = clusters[index] as number;
      const offset = cluster * this.layout.clusterSize;
      if (block === undefined || old === 0) throw new ImageError('refcount-wrong', { offset });
      const count = old + delta;
      if (count > this.maximum) {
        throw new ImageError('refcount-limit', { offset, maximum: this.maximum });
      }
      block.set(entry, count);
      if (count > 0) return;
      this.#freed += 1;
      this.#mayBeFree(cluster);
    });
  }

  /**
   * Looks at the refcounts of many clusters (their indexes), in any order that suits the blocks.
   * @param look gets the block, if there is one, the place in it, and which of `clusters` it is;
   * it must not wait for anything
   */
  async visit(
    clusters: Float64Array,
    look: (block: RefcountBlockEditor | undefined, entry: number, index: number) => void,
  ): Promise<void> {
    const order = this.#visitOrder(clusters);
    const { blockEntries } = this;
    let first = -1;
    let end = -1;
    let block: RefcountBlockEditor | undefined;
    for (let i = 0; i < clusters.length; i++) {
      const at = order === undefined ? i : (order[i] as number);
      const cluster = clusters[at] as number;
      if (cluster < first || cluster >= end) {
        const index = Math.floor(cluster / blockEntries);
        block = this.#known(index) ?? (this.hasBlock(index) ? await this.#load(index) : undefined);
        first = index * blockEntries;
        end = first + blockEntries;
      }
      look(block, cluster - first, at);
    }
  }

  /**
   * Where not all blocks can be kept, and they are wanted again and again, each is wanted only once.
   * @returns undefined for the order as it is
   */
  #visitOrder(clusters: Float64Array): Float64Array | undefined {
    if (this.#table.length <= this.#kept) return undefined;
    const { blockEntries } = this;
    let changes = 0;
    let first = -1;
    let end = -1;
    let most = 0;
    for (let i = 0; i < clusters.length; i++) {
      const cluster = clusters[i] as number;
      if (cluster >= first && cluster < end) continue;
      changes++;
      first = cluster - (cluster % blockEntries);
      end = first + blockEntries;
      if (end > most) most = end;
    }
    // Cluster and place in one number, which sorts faster than with a function.
    const places = clusters.length;
    if (changes <= FEW_CHANGES || (most + 1) * places > Number.MAX_SAFE_INTEGER) return undefined;
    const order = clusters.map((cluster, index) => cluster * places + index).sort();
    return order.map((key) => key % places);
  }

  /** Blocks that the table has room for. */
  get tableEntries(): number {
    return this.#table.length;
  }

  /** Where the blocks are, bytes. */
  blockOffsets(): Float64Array {
    return this.#table.filter((offset) => offset !== 0);
  }

  /** The refcounts of clusters (their indexes) from `first` on. */
  async readCounts(first: number, counts: Float64Array): Promise<void> {
    let block: RefcountBlockEditor | undefined;
    for (let at = 0; at < counts.length; at++) {
      const entry = (first + at) % this.blockEntries;
      if (at === 0 || entry === 0) {
        const index = Math.floor((first + at) / this.blockEntries);
        block = this.#known(index) ?? (this.hasBlock(index) ? await this.#load(index) : undefined);
      }
      counts[at] = block?.get(entry) ?? 0;
    }
  }

  /** From now on, searches begin at this cluster at the earliest. */
  startAt(cluster: number): void {
    this.#floor = cluster;
    this.#hint = Math.max(this.#hint, cluster);
  }

  /** The last cluster of a file of `size` bytes that is in use; -1 where none is. */
  async lastUsed(size: number): Promise<number> {
    let cluster = divideRoundUp(size, this.layout.clusterSize) - 1;
    while (cluster >= 0) {
      const index = Math.floor(cluster / this.blockEntries);
      const first = index * this.blockEntries;
      const block =
        this.#known(index) ?? (this.hasBlock(index) ? await this.#load(index) : undefined);
      for (; block !== undefined && cluster >= first; cluster--) {
        if (block.get(cluster - first) > 0) return cluster;
      }
      cluster = first - 1;
    }
    return -1;
  }

  /** Gives back the blocks that count nothing but, maybe, themselves. */
  async dropEmptyBlocks(): Promise<void> {
    for (let index = 0; index < this.#table.length; index++) {
      if (!this.hasBlock(index)) continue;
      const block = this.#known(index) ?? (await this.#load(index));
      const own = block.offset / this.layout.clusterSize;
      const isWithin = Math.floor(own / this.blockEntries) === index;
      if (!block.isEmpty(isWithin ? own % this.blockEntries : -1)) continue;
      if (!isWithin) await this.change(block.offset, this.layout.clusterSize, -1);
      else this.#freed += 1;
      this.#mayBeFree(own);
      this.#blocks.delete(index);
      this.#table[index] = 0;
      this.#tableChanged = true;
    }
  }

  /** Writes what has changed. The table's place is for the header to say. */
  async flush(): Promise<void> {
    const changed = [...this.#blocks.values()].filter(({ dirty }) => dirty);
    changed.sort((a, b) => a.offset - b.offset);
    for (const block of changed) await this.#write(block);
    if (this.#tableChanged) await this.#writeTable();
  }

  async #write(block: RefcountBlockEditor): Promise<void> {
    await this.#storage.write(block.offset, block.bytes);
    block.dirty = false;
  }

  async #writeTable(): Promise<void> {
    await this.#storage.write(this.layout.tableOffset, offsetsToBytes(this.#table));
    this.#tableChanged = false;
  }

  #mayBeFree(cluster: number): void {
    this.#hint = Math.max(this.#floor, Math.min(this.#hint, cluster));
  }

  /** The first of `count` free clusters in a row from the hint on, which moves behind them. */
  async #findFree(count: number): Promise<number> {
    let run = 0;
    while (run < count) {
      const cluster = this.#hint++;
      const index = Math.floor(cluster / this.blockEntries);
      const block =
        this.#known(index) ?? (this.hasBlock(index) ? await this.#load(index) : undefined);
      const isFree = block === undefined || block.get(cluster % this.blockEntries) === 0;
      run = isFree ? run + 1 : 0;
    }
    return this.#hint - count;
  }

  /**
   * Changes the refcounts of clusters `first` to `last`. Returns false when a block had to be made
   * for them, which may lie where they were meant to be: nothing is changed then, and the search
   * begins again.
   */
  async #add(first: number, last: number, delta: 1 | -1): Promise<boolean> {
    let blockIndex = -1;
    let block: RefcountBlockEditor | undefined;
    for (let cluster = first; cluster <= last; cluster++) {
      const index = Math.floor(cluster / this.blockEntries);
      if (index !== blockIndex || block === undefined) {
        block = this.#known(index) ?? (this.hasBlock(index) ? await this.#load(index) : undefined);
        blockIndex = index;
        if (block === undefined) {
          await this.#makeBlock(cluster, index);
          this.#mayBeFree(first);
          await this.#takeBack(first, cluster - 1, delta);
          return false;
        }
      }
      const entry = cluster % this.blockEntries;
      const count = block.get(entry) + delta;
      if (count < 0 || count > this.maximum) {
        await this.#takeBack(first, cluster - 1, delta);
        const offset = cluster * this.layout.clusterSize;
        throw new ImageError('refcount-limit', { offset, maximum: this.maximum });
      }
      block.set(entry, count);
      if (count === delta) this.#taken += 1;
      if (count > 0) continue;
      this.#freed += 1;
      this.#mayBeFree(cluster);
    }
    return true;
  }

  /** Undoes a part of {@link #add}. */
  async #takeBack(first: number, last: number, delta: 1 | -1): Promise<void> {
    const [freed, taken] = [this.#freed, this.#taken];
    await this.#add(first, last, delta === 1 ? -1 : 1);
    [this.#freed, this.#taken] = [freed - (this.#taken - taken), taken - (this.#freed - freed)];
  }

  /** Makes the block that counts `cluster`, and a larger table where it does not fit into this. */
  async #makeBlock(cluster: number, index: number): Promise<void> {
    const { clusterSize, refcountBits } = this.layout;
    const own = await this.#findFree(1);
    const bytes = new Uint8Array(clusterSize);
    const block = new RefcountBlockEditor(own * clusterSize, bytes, refcountBits);
    if (Math.floor(own / this.blockEntries) === index) {
      block.set(own % this.blockEntries, 1);
      this.#taken += 1;
    } else if (!(await this.#add(own, own, 1))) return;
    block.dirty = true;
    if (index < this.#table.length) {
      this.#keep(index, block);
      this.#table[index] = block.offset;
      this.#tableChanged = true;
      return;
    }
    this.#keep(index, block);
    // It belongs into the table that is made now, and not into the old one, which has no such entry.
    const start = alignUp(Math.max(cluster, own) + 1, this.blockEntries);
    await this.#makeTable(start, 0, { generous: true, block: { index, offset: block.offset } });
  }

  /**
   * Room for `count` clusters at the end of the file, behind new refcount structures that count
   * themselves and them, so that none has to be made while they are used.
   * @param end where the file ends, bytes, at a cluster; nothing behind it is in use
   * @returns where the clusters may be taken, bytes
   */
  async reserve(end: number, count: number): Promise<number> {
    const { clusterSize } = this.layout;
    return (await this.#makeTable(end / clusterSize, count, { generous: false })) * clusterSize;
  }

  /**
   * Makes a new table at `start` (a cluster; nothing is in use from there on), with blocks that
   * count it, themselves, and `more` clusters behind.
   * @param wanted whether to make it half as large again as needed, so that this does not happen
   * too often; a block that belongs into it
   * @returns the first cluster behind
   */
  async #makeTable(
    start: number,
    more: number,
    wanted: { generous: boolean; block?: { index: number; offset: number } },
  ): Promise<number> {
    const { clusterSize, refcountBits } = this.layout;
    const { generous } = wanted;
    const blocks = blocksNeeded(start + more, clusterSize, this.blockEntries, generous);
    const entries = alignUp(blocks + (generous ? divideRoundUp(blocks, 2) : 0), clusterSize / 8);
    if (entries * 8 > LIMITS.refcountTableBytes) {
      const limit = LIMITS.refcountTableBytes;
      const value = String(entries * 8);
      throw new ImageError('too-large', { what: 'refcount table', value, limit });
    }
    const table = new Float64Array(entries);
    table.set(this.#table.subarray(0, entries));
    if (wanted.block !== undefined) table[wanted.block.index] = wanted.block.offset;
    let next = start;
    for (let i = Math.floor(start / this.blockEntries); i < blocks; i++) {
      if (table[i] !== 0) continue;
      const bytes = new Uint8Array(clusterSize);
      const block = new RefcountBlockEditor(next * clusterSize, bytes, refcountBits);
      block.dirty = true;
      table[i] = block.offset;
      this.#keep(i, block);
      next += 1;
    }
    const tableClusters = (entries * 8) / clusterSize;
    // It is free from now on, but what it holds stays in the file: that is QEMU's file, too.
    if (this.#tableChanged) await this.#writeTable();
    const old = { offset: this.layout.tableOffset, clusters: this.layout.tableClusters };
    this.#table = table;
    this.#tableChanged = true;
    this.layout.tableOffset = next * clusterSize;
    this.layout.tableClusters = tableClusters;
    const end = next + tableClusters;
    if (!(await this.#add(start, end - 1, 1))) {
      throw new ImageError('internal', { reason: 'the new refcount table does not count itself' });
    }
    await this.change(old.offset, old.clusters * clusterSize, -1);
    return end;
  }

  #known(index: number): RefcountBlockEditor | undefined {
    const block = this.#blocks.get(index);
    // Only the order of use of what is about to be dropped matters.
    if (block !== undefined && this.#blocks.size >= this.#kept) {
      this.#blocks.delete(index);
      this.#blocks.set(index, block);
    }
    return block;
  }

  #keep(index: number, block: RefcountBlockEditor): void {
    this.#blocks.set(index, block);
  }

  /** Whether there is such a block: asked for every cluster, so without a promise. */
  hasBlock(index: number): boolean {
    return index < this.#table.length && this.#table[index] !== 0;
  }

  /** Brings a block that is in the file. */
  async #load(index: number): Promise<RefcountBlockEditor> {
    const offset = this.#table[index] as number;
    const { clusterSize, refcountBits } = this.layout;
    if (!isAligned(offset, clusterSize)) {
      throw new ImageError('refcount-block-unaligned', { offset, index });
    }
    await this.#shrink();
    const bytes = await readPadded(this.#storage, offset, clusterSize);
    const block = new RefcountBlockEditor(offset, bytes, refcountBits);
    this.#keep(index, block);
    return block;
  }

  async #shrink(): Promise<void> {
    for (const [index, block] of this.#blocks) {
      if (this.#blocks.size < this.#kept) return;
      if (block.dirty) await this.#write(block);
      this.#blocks.delete(index);
    }
  }
}
