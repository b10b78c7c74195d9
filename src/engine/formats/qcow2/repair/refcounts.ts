/**
 * Refcounts that say what the tables say. Nothing here trusts the old structure: references are
 * counted first, and every block or table that is in the wrong place is computed anew behind the
 * end of the file. Specification: «Host cluster management».
 */
import { divideRoundUp } from '../../../binary/units.ts';
import { ImageError } from '../../../errors.ts';
import { readPadded } from '../../../storage/storage.ts';
import { RefcountBlocks } from '../check/blocks.ts';
import { CheckContext } from '../check/context.ts';
import type { ReferenceCounts } from '../check/counts.ts';
import { countBitmaps } from '../check/index.ts';
import { ReferenceWalk } from '../check/references.ts';
import { RefcountBlockEditor } from '../edit/refcount-block.ts';
import { wordsToBytes } from '../edit/words.ts';
import { openQcow2, type Qcow2Image } from '../image.ts';
import { LIMITS } from '../layout.ts';
import type { RefcountTable } from '../refcounts.ts';
import { setOffset, type RepairJob } from './job.ts';
import { OneBits } from './one-bits.ts';

/** What the refcounts are when the repair is through. */
export interface FinalRefcounts {
  readonly image: Qcow2Image;
  /** Which clusters have a refcount of exactly one. */
  readonly ones: OneBits;
  /** The refcount of a cluster, for messages: that of leaks that stay is not known. */
  readonly refcount: (cluster: number) => number;
}

/** Counts all references of the state as it is and makes refcounts agree. */
export async function mendRefcounts(job: RepairJob): Promise<FinalRefcounts> {
  const image = await openQcow2(job.storage, 'check');
  const context = new CheckContext(image, {
    ...job.options,
    progress: undefined,
    limit: 0,
    countBytes: countBytes(job),
  });
  const blocks = await RefcountBlocks.open(context);
  await new ReferenceWalk(context, blocks).run();
  const { luks } = image.header;
  if (luks !== undefined) context.reference(luks.offset, luks.length);
  await countBitmaps(context);
  const structure = new Structure(job, image, context.counts, blocks.table);
  await structure.plan();
  const ones = await structure.write();
  const refcount = (cluster: number) =>
    ones.has(cluster) ? 1 : (context.counts.get(cluster) ?? 0);
  return { image, ones, refcount };
}

/** Room for the counts of all clusters, new ones included; they are made as they are touched. */
function countBytes(job: RepairJob): number {
  const clusters = Math.max(2 ** 17, job.end * 2 + 2 ** 16);
  return 4 * 2 ** Math.ceil(Math.log2(clusters));
}

class Structure {
  readonly #job: RepairJob;
  readonly #image: Qcow2Image;
  readonly #counts: ReferenceCounts;
  readonly #old: RefcountTable;
  /** Offset of each block, bytes; 0 where there is none. */
  #blocks = new Float64Array(0);
  /** Blocks that are made anew. */
  readonly #fresh = new Set<number>();
  #tableOffset: number;
  #tableChanged = false;

  constructor(job: RepairJob, image: Qcow2Image, counts: ReferenceCounts, table: RefcountTable) {
    this.#job = job;
    this.#image = image;
    this.#counts = counts;
    this.#old = table;
    this.#tableOffset = image.header.refcountTableOffset;
  }

  /** Behind the last cluster that counts: what is cut short may end behind the file. */
  get #end(): number {
    return Math.max(this.#job.end, this.#counts.clusters);
  }

