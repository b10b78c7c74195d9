/** Where everything of a qcow2 image goes when it is compacted. Reads tables, and no content. */
import { alignUp, SECTOR } from '../binary/units.ts';
import { ImageError, throwIfCancelled } from '../errors.ts';
import { readBitmapTable, walkL2, type L2Visit } from '../formats/qcow2/check/walk.ts';
import {
  compactLayout,
  isPossible,
  shapeOf,
  type CompactLayout,
  type CompactShape,
} from '../formats/qcow2/compact-size.ts';
import type { Header } from '../formats/qcow2/header.ts';
import type { Qcow2Image } from '../formats/qcow2/image.ts';
import {
  compressedLayout,
  compressedLength,
  compressedOffset,
  type CompressedLayout,
} from '../formats/qcow2/mapping.ts';
import { PackedStreams } from '../formats/qcow2/packed-streams.ts';
import { maxRefcount } from '../formats/qcow2/refcounts.ts';
import { COMPRESSED_HIGH, entryOffset, readTable, ZERO_LOW } from '../formats/qcow2/tables.ts';
import { entryHigh, entryLow, type Table } from '../formats/tables.ts';
import { ClusterOrder } from './compact-maps.ts';
import type { RunOptions } from './operation.ts';
import { pacer } from './yield.ts';

/** What is kept of the source. */
export interface CompactOptions extends RunOptions {
  /** Keep the snapshots: by default. */
  snapshots?: boolean | undefined;
  /** Zero clusters with room of their own keep that room: not by default. */
  keepZeroRoom?: boolean | undefined;
}

/** Clusters of content: of each, nine bytes are remembered. */
const MOST_CLUSTERS = 2 ** 25;
/** Packed clusters: of each, 24 bytes. */
const MOST_STREAMS = 2 ** 23;
const MOST_TABLES = 2 ** 23;

/** An L1 table that is kept. */
export interface KeptTree {
  readonly l1TableOffset: number;
  /** Entries. */
  readonly l1Size: number;
}

/** What an entry of an L2 table leads to. */
export type EntryKind = 'nothing' | 'packed' | 'plain' | 'zero-room';

export class CompactPlan {
  readonly image: Qcow2Image;
  readonly options: CompactOptions;
  readonly shape: CompactShape;
  readonly packing: CompressedLayout;
  /** L2 tables; those of the active disk come first. */
  readonly tables = new ClusterOrder(MOST_TABLES, 'L2 tables');
  activeTables = 0;
  /** Clusters of plain content. */
  readonly plain = new ClusterOrder(MOST_CLUSTERS, 'clusters to copy');
  readonly streams: PackedStreams;
  /** Indexes of streams in the order in which they are packed. */
  streamOrder = new Uint32Array(0);
  /** Where each stream goes, bytes from the first packed cluster, by index. */
  streamPlaces = new Float64Array(0);
  /** References to each packed cluster. */
  packedCounts = new Uint32Array(0);
  /** Room of zero clusters that is given up, in clusters; those of several references count often. */
  zeroRoom = 0;
  bitmapClusters = 0;
  readonly #pace: () => Promise<void> | undefined;
  #layout: CompactLayout | undefined;

  private constructor(image: Qcow2Image, options: CompactOptions) {
    this.image = image;
    this.options = options;
    this.shape = shapeOf(image, options.snapshots ?? true);
    this.packing = compressedLayout(image.header.clusterBits);
    this.streams = new PackedStreams(image.header.clusterBits, MOST_STREAMS);
    this.#pace = pacer(options.signal);
  }

