/**
 * The survey of a qcow2 image: one walk over all of its L2 tables, those of snapshots included, and
 * over its refcounts. Files of very many clusters are gone through a window at a time.
 */
import { divideRoundUp, isAligned } from '../../binary/units.ts';
import type { Walk } from '../picture-kinds.ts';
import type { ClusterCounts, Survey } from '../survey.ts';
import type { Qcow2Image } from './image.ts';
import { collectTables, type TableList } from './picture-tables.ts';
import { walkWindow, type Tables, type WindowExtra } from './picture-window.ts';
import { maxRefcount, readRefcountTable } from './refcounts.ts';
import { Forecast } from './survey-forecast.ts';
import { Account } from './survey-account.ts';
import { OrderWalk } from './survey-order.ts';
import { ClusterSets, TreeSets } from './survey-sets.ts';
import { entryOffset } from './tables.ts';

/** What is kept of clusters may take so many bytes. */
const MOST_BYTES = 128 * 1024 * 1024;
/** Clusters of a window at most. */
const MOST_CLUSTERS = 16 * 1024 * 1024;

/**
 * @param windowClusters clusters that are looked at together; by default as many as memory allows
 * @throws ImageError too-large, cancelled and those of reading
 */
export async function surveyQcow2(
  image: Qcow2Image,
  walk: Walk,
  windowClusters = Infinity,
): Promise<Survey> {
  const order = new OrderWalk(image);
  const trees = new Trees(image, order);
  const list = await collectTables(image, walk, (number, tree, index) => {
    trees.meet(number, tree, index);
  });
  const refcounts = await readRefcountTable(image.storage, image.header);
  const tables: Tables = { image, list, refcounts };
  const forecast = new Forecast(image);
  const account = new Account(image, trees.family);
  const clusters = divideRoundUp(image.storage.size, image.clusterSize);
  const { family, content, own } = trees.sets(list.times.length);
  const window = Math.min(windowClusters, windowOf(image, family));
  // Of a file without any cluster there is still something to be said.
  for (let first = 0; first === 0 || first < clusters; first += window) {
    const length = Math.min(window, clusters - first);
    const isFirst = first === 0;
    const extra: WindowExtra = {
      sets: family === undefined ? undefined : new ClusterSets(family, length),
      ...{ content, own },
      table: isFirst ? (bytes, number) => trees.table(list, number, bytes) : undefined,
      packed: isFirst ? (...stream) => forecast.packed(...stream) : undefined,
    };
    account.add(await walkWindow(tables, { first, length, keepsFirst: false }, walk, extra));
    await walk.passed(0);
  }
  return {
    space: account.space,
    snapshots: account.snapshots,
    clusters: order.clusters,
    order: { ...order.order, gaps: account.gaps },
    forecasts: forecast.sizes(account, list),
    preallocation: preallocationOf(order.clusters, order.order),
  };
}

/** Clusters of a window. */
function windowOf({ header }: Qcow2Image, family: TreeSets | undefined): number {
  const most = maxRefcount(header.refcountBits);
  const counts = most <= 0xff ? 1 : most <= 0xffff ? 2 : 4;
  // Beside the counts, who uses a cluster and what it is take a byte each.
  const bytes = 2 + counts + (family?.bytes ?? 0);
  return Math.min(MOST_CLUSTERS, Math.floor(MOST_BYTES / bytes));
}

/** Whether all of the disk has its place, in order. */
function preallocationOf(
  { total, normal, zeroHeld }: ClusterCounts,
  { backward }: { backward: number },
): Survey['preallocation'] {
  return total > 0 && normal + zeroHeld === total && backward === 0 ? 'metadata' : 'none';
}

/** Who leads to each L2 table of the list: the disk as it is now, and which snapshots. */
class Trees {
  /** Undefined where there are no snapshots. */
  readonly family: TreeSets | undefined;
  readonly #image: Qcow2Image;
  /** For each snapshot, the index in its L1 table from which on the machine's state is kept. */
  readonly #stateAt: number[];
  /** Sets, by table: of what it leads to, and of itself. */
  readonly #content: number[] = [];
  readonly #own: number[] = [];
  /** How often the active L1 table leads to the tables that it leads to more than once. */
  readonly #again = new Map<number, number>();
  readonly #order: OrderWalk;
  #active = 0;

  constructor(image: Qcow2Image, order: OrderWalk) {
    const { snapshots, header } = image;
    this.#image = image;
    this.#order = order;
    this.family = snapshots.length === 0 ? undefined : new TreeSets(snapshots.length);
    this.#stateAt = snapshots.map(({ diskSize }) => divideRoundUp(diskSize, header.l2Coverage));
  }

  /** As {@link collectTables} calls it. */
  meet(number: number, tree: number, index: number): void {
    if (tree < 0) {
      if (number < this.#active) {
        this.#again.set(number, (this.#again.get(number) ?? 1) + 1);
        this.#order.lost(index);
      } else {
        this.#active = number + 1;
      }
    }
    const { family } = this;
    if (family === undefined) return;
    const isState = tree >= 0 && index >= (this.#stateAt[tree] ?? Infinity);
    const own = tree < 0 ? family.ofActive : family.ofSnapshot(tree);
    const content = isState ? family.ofMachine(tree) : own;
    this.#own[number] = family.union(this.#own[number] ?? 0, own);
    this.#content[number] = family.union(this.#content[number] ?? 0, content);
  }

  /** The sets of the tables, as a window wants them. */
  sets(tables: number): { family: TreeSets | undefined; content: Uint32Array; own: Uint32Array } {
    const count = this.family === undefined ? 0 : tables;
    const content = Uint32Array.from({ length: count }, (_, at) => this.#content[at] ?? 0);
    const own = Uint32Array.from({ length: count }, (_, at) => this.#own[at] ?? 0);
    return { family: this.family, content, own };
  }

  /** The tables of the active disk are gone through in the order of its L1 table. */
  table({ entries, indexes, active }: TableList, number: number, bytes: Uint8Array): void {
    if (number >= active) return;
    const index = indexes[number] ?? 0;
    const offset = entryOffset(entries[number * 2] ?? 0, entries[number * 2 + 1] ?? 0);
    const isSound = isAligned(offset, this.#image.clusterSize);
    if (!isSound) this.#order.lost(index);
    this.#order.table(bytes, index, this.#again.get(number) ?? 1, isSound && offset > 0);
  }
}
