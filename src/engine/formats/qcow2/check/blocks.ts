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
const BATCH_BYTES = 4 * 1024 * 1024;
/** Bytes of blocks that are kept, but always some blocks. */
const KEPT_BYTES = 8 * 1024 * 1024;

export class RefcountBlocks {
  readonly table: RefcountTable;
  readonly #context: CheckContext;
  readonly #blockEntries: number;
  readonly #bits: number;
  /** Recently used blocks, as they are in the file, by their offset. */
  readonly #kept = new Map<number, Uint8Array>();
  readonly #most: number;
  /** A bit for each cluster of the window that lies in the file: its refcount is exactly one. */
  #ones = new Uint32Array();
  #first = 0;
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

  /** Reads the blocks of the window that is counted now. */
  async enterWindow(): Promise<void> {
    const { counts, fileSize, clusterSize } = this.#context;
    this.#first = counts.first;
    const end = Math.min(counts.end, Math.ceil(fileSize / clusterSize));
    this.#length = Math.max(0, end - counts.first);
    this.#ones = new Uint32Array(Math.ceil(this.#length / 32));
    this.#context.expect(Math.ceil(this.#length / this.#blockEntries) * clusterSize * 2);
    for await (const batch of this.#batches(end)) {
      for (const [index, bytes] of batch) this.#noteOnes(index * this.#blockEntries, bytes);
      await this.#context.passed(batch.size * clusterSize);
    }
  }

  #noteOnes(cluster: number, bytes: Uint8Array): void {
    const at = cluster - this.#first;
    const block = this.#decode(bytes, this.#length - at);
    for (let i = 0; i < block.length; i++) {
      if (block[i] !== 1) continue;
      const bit = at + i;
      this.#ones[bit >>> 5] = (this.#ones[bit >>> 5] as number) | (1 << (bit & 31));
    }
  }

  /** The first refcounts of a block: there is no use for those of clusters that the file has not. */
  #decode(bytes: Uint8Array, wanted: number): RefcountBlock {
    const most = Math.min(this.#blockEntries, Math.ceil(wanted / 8) * 8);
    return decodeBlock(bytes.subarray(0, (most * this.#bits) / 8), this.#bits);
  }

  /** The blocks of the window up to a cluster, by index; those that are not in the file are left out. */
  async *#batches(end: number): AsyncGenerator<Map<number, Uint8Array>, undefined> {
    const most = Math.max(1, Math.floor(BATCH_BYTES / this.#context.clusterSize));
    const last = Math.min(Math.ceil(end / this.#blockEntries), this.table.entries);
    let indexes: number[] = [];
    for (let index = this.#first / this.#blockEntries; index < last; index++) {
      if (!this.#isInFile(index)) continue;
      indexes.push(index);
      if (indexes.length < most) continue;
      yield await this.#read(indexes);
      indexes = [];
    }
    if (indexes.length > 0) yield await this.#read(indexes);
    return undefined;
  }

  /** Whether a block has bytes of its own; otherwise all of its refcounts are 0. */
  #isInFile(index: number): boolean {
    if (index >= this.table.entries || !this.table.isReadable(index)) return false;
    const offset = this.table.offset(index);
    return offset !== 0 && offset < this.#context.fileSize;
  }

  async #read(indexes: readonly number[]): Promise<Map<number, Uint8Array>> {
    const found = new Map<number, Uint8Array>();
    const missing = new Map<number, { offset: number; length: number }>();
    const { image, clusterSize } = this.#context;
    for (const index of indexes) {
      const offset = this.table.offset(index);
      const bytes = this.#kept.get(offset);
      if (bytes === undefined) missing.set(offset, { offset, length: clusterSize });
      else found.set(index, bytes);
    }
    await gather(image.storage, [...missing.values()], ({ offset }, view) => {
      // A view would keep all of its request alive.
      this.#kept.set(offset, view.slice());
    });
    for (const index of indexes) {
      const bytes = this.#kept.get(this.table.offset(index));
      if (bytes !== undefined) found.set(index, bytes);
    }
    for (const offset of this.#kept.keys()) {
      if (this.#kept.size <= this.#most) break;
      this.#kept.delete(offset);
    }
    return found;
  }

  /** Makes the block of a cluster ready for {@link get}. */
  async prepare(cluster: number): Promise<void> {
    const index = Math.floor(cluster / this.#blockEntries);
    if (this.#isInFile(index)) await this.#read([index]);
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
      this.#compareRange(from, until, batch);
      from = until;
      await this.#context.passed(batch.size * clusterSize);
    }
    this.#compareRange(from, end, new Map());
  }

  #compareRange(from: number, end: number, blocks: ReadonlyMap<number, Uint8Array>): void {
    const { counts, report, clusterSize } = this.#context;
    const chunk = Math.min(PAGE, this.#blockEntries);
    let decoded: { index: number; counts: RefcountBlock } | undefined;
    for (let first = from; first < end; first += chunk) {
      const index = Math.floor(first / this.#blockEntries);
      const bytes = blocks.get(index);
      const page = counts.page(first);
      const last = Math.min(first + chunk, end);
      if (this.#isUnreadable(index)) {
        for (let cluster = first; cluster < last; cluster++) this.#unreadable(cluster, index);
        continue;
      }
      if (bytes === undefined && page === undefined) continue;
      if (bytes !== undefined && decoded?.index !== index) {
        const wanted = end - index * this.#blockEntries;
        decoded = { index, counts: this.#decode(bytes, wanted) };
      }
      const block = bytes === undefined ? undefined : decoded?.counts;
      const inBlock = first % this.#blockEntries;
      const inPage = (first - counts.first) % PAGE;
      let highest = -1;
      for (let i = 0; i < last - first; i++) {
        const refcount = block === undefined ? 0 : (block[inBlock + i] as number);
        const references = page === undefined ? 0 : (page[inPage + i] as number);
        if (refcount === 0 && references === 0) continue;
        highest = first + i;
        if (refcount !== references) this.#mismatch(highest, bytes, inBlock + i, references);
      }
      if (highest >= 0) report.imageEndOffset = (highest + 1) * clusterSize;
    }
  }

  #mismatch(
    cluster: number,
    bytes: Uint8Array | undefined,
    index: number,
    references: number,
  ): void {
    const { clusterSize } = this.#context;
    const refcount = bytes === undefined ? 0 : refcountAt(bytes, this.#bits, index);
    const leak = refcount > references;
    this.#context.note(
      leak ? 'leak' : refcount === 0 ? 'refcount-zero' : 'refcount-low',
      leak ? 'leak' : 'corruption',
      () => ({
        host: { offset: cluster * clusterSize, length: clusterSize },
        values: {
          cluster,
          refcount: bytes === undefined ? 0 : exactRefcountAt(bytes, this.#bits, index),
          references,
        },
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