  /**
   * Goes through the tables of an image that has been found sound.
   * @throws ImageError too-large, cancelled and those of reading
   */
  static async make(image: Qcow2Image, options: CompactOptions): Promise<CompactPlan> {
    const plan = new CompactPlan(image, options);
    await plan.#countTables();
    await plan.walk((visit, bytes) => plan.#note(bytes, plan.tables.countOf(visit.index)));
    if (plan.streams.count > 0) await plan.#placeStreams();
    await plan.#countBitmaps();
    const content = {
      l2Tables: plan.tables.length,
      plainClusters: plan.plain.length,
      bitmapClusters: plan.bitmapClusters,
    };
    plan.#layout = compactLayout(plan.shape, content, plan.#packedBytes());
    if (!isPossible(plan.shape, plan.#layout)) {
      const value = String(plan.#layout.fileSize);
      throw new ImageError('too-large', { what: 'refcount table', value, limit: 8 * 1024 * 1024 });
    }
    return plan;
  }

  get layout(): CompactLayout {
    if (this.#layout === undefined) throw new ImageError('internal', { reason: 'no layout' });
    return this.#layout;
  }

  /** The active L1 table, and those of the snapshots that are kept. */
  get trees(): KeptTree[] {
    const { image } = this;
    const { l1TableOffset, l1Size } = image.header;
    const kept = (this.options.snapshots ?? true) ? image.snapshots : [];
    return [{ l1TableOffset, l1Size }, ...kept];
  }

  /** The kind of an entry; `allocated` is the low half of the second word of an extended one. */
  kindOf(high: number, low: number, allocated: number): EntryKind {
    if ((high & COMPRESSED_HIGH) !== 0) return 'packed';
    if (entryOffset(high, low) === 0) return 'nothing';
    const { extendedL2, version } = this.image.header;
    const isEmpty = extendedL2 ? allocated === 0 : version >= 3 && (low & ZERO_LOW) !== 0;
    if (!isEmpty) return 'plain';
    return this.options.keepZeroRoom === true ? 'plain' : 'zero-room';
  }

  /** Lets events in; stops when asked to. */
  async breathe(): Promise<void> {
    throwIfCancelled(this.options.signal);
    const pause = this.#pace();
    if (pause !== undefined) await pause;
  }

  /** Hands over the L2 tables that are kept, in their new order, each once. */
  async walk(use: (visit: L2Visit, bytes: Uint8Array) => Promise<void> | void): Promise<void> {
    const { clusterSize } = this.image;
    const places: Table = new Uint32Array(this.tables.length * 2);
    for (let number = 0; number < this.tables.length; number++) {
      const offset = this.tables.sourceOf(number) * clusterSize;
      places[number * 2] = entryHigh(offset);
      places[number * 2 + 1] = entryLow(offset);
    }
    for await (const batch of walkL2(this.image, places)) {
      for (const visit of batch) {
        const next = use(visit, visit.bytes ?? new Uint8Array(clusterSize));
        if (next !== undefined) await next;
        await this.breathe();
      }
    }
  }

  async #countTables(): Promise<void> {
    const { storage, clusterSize } = this.image;
    for (const [index, { l1TableOffset, l1Size }] of this.trees.entries()) {
      const l1 = await readTable(storage, l1TableOffset, l1Size);
      for (let at = 0; at < l1.length; at += 2) {
        const offset = entryOffset(l1[at] as number, l1[at + 1] as number);
        if (offset !== 0) this.tables.add(offset / clusterSize, 1);
      }
      if (index === 0) this.activeTables = this.tables.length;
      await this.breathe();
    }
  }

  #note(bytes: Uint8Array, times: number): void {
    const { header, clusterSize } = this.image;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const step = header.extendedL2 ? 16 : 8;
    for (let at = 0; at < bytes.length; at += step) {
      const high = view.getUint32(at);
      const low = view.getUint32(at + 4);
      if ((high | low) === 0) continue;
      const kind = this.kindOf(high, low, step === 16 ? view.getUint32(at + 12) : 0);
      if (kind === 'plain') this.plain.add(entryOffset(high, low) / clusterSize, times);
      else if (kind === 'packed') {
        const offset = compressedOffset(this.packing, high, low);
        this.streams.add(offset, compressedLength(this.packing, high, low), times);
      } else if (kind === 'zero-room') this.zeroRoom += 1;
    }
  }

  /** In the order of the tables, one behind the other. */
  async #placeStreams(): Promise<void> {
    const { header } = this.image;
    const count = this.streams.count;
    const references = new Uint32Array(count);
    const order = new Uint32Array(count);
    let next = 0;
    const step = header.extendedL2 ? 16 : 8;
    await this.walk(({ index }, bytes) => {
      const times = this.tables.countOf(index);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at < bytes.length; at += step) {
        const high = view.getUint32(at);
        if ((high & COMPRESSED_HIGH) === 0) continue;
        const offset = compressedOffset(this.packing, high, view.getUint32(at + 4));
        const stream = this.streams.indexOf(offset);
        if (references[stream] === 0) order[next++] = stream;
        references[stream] = (references[stream] as number) + times;
      }
    });
    const packed = placeStreams(this.streams, order, references, header);
    this.streamOrder = order;
    this.streamPlaces = packed.places;
    this.packedCounts = packed.counts;
  }

  #packedBytes(): number {
    const last = this.streamOrder.at(-1);
    if (last === undefined) return 0;
    return alignUp((this.streamPlaces[last] as number) + this.streams.length(last), SECTOR);
  }

  async #countBitmaps(): Promise<void> {
    const { header, bitmaps } = this.image;
    if (header.bitmaps === undefined) return;
    const context = { image: this.image, passed: () => this.breathe() };
    for (const bitmap of bitmaps) {
      for await (const table of readBitmapTable(context, bitmap)) {
        for (let at = 0; at < table.length; at += 2) {
          const offset = entryOffset(table[at] as number, table[at + 1] as number);
          if (offset !== 0) this.bitmapClusters += 1;
        }
      }
    }
  }
}

/**
 * Packs streams one behind the other. Where a cluster would have more references than its refcount
 * can say, the next one begins; the few streams that would take more sectors than an entry can say
 * begin with a sector.
 */
function placeStreams(
  streams: PackedStreams,
  order: Uint32Array,
  references: Uint32Array,
  { clusterSize, clusterBits, refcountBits }: Header,
): { places: Float64Array<ArrayBuffer>; counts: Uint32Array<ArrayBuffer> } {
  const most = maxRefcount(refcountBits);
  const mostSectors = 2 ** (clusterBits - 8);
  const places = new Float64Array(streams.count);
  const counts: number[] = [];
  let end = 0;
  for (const stream of order) {
    const length = streams.length(stream);
    const times = references[stream] as number;
    let start = end;
    if ((start % SECTOR) + length > mostSectors * SECTOR) start = alignUp(start, SECTOR);
    const first = Math.floor(start / clusterSize);
    const isFull = (counts[first] ?? 0) + times > most;
    const isNextFull = (counts[first + 1] ?? 0) + times > most;
    const crosses = alignUp(start + length, SECTOR) > (first + 1) * clusterSize;
    if (isFull || (crosses && isNextFull)) start = counts.length * clusterSize;
    end = start + length;
    const last = Math.floor((alignUp(end, SECTOR) - 1) / clusterSize);
    for (let cluster = Math.floor(start / clusterSize); cluster <= last; cluster++) {
      counts[cluster] = (counts[cluster] ?? 0) + times;
    }
    places[stream] = start;
  }
  return { places, counts: Uint32Array.from(counts) };
}
