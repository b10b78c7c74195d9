/** What the parts of a repair share: the image on its way, where new clusters go, what was done. */
import { divideRoundUp } from '../../../binary/units.ts';
import { throwIfCancelled } from '../../../errors.ts';
import type { RunOptions } from '../../../operations/operation.ts';
import type { Overlay } from '../../../storage/overlay.ts';
import type { Storage } from '../../../storage/storage.ts';
import { pacer } from '../../../yield.ts';
import { entryHigh, entryLow } from '../edit/words.ts';
import { HEADER_V2 } from '../layout.ts';
import { openQcow2, type Qcow2Image } from '../image.ts';
import { readTable, type Table } from '../tables.ts';
import { ClusterMap } from './clusters.ts';
import { EntryJudge } from './entries.ts';
import type { RepairLog } from './plan.ts';
import { SnapshotList } from './snapshot-list.ts';

/** Bytes of guest data and tables that may be copied: they are kept in memory until applied. */
const COPY_BUDGET = 64 * 1024 * 1024;

/** One L1 table and how it is to be named. */
export interface Layer {
  /** Index in the snapshot table; -1 for the active layer. */
  readonly index: number;
  /** '' for the active layer. */
  readonly name: string;
  /** Bytes. */
  offset: number;
  /** Entries. */
  size: number;
  /** Its place is used by something else, or not in the file. */
  moves: boolean;
  /** L1 indexes that are left as they are: a lost table may belong there. */
  readonly held: Set<number>;
}

export class RepairJob {
  /** The new state. */
  readonly storage: Overlay;
  /** The state before: where copies are made from. */
  readonly base: Storage;
  readonly log: RepairLog;
  readonly options: RunOptions;
  /** As it was when this round began. */
  readonly image: Qcow2Image;
  readonly clusterSize: number;
  /** Bytes of the file when this round began. */
  readonly fileSize: number;
  readonly judge: EntryJudge;
  readonly clusters: ClusterMap;
  readonly snapshots: SnapshotList;
  readonly layers: Layer[] = [];
  /** Damage after which clusters may look leaked that are merely no longer pointed at. */
  doubt = false;
  /** Unused clusters that look like lost tables, or that these lead to. */
  readonly lost = new Set<number>();
  /** Guest ranges that a table that was put back brings, by the name of the layer. */
  readonly recovered: { snapshot: string; offset: number; length: number }[] = [];
  copyBudget = COPY_BUDGET;
  readonly #pace: () => Promise<void> | undefined;
  /** The cluster behind everything in the file. */
  #end: number;

  constructor(
    storage: Overlay,
    image: Qcow2Image,
    snapshots: SnapshotList,
    log: RepairLog,
    options: RunOptions,
  ) {
    this.storage = storage;
    this.base = storage.base;
    this.image = image;
    this.log = log;
    this.options = options;
    this.#pace = pacer(options.signal);
    this.snapshots = snapshots;
    this.clusterSize = image.clusterSize;
    this.fileSize = storage.size;
    this.judge = new EntryJudge(image.header, this.fileSize, (offset) => this.#isNew(offset));
    this.#end = divideRoundUp(this.fileSize, this.clusterSize);
    this.clusters = new ClusterMap(this.#end);
  }

  static async open(storage: Overlay, log: RepairLog, options: RunOptions): Promise<RepairJob> {
    const image = await openQcow2(storage, 'check');
    const snapshots = await SnapshotList.read(storage, image.header);
    return new RepairJob(storage, image, snapshots, log, options);
  }

  /** The cluster behind everything, new clusters included. */
  get end(): number {
    return this.#end;
  }

  /**
   * Clusters that nobody uses: always behind the end of the file, as what is in it may be in use
   * without anybody knowing.
   * @returns the offset of the first of `count`, bytes
   */
  allocate(count: number): number {
    for (;;) {
      const first = this.#end;
      let free = 0;
      while (free < count && !this.clusters.isOutside(first + free)) free++;
      this.#end = first + (free < count ? free + 1 : count);
      if (free === count) return first * this.clusterSize;
    }
  }

  #isNew(offset: number): boolean {
    const cluster = Math.floor(offset / this.clusterSize);
    return cluster < this.#end && !this.clusters.isOutside(cluster);
  }

  /** Takes from what may be copied. False: there is no more. */
  takeCopy(bytes: number): boolean {
    if (this.copyBudget < bytes) return false;
    this.copyBudget -= bytes;
    return true;
  }

  /** Reads the L1 table of a layer; what lies behind the end of the file is zeros. */
  async readL1(layer: Layer): Promise<Table> {
    return readTable(this.storage, layer.offset, layer.size);
  }

  /** Changes fields of the header in place. */
  async patchHeader(fields: Partial<Record<keyof typeof HEADER_V2.fields, number>>): Promise<void> {
    for (const [name, value] of Object.entries(fields)) {
      const field = HEADER_V2.fields[name as keyof typeof HEADER_V2.fields];
      const bytes = new Uint8Array(field.size);
      field.write(new DataView(bytes.buffer), 0, value);
      await this.storage.write(field.offset, bytes);
    }
  }

  /** Lets events in, and stops when asked to. */
  async breathe(): Promise<void> {
    throwIfCancelled(this.options.signal);
    const pause = this.#pace();
    if (pause !== undefined) await pause;
  }
}

/** Writes 64-bit entry `index` of a table of words. */
export function setOffset(words: Uint32Array, index: number, offset: number, flags: number): void {
  words[index * 2] = (flags | entryHigh(offset)) >>> 0;
  words[index * 2 + 1] = entryLow(offset);
}
