/** Adding up whose every cluster of a file is, a window after the other. */
import { cellOf, HAS_LEAK, KIND_MASK } from '../picture-kinds.ts';
import type { GapClass, SnapshotSpace, SpaceAccount } from '../survey.ts';
import { divideRoundUp } from '../../binary/units.ts';
import type { Qcow2Image } from './image.ts';
import { CLASH, OWNER, type Owner } from './picture-claims.ts';
import type { Window } from './picture-window.ts';
import { NO_SPACE } from '../survey-sums.ts';
import type { TreeSets } from './survey-sets.ts';

/** Rows of the sums: the owners of {@link OWNER}, and what has none. */
const ROWS = 20;
const FREE = 15;
const LEAKED = 16;
const UNKNOWN = 17;
const DAMAGED = 18;

const FREE_CELL = cellOf('free');
const LEAKED_CELL = cellOf('leaked');

/** Gaps up to so many bytes are of a class. */
const GAP_CLASSES = [64 * 1024, 1024 * 1024, 16 * 1024 * 1024, Infinity];

export class Account {
  readonly #image: Qcow2Image;
  readonly #family: TreeSets | undefined;
  readonly #clusters: number;
  /** Clusters, by the set of their users and by row. */
  #sums = new Float64Array(0);
  /** Of each set, clusters whose refcounts are too high: nothing frees them. */
  #stuck = new Float64Array(0);
  readonly #gaps: GapClass[] = GAP_CLASSES.map((upTo) => {
    return { upTo: upTo === Infinity ? -1 : upTo, pieces: 0, bytes: 0 };
  });
  /** Clusters that are free, and are the last ones so far. */
  #free = 0;
  /** What the last cluster of the file is short of, by the row and the set that it counts for. */
  #last = { row: FREE, set: 0 };

  constructor(image: Qcow2Image, family: TreeSets | undefined) {
    this.#image = image;
    this.#family = family;
    this.#clusters = divideRoundUp(image.storage.size, image.clusterSize);
  }

  /** The next window of the file. */
  add({ claims, cells }: Window): void {
    const { owners, sets, length } = claims;
    const numbers = sets?.numbers;
    this.#grow();
    const sums = this.#sums;
    const stuck = this.#stuck;
    let free = this.#free;
    let row: number = FREE;
    let set = 0;
    for (let at = 0; at < length; at++) {
      const owner = owners[at] as number;
      const cell = cells[at] as number;
      set = numbers === undefined ? 0 : (numbers[at] as number);
      if (owner === OWNER.none) {
        const kind = cell & KIND_MASK;
        row = kind === FREE_CELL ? FREE : kind === LEAKED_CELL ? LEAKED : UNKNOWN;
      } else {
        row = owner >= CLASH ? DAMAGED : owner;
        if ((cell & HAS_LEAK) !== 0) stuck[set] = (stuck[set] as number) + 1;
      }
      if (row === FREE) {
        free += 1;
      } else if (free > 0) {
        this.#gap(free);
        free = 0;
      }
      const place = set * ROWS + row;
      sums[place] = (sums[place] as number) + 1;
    }
    this.#free = free;
    this.#last = { row, set };
  }

  /** Each window may bring sets that there were not before. */
  #grow(): void {
    const count = this.#family?.used ?? 1;
    if (this.#stuck.length >= count) return;
    const [sums, stuck] = [this.#sums, this.#stuck];
    this.#sums = new Float64Array(count * ROWS);
    this.#stuck = new Float64Array(count);
    this.#sums.set(sums);
    this.#stuck.set(stuck);
  }

  /** Free clusters with used ones behind them. */
  #gap(clusters: number): void {
    const bytes = clusters * this.#image.clusterSize;
    const gaps = this.#gaps.find(({ upTo }) => upTo < 0 || bytes <= upTo);
    if (gaps === undefined) return;
    gaps.pieces += 1;
    gaps.bytes += bytes;
  }

  get gaps(): GapClass[] {
    return this.#gaps;
  }

  /** Clusters that an owner has, whoever shares them. */
  clustersOf(owner: Owner): number {
    let sum = 0;
    for (let at: number = owner; at < this.#sums.length; at += ROWS)
      sum += this.#sums[at] as number;
    return sum;
  }

  /** Every byte of the file once. */
  get space(): SpaceAccount {
    const { clusterSize, storage } = this.#image;
    const family = this.#family;
    const space = { ...NO_SPACE, fileSize: storage.size, metadata: { ...NO_SPACE.metadata } };
    for (let set = 0; set < this.#stuck.length; set++) {
      const isMachine = family !== undefined && isOfMachines(family, set);
      for (let row = 0; row < ROWS; row++) {
        const clusters = this.#sums[set * ROWS + row] as number;
        if (clusters === 0) continue;
        const isAlone = family === undefined || set === family.ofActive;
        addTo(space, row, clusters * clusterSize, isAlone, isMachine);
      }
    }
    if (this.#clusters === 0) return space;
    const short = this.#clusters * clusterSize - storage.size;
    const { row, set } = this.#last;
    const isAlone = family === undefined || set === family.ofActive;
    addTo(space, row, -short, isAlone, family !== undefined && isOfMachines(family, set));
    space.tail = this.#free === 0 ? 0 : this.#free * clusterSize - short;
    space.free -= space.tail;
    return space;
  }

  /** What each snapshot holds; whole clusters. */
  get snapshots(): SnapshotSpace[] {
    const { snapshots, clusterSize } = this.#image;
    const spaces = snapshots.map(({ id, name, dateSeconds }) => {
      return { id, name, exclusive: 0, total: 0, vmState: 0, dateSeconds };
    });
    const family = this.#family;
    if (family === undefined) return spaces;
    for (let set = 1; set < family.used; set++) {
      const bytes = this.#usedBy(set) * clusterSize;
      if (bytes === 0) continue;
      const members = [...family.members(set)];
      const trees = new Set(members.map(({ tree }) => tree));
      for (const tree of trees) {
        const space = spaces[tree];
        if (space === undefined) continue;
        space.total += bytes;
        if (trees.size === 1) space.exclusive += bytes - (this.#stuck[set] ?? 0) * clusterSize;
        const isState = members.some((one) => one.tree === tree && one.machine);
        if (isState) space.vmState += this.#contentOf(set) * clusterSize;
      }
    }
    return spaces;
  }

  #usedBy(set: number): number {
    let sum = 0;
    for (let row = 0; row < ROWS; row++) sum += this.#sums[set * ROWS + row] as number;
    return sum;
  }

  #contentOf(set: number): number {
    let sum = 0;
    for (let row: number = OWNER.data; row <= OWNER.snapshotPacked; row++) {
      sum += this.#sums[set * ROWS + row] as number;
    }
    return sum;
  }
}

