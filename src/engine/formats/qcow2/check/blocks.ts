/** The refcounts that the file itself says, and their comparison with the references. */
import { gather } from '../../../storage/gather.ts';
import type { Finding } from '../../../operations/finding.ts';
import {
  decodeBlock,
  exactRefcountAt,
  readRefcountTable,
  refcountAt,
  type RefcountBlock,
  type RefcountTable,
} from '../refcounts.ts';
import type { CheckContext } from './context.ts';
import { PAGE } from './counts.ts';

/** Bytes of refcount blocks that are read together. */
const BATCH_BYTES = 2 * 1024 * 1024;
/** While one batch is worked on, so many are read. */
const BATCHES_AHEAD = 2;
/** Bytes of blocks that are kept, but always some blocks. */
const KEPT_BYTES = 8 * 1024 * 1024;
/** Clusters that are compared before events are let in. */
const COMPARED_AT_ONCE = 1024 * 1024;

/** Two refcounts of 16 bits that are one each, as this machine sees them in 32 bits. */
const PAIR_OF_ONES = new Uint32Array(Uint8Array.of(0, 1, 0, 1).buffer)[0] as number;

export class RefcountBlocks {
  readonly table: RefcountTable;
  readonly #context: CheckContext;
  readonly #blockEntries: number;
  readonly #bits: number;
  /** Recently used blocks, as they are in the file, by their offset. */
  readonly #kept = new Map<number, Uint8Array>();
  readonly #most: number;
  /** A bit for each cluster of the window, and one behind the file: its refcount is exactly one. */
  #ones = new Uint32Array();
  /** Not 0 for blocks of the window in which {@link #ones} says all: no refcount is above one. */
  #isTold = new Uint8Array();
  #first = 0;
  /** Clusters of the window that lie in the file. */
  #length = 0;

  private constructor(context: CheckContext, table: RefcountTable) {
    this.#context = context;
    this.table = table;
    this.#blockEntries = table.blockEntries;
    this.#bits = context.image.header.refcountBits;
    this.#most = Math.max(4, Math.floor(KEPT_BYTES / context.clusterSize));
  }

  /** Reads the refcount table. */
  static async open(context: CheckContext): Promise<RefcountBlocks> {
    const { image } = context;
    return new RefcountBlocks(context, await readRefcountTable(image.storage, image.header));
  }