  /** Decides which blocks stay, and where new ones and the table go. */
  async plan(): Promise<void> {
    const { log, clusterSize } = this.#job;
    const old = this.#old;
    const blocks = new Float64Array(old.entries);
    for (let index = 0; index < old.entries; index++) {
      const offset = old.offset(index);
      const reserved = old.hasReservedBits(index);
      if (offset === 0 && !reserved) continue;
      const stays = this.#ownBlock(index);
      if (stays) blocks[index] = offset;
      if (stays && !reserved) continue;
      this.#tableChanged = true;
      if (index * old.blockEntries >= this.#job.clusters.clusters && !stays) continue;
      const host = { offset, length: clusterSize };
      log.add({ kind: 'replace-refcount-block', class: 'safe', host, values: { index } });
    }
    this.#blocks = blocks;
    await this.#placeTable();
    this.#makeBlocks();
  }

  /** Whether a block is where it can stay, and nobody else uses that; counts it then. */
  #ownBlock(index: number): boolean {
    const { clusterSize, storage } = this.#job;
    const offset = this.#old.offset(index);
    if (offset === 0 || !this.#old.isAligned(index) || offset >= storage.size) return false;
    const cluster = offset / clusterSize;
    if (this.#counts.get(cluster) !== 0) return false;
    this.#count(cluster);
    return true;
  }

  #count(cluster: number): void {
    this.#counts.reach(cluster);
    this.#counts.add(cluster);
  }

  /** How many of the first blocks there are not. */
  #missing(blocks: number): number {
    let count = 0;
    for (let i = 0; i < blocks; i++) if ((this.#blocks[i] ?? 0) === 0) count += 1;
    return count;
  }

  /** The table stays, or gets a place and a length for everything that there is to count. */
  async #placeTable(): Promise<void> {
    const { clusterSize, log } = this.#job;
    const { blockEntries, entries } = this.#old;
    const perCluster = clusterSize / 8;
    const needed = (tableClusters: number) => {
      let blocks = Math.ceil((this.#end + tableClusters) / blockEntries);
      for (;;) {
        const wanted = this.#end + tableClusters + this.#missing(blocks);
        const next = Math.ceil(wanted / blockEntries);
        if (next <= blocks) return blocks;
        blocks = next;
      }
    };
    if (needed(0) <= entries && this.#ownTable()) return;
    let tableClusters = 1;
    while (needed(tableClusters) > tableClusters * perCluster) {
      tableClusters = divideRoundUp(needed(tableClusters), perCluster);
    }
    if (tableClusters * clusterSize > LIMITS.refcountTableBytes) {
      const value = String(tableClusters * clusterSize);
      const limit = LIMITS.refcountTableBytes;
      throw new ImageError('too-large', { what: 'refcount table', value, limit });
    }
    const { refcountTableOffset, refcountTableClusters } = this.#image.header;
    const length = refcountTableClusters * clusterSize;
    const host = { offset: refcountTableOffset, length };
    this.#tableOffset = this.#job.allocate(tableClusters);
    const first = this.#tableOffset / clusterSize;
    for (let i = 0; i < tableClusters; i++) this.#count(first + i);
    log.add({ kind: 'replace-refcount-table', class: 'safe', host, to: this.#tableOffset });
    // What lies behind the new end counted nothing.
    const kept = new Float64Array(tableClusters * perCluster);
    const useful = Math.min(kept.length, entries);
    kept.set(this.#blocks.subarray(0, useful));
    this.#blocks = kept;
    this.#tableChanged = true;
    await this.#job.patchHeader({
      refcountTableOffset: this.#tableOffset,
      refcountTableClusters: tableClusters,
    });
  }

  /** Whether the table is where it can stay; counts it then. */
  #ownTable(): boolean {
    const { refcountTableOffset: offset, refcountTableClusters: clusters } = this.#image.header;
    const { clusterSize, storage } = this.#job;
    if (offset === 0 || clusters === 0) return false;
    if (offset + clusters * clusterSize > storage.size + clusterSize - 1) return false;
    const first = offset / clusterSize;
    for (let i = 0; i < clusters; i++) if (this.#counts.get(first + i) !== 0) return false;
    for (let i = 0; i < clusters; i++) this.#count(first + i);
    return true;
  }

  /** New blocks for all clusters that are in use and have none; these count themselves. */
  #makeBlocks(): void {
    const { clusterSize, log, clusters } = this.#job;
    const { blockEntries } = this.#old;
    for (let index = 0; index * blockEntries < this.#end; index++) {
      if (this.#blocks[index] !== 0 || !this.#isUsed(index)) continue;
      const offset = this.#job.allocate(1);
      this.#count(offset / clusterSize);
      this.#blocks[index] = offset;
      this.#fresh.add(index);
      this.#tableChanged = true;
      const isKnown = this.#old.offset(index) !== 0 || this.#old.hasReservedBits(index);
      if (isKnown || index * blockEntries >= clusters.clusters) continue;
      log.add({ kind: 'replace-refcount-block', class: 'safe', to: offset, values: { index } });
    }
  }

  #isUsed(index: number): boolean {
    const { blockEntries } = this.#old;
    const end = Math.min((index + 1) * blockEntries, this.#end);
    for (let cluster = index * blockEntries; cluster < end; cluster++) {
      if (this.#counts.get(cluster) !== 0) return true;
    }
    return false;
  }

  /** Writes what has changed. */
  async write(): Promise<OneBits> {
    const { clusterSize, storage } = this.#job;
    const { blockEntries } = this.#old;
    const bits = this.#image.header.refcountBits;
    const ones = new OneBits();
    for (let index = 0; index * blockEntries < this.#end; index++) {
      const offset = this.#blocks[index] ?? 0;
      if (offset === 0) continue;
      const isFresh = this.#fresh.has(index);
      const bytes = isFresh
        ? new Uint8Array(clusterSize)
        : await readPadded(storage, offset, clusterSize);
      const block = new RefcountBlockEditor(offset, bytes, bits);
      this.#fill(block, index, isFresh, ones);
      if (block.dirty || isFresh) await storage.write(offset, bytes);
      await this.#job.breathe();
    }
    if (this.#tableChanged) await this.#writeTable();
    return ones;
  }

  #fill(block: RefcountBlockEditor, index: number, isFresh: boolean, ones: OneBits): void {
    const { clusters, log, clusterSize } = this.#job;
    const first = index * this.#old.blockEntries;
    const end = Math.min(first + this.#old.blockEntries, this.#end);
    for (let cluster = first; cluster < end; cluster++) {
      const want = this.#counts.get(cluster) ?? 0;
      const have = isFresh ? 0 : block.get(cluster - first);
      let value = want;
      if (have > want) {
        if (!this.#free(cluster, have, want)) value = have;
      } else if (isFresh && want === 0 && cluster < clusters.clusters && this.#job.doubt) {
        // Nobody knows any more whether it was in use.
        if (!this.#free(cluster, 1, 0)) value = 1;
      } else if (have < want && !isFresh && cluster < clusters.clusters) {
        const host = { offset: cluster * clusterSize, length: clusterSize };
        const values = { cluster, refcount: have, references: want };
        if (!log.add({ kind: 'raise-refcount', class: 'safe', host, values })) value = have;
      }
      if (value !== have) block.set(cluster - first, value);
      if (value === 1) ones.add(cluster);
    }
  }

  /** Whether a cluster may be given free that nothing seems to use. */
  #free(cluster: number, refcount: number, references: number): boolean {
    const { log, doubt, lost, clusterSize } = this.#job;
    const host = { offset: cluster * clusterSize, length: clusterSize };
    const values = { cluster, refcount, references };
    if (!doubt) return log.add({ kind: 'free-leak', class: 'safe', host, values });
    const isLost = lost.has(cluster);
    const freed = log.add({
      kind: isLost ? 'free-lost-table' : 'free-doubtful-leak',
      class: 'loses-data',
      loses: isLost ? 'findable' : 'unreadable',
      host,
      values,
    });
    if (!freed) log.refuse(isLost ? 'lost-table' : 'doubtful-leak', { host, values });
    return freed;
  }

  async #writeTable(): Promise<void> {
    const words = new Uint32Array(this.#blocks.length * 2);
    for (const [index, offset] of this.#blocks.entries()) setOffset(words, index, offset, 0);
    await this.#job.storage.write(this.#tableOffset, wordsToBytes(words));
  }
}