/** Whether only states of machines are in a set. */
function isOfMachines(family: TreeSets, set: number): boolean {
  if (set === 0 || set === family.several) return false;
  for (const { machine } of family.members(set)) if (!machine) return false;
  return true;
}

/** Where in the metadata an owner's clusters count. */
const METADATA = {
  [OWNER.header]: 'header',
  [OWNER.refcounts]: 'refcounts',
  [OWNER.l1]: 'l1',
  [OWNER.l2]: 'l2',
  [OWNER.snapshots]: 'snapshots',
  [OWNER.bitmaps]: 'bitmaps',
  [OWNER.crypto]: 'crypto',
} as const;

function addTo(
  space: SpaceAccount,
  row: number,
  bytes: number,
  isAlone: boolean,
  isMachine: boolean,
): void {
  if (row in METADATA) space.metadata[METADATA[row as keyof typeof METADATA]] += bytes;
  else space[partOf(row, isAlone, isMachine)] += bytes;
}

function partOf(
  row: number,
  isAlone: boolean,
  isMachine: boolean,
): Exclude<keyof SpaceAccount, 'fileSize' | 'metadata' | 'tail'> {
  if (row === FREE) return 'free';
  if (row === LEAKED) return 'leaked';
  if (row === UNKNOWN) return 'unknown';
  if (row === DAMAGED) return 'damaged';
  if (row === OWNER.data) return isAlone ? 'active' : 'shared';
  if (row === OWNER.packed) return 'compressed';
  if (row === OWNER.zeros) return 'zeroHeld';
  return isMachine && row !== OWNER.snapshotL2 ? 'vmState' : 'snapshotOnly';
}
