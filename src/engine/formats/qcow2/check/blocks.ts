/** The refcounts that the file itself says, read whole, and their comparison with the references. */
import { gather } from '../../../storage/gather.ts';
import type { Finding } from '../../../operations/finding.ts';
import {
  decodeBlock,
  readRefcountTable,
  type RefcountBlock,
  type RefcountTable,
} from '../refcounts.ts';
import type { CheckContext } from './context.ts';
import { PAGE } from './counts.ts';

/** Bytes of refcount blocks that are read together. */
const BATCH_BYTES = 16 * 1024 * 1024;

export class RefcountBlocks {
  readonly table: RefcountTable;
  readonly #context: CheckContext;
  readonly #blocks: (RefcountBlock | undefined)[];
  readonly #blockEntries: number;
  readonly #shift: number;

  private constructor(context: CheckContext, table: RefcountTable) {
    this.#context = context;
    this.table = table;
    this.#blockEntries = table.blockEntries;
    this.#shift = Math.log2(table.blockEntries);
    this.#blocks = new Array<RefcountBlock | undefined>(table.entries);
  }

  /** Reads the refcount table and every block that lies in the file, each once. */
  static async load(context: CheckContext): Promise<RefcountBlocks> {
    const { image } = context;
    const blocks = new RefcountBlocks(
      context,
      await readRefcountTable(image.storage, image.header),
    );
    await blocks.#load();
    return blocks;
  }

  async #load(): Promise<void> {
    const { image, clusterSize, fileSize } = this.#context;
    const indexes = new Map<number, number[]>();
    for (let index = 0; index < this.table.entries; index++) {
      const offset = this.table.offset(index);
      if (offset === 0 || offset >= fileSize || !this.table.isReadable(index)) continue;
      const same = indexes.get(offset);
      if (same === undefined) indexes.set(offset, [index]);
      else same.push(index);
    }
    const pieces = [...indexes.keys()].map((offset) => ({ offset, length: clusterSize }));
    this.#context.expect(pieces.length * clusterSize * 2);
    const most = Math.max(1, Math.floor(BATCH_BYTES / clusterSize));
    for (let first = 0; first < pieces.length; first += most) {
      const batch = pieces.slice(first, first + most);
      await gather(image.storage, batch, (piece, bytes) => {
        const block = decodeBlock(bytes, image.header.refcountBits);
        for (const index of indexes.get(piece.offset) ?? []) this.#blocks[index] = block;
      });
      await this.#context.passed(batch.length * clusterSize);
    }
  }

  /** The refcount of a cluster as the file says it; undefined where it cannot be had. */
  get(cluster: number): number | undefined {
    const index = Math.floor(cluster / this.#blockEntries);
    const block = this.#blocks[index];
    if (block !== undefined) return block[cluster % this.#blockEntries];
    return index < this.table.entries && !this.table.isReadable(index) ? undefined : 0;
  }

  /** Whether the refcount is exactly one, for cluster indexes below 2^31, in 32-bit arithmetic. */
  isOneInside(cluster: number): boolean {
    const block = this.#blocks[cluster >>> this.#shift];
    return block !== undefined && block[cluster & (this.#blockEntries - 1)] === 1;
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
        if (count !== 1) this.#note('refblock-shared', { index, refcount: count }, host);
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

  /** Compares every cluster's refcount with its references. */
  async compare(): Promise<void> {
    const { counts, report, clusterSize } = this.#context;
    const chunk = Math.min(PAGE, this.#blockEntries);
    const { clusters } = counts;
    let highest = 0;
    for (let first = 0; first < clusters; first += chunk) {
      const index = Math.floor(first / this.#blockEntries);
      const block = this.#blocks[index];
      const page = counts.page(first);
      const unreadable =
        block === undefined && index < this.table.entries && !this.table.isReadable(index);
      if (block === undefined && page === undefined && !unreadable) continue;
      const end = Math.min(first + chunk, clusters);
      const inBlock = first % this.#blockEntries;
      const inPage = first % PAGE;
      if (unreadable) {
        for (let cluster = first; cluster < end; cluster++) this.#unreadable(cluster, index);
      } else {
        for (let i = 0; i < end - first; i++) {
          const refcount = block === undefined ? 0 : (block[inBlock + i] as number);
          const references = page === undefined ? 0 : (page[inPage + i] as number);
          if (refcount === 0 && references === 0) continue;
          highest = first + i;
          if (refcount !== references) this.#mismatch(first + i, refcount, references);
        }
      }
      await this.#context.passed(
        chunk === PAGE ? (chunk * clusterSize) / this.#blockEntries : clusterSize,
      );
    }
    report.imageEndOffset = (highest + 1) * clusterSize;
  }

  #mismatch(cluster: number, refcount: number, references: number): void {
    const { clusterSize } = this.#context;
    const leak = refcount > references;
    this.#context.note(
      leak ? 'leak' : refcount === 0 ? 'refcount-zero' : 'refcount-low',
      leak ? 'leak' : 'corruption',
      () => ({
        host: { offset: cluster * clusterSize, length: clusterSize },
        values: { cluster, refcount: countText(refcount), references },
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
      repair: 'none',
    }));
  }
}

/** 64-bit refcounts beyond 2^53 are text: as numbers they would be rounded silently. */
function countText(count: number): number | string {
  return Number.isSafeInteger(count) ? count : BigInt(count).toString();
}