  /**
   * Reads the blocks of the window that is counted now. Those with nothing but ones and zeros, in
   * most images all of them, need not be read again to be compared.
   */
  async enterWindow(): Promise<void> {
    const { counts, fileSize, clusterSize } = this.#context;
    this.#first = counts.first;
    const inFile = Math.ceil(fileSize / clusterSize);
    const end = Math.min(counts.end, inFile);
    this.#length = Math.max(0, end - counts.first);
    const noted = Math.max(0, Math.min(counts.end, inFile + 1) - counts.first);
    const blocks = Math.ceil(this.#length / this.#blockEntries);
    this.#ones = new Uint32Array(Math.ceil(noted / 32));
    this.#isTold = new Uint8Array(blocks);
    this.#kept.clear();
    this.#context.expect(blocks * clusterSize * 2);
    const firstBlock = this.#first / this.#blockEntries;
    for await (const batch of this.#batches(end)) {
      for (const [index, bytes] of batch) {
        const at = (index - firstBlock) * this.#blockEntries;
        const isTold = this.#noteOnes(at, bytes, noted - at);
        this.#isTold[index - firstBlock] = isTold ? 1 : 0;
        if (!isTold && this.#kept.size < this.#most) this.#keep(this.table.offset(index), bytes);
      }
      await this.#context.passed(batch.size * clusterSize);
    }
  }

  /**
   * Notes which refcounts of a block are one, for its first `wanted` clusters.
   * @param at the first cluster, counted from the window's
   * @returns whether all others are zero
   */
  #noteOnes(at: number, bytes: Uint8Array, wanted: number): boolean {
    const words = this.#bits === 16 ? wordsOf(bytes) : undefined;
    let isTold = true;
    let block: RefcountBlock | undefined;
    const count = Math.min(this.#blockEntries, wanted);
    for (let i = 0; i < count; i += 32) {
      const like = words === undefined ? undefined : allAlike(words, i / 2);
      if (like === 0) continue;
      if (like === PAIR_OF_ONES && i + 32 <= count) {
        this.#ones[(at + i) >>> 5] = 0xffffffff;
        continue;
      }
      block ??= this.#decode(bytes, count);
      let word = 0;
      const end = Math.min(32, count - i);
      for (let bit = 0; bit < end; bit++) {
        const refcount = block[i + bit] as number;
        if (refcount === 1) word |= 1 << bit;
        else if (refcount !== 0) isTold = false;
      }
      this.#ones[(at + i) >>> 5] = word;
    }
    return isTold;
  }

  /** The first refcounts of a block: there is no use for those of clusters that the file has not. */
  #decode(bytes: Uint8Array, wanted: number): RefcountBlock {
    const most = Math.min(this.#blockEntries, Math.ceil(wanted / 8) * 8);
    return decodeBlock(bytes.subarray(0, (most * this.#bits) / 8), this.#bits);
  }

  /**
   * The blocks of the window up to a cluster, by index; those that are not in the file, and those
   * that are told already, are left out. While one batch is worked on, the next are read.
   */
  async *#batches(end: number): AsyncGenerator<Map<number, Uint8Array>, undefined> {
    const ahead: Promise<Map<number, Uint8Array>>[] = [];
    for (const indexes of this.#lists(end)) {
      const next = this.#read(indexes);
      // Should the walk end before it is asked for, its failure is nobody's business.
      next.catch(() => undefined);
      ahead.push(next);
      if (ahead.length <= BATCHES_AHEAD) continue;
      const current = ahead.shift();
      if (current !== undefined) yield await current;
    }
    for (const rest of ahead) yield await rest;
    return undefined;
  }

  *#lists(end: number): Generator<number[], undefined> {
    const most = Math.max(1, Math.floor(BATCH_BYTES / this.#context.clusterSize));
    const first = this.#first / this.#blockEntries;
    const last = Math.min(Math.ceil(end / this.#blockEntries), this.table.entries);
    let indexes: number[] = [];
    for (let index = first; index < last; index++) {
      if (!this.#isInFile(index) || this.#isTold[index - first] === 1) continue;
      indexes.push(index);
      if (indexes.length < most) continue;
      yield indexes;
      indexes = [];
    }
    if (indexes.length > 0) yield indexes;
    return undefined;
  }

  /** Whether a block has bytes of its own; otherwise all of its refcounts are 0. */
  #isInFile(index: number): boolean {
    if (index >= this.table.entries || !this.table.isReadable(index)) return false;
    const offset = this.table.offset(index);
    return offset !== 0 && offset < this.#context.fileSize;
  }

  /** The bytes of blocks that are in the file; they may be views of what was read together. */
  async #read(indexes: readonly number[]): Promise<Map<number, Uint8Array>> {
    const { image, clusterSize } = this.#context;
    const there = new Map<number, Uint8Array>();
    const missing = new Map<number, { offset: number; length: number }>();
    for (const index of indexes) {
      const offset = this.table.offset(index);
      const bytes = this.#kept.get(offset);
      if (bytes === undefined) missing.set(offset, { offset, length: clusterSize });
      else there.set(offset, bytes);
    }
    await gather(image.storage, [...missing.values()], ({ offset }, view) => {
      there.set(offset, view);
    });
    const found = new Map<number, Uint8Array>();
    for (const index of indexes) {
      const bytes = there.get(this.table.offset(index));
      if (bytes !== undefined) found.set(index, bytes);
    }
    return found;
  }

  /** Keeps a block, and lets go of the oldest where there are too many. */
  #keep(offset: number, bytes: Uint8Array): void {
    // A view would keep all of its request alive.
    this.#kept.set(offset, bytes.slice());
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#most) break;
      this.#kept.delete(oldest);
    }
  }

  /** Makes the block of a cluster ready for {@link get}. */
  async prepare(cluster: number): Promise<void> {
    const index = Math.floor(cluster / this.#blockEntries);
    const offset = this.table.offset(index);
    if (!this.#isInFile(index) || this.#kept.has(offset)) return;
    for (const bytes of (await this.#read([index])).values()) this.#keep(offset, bytes);
  }

  /** Whether {@link get} can be asked for this cluster. */
  isPrepared(cluster: number): boolean {
    const index = Math.floor(cluster / this.#blockEntries);
    return !this.#isInFile(index) || this.#kept.has(this.table.offset(index));
  }

  /**
   * The refcount of a cluster as the file says it; undefined where it cannot be had. For clusters
   * that are prepared: one of the last few.
   */
  get(cluster: number): number | undefined {
    const index = Math.floor(cluster / this.#blockEntries);
    if (this.#isInFile(index)) {
      const bytes = this.#kept.get(this.table.offset(index));
      if (bytes === undefined) return undefined;
      return refcountAt(bytes, this.#bits, cluster % this.#blockEntries);
    }
    return this.#isUnreadable(index) ? undefined : 0;
  }

  /** The same for a message, exact also where a number would be rounded. */
  exact(cluster: number): number | string {
    const index = Math.floor(cluster / this.#blockEntries);
    const bytes = this.#isInFile(index) ? this.#kept.get(this.table.offset(index)) : undefined;
    if (bytes === undefined) return 0;
    return exactRefcountAt(bytes, this.#bits, cluster % this.#blockEntries);
  }

  #isUnreadable(index: number): boolean {
    return index < this.table.entries && !this.table.isReadable(index);
  }

  /**
   * Whether a COPIED flag may be wrong: it says `copied` of a cluster below 2^31, and the file says
   * otherwise or nothing. False for clusters of other windows; 32-bit arithmetic.
   */
  disagrees(cluster: number, copied: boolean): boolean {
    const at = cluster - this.#first;
    if (at >>> 0 >= this.#length) return false;
    const isOne = (((this.#ones[at >>> 5] as number) >>> (at & 31)) & 1) === 1;
    return isOne !== copied;
  }

  /** The same for neighbours: whether one of them may be wrong. All are below 2^32. */
  disagreesRun(cluster: number, length: number, copied: boolean): boolean {
    const start = cluster - this.#first;
    const end = Math.min(start + length, this.#length);
    const wanted = copied ? -1 : 0;
    for (let at = Math.max(0, start); at < end;) {
      const bit = at & 31;
      const count = Math.min(32 - bit, end - at);
      const mask = count === 32 ? -1 : ((1 << count) - 1) << bit;
      if ((((this.#ones[at >>> 5] as number) ^ wanted) & mask) !== 0) return true;
      at += count;
    }
    return false;
  }

  /** Counts the references to the table and the blocks, and judges them. */
  countOwn(): void {
    const { image, clusterSize, counts } = this.#context;
    const { header } = image;
    this.#context.reference(header.refcountTableOffset, this.table.entries * 8);
    for (let index = 0; index < this.table.entries; index++) {
      const offset = this.table.offset(index);
      const reserved = this.table.hasReservedBits(index);
      if (offset === 0 && !reserved) continue;
      const host = { offset, length: clusterSize };
      const cluster = Math.floor(offset / clusterSize);
      if (reserved) {
        this.#note('reftable-reserved-bits', { index }, host);
      } else if (!this.table.isAligned(index)) {
        this.#note('refblock-unaligned', { index, offset: offset.toString(16) }, host);
      } else if (cluster >= counts.clusters) {
        this.#note('refblock-outside', { index }, host);
      } else {
        this.#context.reference(offset, clusterSize);
        const count = counts.get(cluster);
        if (count !== undefined && count !== 1) {
          this.#note('refblock-shared', { index, refcount: count }, host);
        }
      }
    }
  }

  #note(kind: Finding['kind'], values: Finding['values'], host: Finding['host']): void {
    this.#context.note(kind, 'corruption', () => ({
      ...(host === undefined ? {} : { host }),
      values,
      repair: 'safe',
    }));
  }

  /** Compares the refcount of every cluster of the window with its references. */
  async compare(): Promise<void> {
    const { counts, report, clusterSize } = this.#context;
    if (report.imageEndOffset === 0) report.imageEndOffset = clusterSize;
    const end = Math.min(counts.end, counts.clusters);
    let from = counts.first;
    for await (const batch of this.#batches(end)) {
      const last = Math.max(...batch.keys());
      const until = Math.min(end, (last + 1) * this.#blockEntries);
      await this.#compareRange(from, until, batch);
      from = until;
    }
    await this.#compareRange(from, end, new Map());
  }

  async #compareRange(
    from: number,
    end: number,
    blocks: ReadonlyMap<number, Uint8Array>,
  ): Promise<void> {
    const { clusterSize } = this.#context;
    const chunk = Math.min(PAGE, this.#blockEntries);
    let decoded: { index: number; counts: RefcountBlock } | undefined;
    for (let first = from, passed = from; first < end; first += chunk) {
      const index = Math.floor(first / this.#blockEntries);
      const last = Math.min(first + chunk, end);
      const bytes = blocks.get(index);
      if (this.#isUnreadable(index)) {
        for (let cluster = first; cluster < last; cluster++) this.#unreadable(cluster, index);
      } else if (this.#isTold[index - this.#first / this.#blockEntries] === 1) {
        this.#compareTold(first, last);
      } else {
        if (bytes !== undefined && decoded?.index !== index) {
          const wanted = end - index * this.#blockEntries;
          decoded = { index, counts: this.#decode(bytes, wanted) };
        }
        this.#comparePage(first, last, bytes, bytes === undefined ? undefined : decoded?.counts);
      }
      if (last - passed < COMPARED_AT_ONCE && last < end) continue;
      await this.#context.passed(Math.floor((last - passed) / this.#blockEntries) * clusterSize);
      passed = last;
    }
  }

  /** Clusters of one page and one block; no block: all refcounts are 0. */
  #comparePage(
    first: number,
    last: number,
    bytes: Uint8Array | undefined,
    block: RefcountBlock | undefined,
  ): void {
    const { counts, report, clusterSize } = this.#context;
    const page = counts.page(first);
    if (block === undefined && page === undefined) return;
    const inBlock = first % this.#blockEntries;
    const inPage = (first - counts.first) % PAGE;
    let highest = -1;
    for (let i = 0; i < last - first; i++) {
      const refcount = block === undefined ? 0 : (block[inBlock + i] as number);
      const references = page === undefined ? 0 : (page[inPage + i] as number);
      if (refcount === 0 && references === 0) continue;
      highest = first + i;
      if (refcount === references) continue;
      const exact = bytes === undefined ? 0 : exactRefcountAt(bytes, this.#bits, inBlock + i);
      this.#mismatch(highest, bytes === undefined ? 0 : refcount, exact, references);
    }
    if (highest >= 0) report.imageEndOffset = (highest + 1) * clusterSize;
  }

  /** Clusters of one page and one block that {@link #ones} tells. */
  #compareTold(first: number, last: number): void {
    const { counts, report, clusterSize } = this.#context;
    const page = counts.page(first);
    const ones = this.#ones;
    const start = first - this.#first;
    const inPage = start % PAGE;
    let highest = -1;
    for (let i = 0; i < last - first; i += 32) {
      const word = ones[(start + i) >>> 5] as number;
      if (word === 0 && page === undefined) continue;
      const to = Math.min(32, last - first - i);
      for (let bit = 0; bit < to; bit++) {
        const refcount = (word >>> bit) & 1;
        const references = page === undefined ? 0 : (page[inPage + i + bit] as number);
        if ((refcount | references) === 0) continue;
        highest = first + i + bit;
        if (refcount !== references) this.#mismatch(highest, refcount, refcount, references);
      }
    }
    if (highest >= 0) report.imageEndOffset = (highest + 1) * clusterSize;
  }

  /** @param exact the refcount for a message */
  #mismatch(cluster: number, refcount: number, exact: number | string, references: number): void {
    const { clusterSize } = this.#context;
    const leak = refcount > references;
    this.#context.note(
      leak ? 'leak' : refcount === 0 ? 'refcount-zero' : 'refcount-low',
      leak ? 'leak' : 'corruption',
      () => ({
        host: { offset: cluster * clusterSize, length: clusterSize },
        values: { cluster, refcount: exact, references },
        repair: 'safe',
      }),
    );
  }

  #unreadable(cluster: number, index: number): void {
    const { clusterSize } = this.#context;
    this.#context.note('refcount-unreadable', 'error', () => ({
      host: { offset: cluster * clusterSize, length: clusterSize },
      values: {
        cluster,
        block: this.table.offset(index).toString(16),
        index,
        unaligned: this.table.isAligned(index) ? 0 : 1,
      },
      repair: 'safe',
    }));
  }
}

/** A block as words of 32 bits in this machine's order; undefined where it does not lie evenly. */
function wordsOf({ buffer, byteOffset, byteLength }: Uint8Array): Uint32Array | undefined {
  return byteOffset % 4 === 0 ? new Uint32Array(buffer, byteOffset, byteLength / 4) : undefined;
}

/** What 16 words, those of 32 refcounts, have in common; undefined where they differ. */
function allAlike(words: Uint32Array, from: number): number | undefined {
  const first = words[from];
  for (let at = from + 1; at < from + 16; at++) if (words[at] !== first) return undefined;
  return first;
}
