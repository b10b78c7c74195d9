/**
 * Which of an image's trees (the disk as it is now, its snapshots) lead to each cluster. Clusters
 * have the number of a set; few of the many sets that there could be do occur.
 */

/** Words of 32 bits that all sets together may take. */
const MOST_WORDS = 4 * 1024 * 1024;
/** Numbers of sets that two bytes can have. */
const TWO_BYTES = 0x10000;
/** Unions that are remembered. */
const MOST_MEMO = 1024 * 1024;

/**
 * The sets that occur, each once. Members are the active disk, the snapshots, and the states of
 * their machines. Set 0 is empty.
 */
export class TreeSets {
  readonly snapshots: number;
  /** Of a set that nobody knows any more, as there were too many: its members are several. */
  readonly several: number;
  /** Bytes of a number. */
  readonly bytes: 2 | 4;
  readonly #members: number;
  readonly #words: number;
  /** How many sets of several members there may be. */
  readonly #most: number;
  /** They; their numbers come behind {@link several}. */
  readonly #sets: Uint32Array[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #memo = new Map<number, number>();

  constructor(snapshots: number) {
    this.snapshots = snapshots;
    this.#members = 1 + 2 * snapshots;
    this.#words = Math.ceil(this.#members / 32);
    this.several = 1 + this.#members;
    this.bytes = this.#members < TWO_BYTES / 2 ? 2 : 4;
    const numbers = this.bytes === 2 ? TWO_BYTES - 1 - this.several : TWO_BYTES;
    this.#most = Math.min(numbers, Math.floor(MOST_WORDS / this.#words));
  }

  /** The active disk alone. */
  readonly ofActive = 1;

  /** One snapshot alone, by its index. */
  ofSnapshot(index: number): number {
    return 2 + index;
  }

  /** The state of the machine of one snapshot alone. */
  ofMachine(index: number): number {
    return 2 + this.snapshots + index;
  }

  /** Behind the largest number that is in use. */
  get used(): number {
    return this.several + 1 + this.#sets.length;
  }

  union(a: number, b: number): number {
    if (a === b || b === 0) return a;
    if (a === 0) return b;
    if (a === this.several || b === this.several) return this.several;
    const key = Math.min(a, b) * 2 ** 24 + Math.max(a, b);
    let found = this.#memo.get(key);
    if (found === undefined) {
      found = this.#unite(a, b);
      if (this.#memo.size >= MOST_MEMO) this.#memo.clear();
      this.#memo.set(key, found);
    }
    return found;
  }

  #unite(a: number, b: number): number {
    const words = this.#wordsOf(a);
    for (const [at, word] of this.#wordsOf(b).entries()) words[at] = (words[at] ?? 0) | word;
    const key = words.join();
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    if (this.#sets.length >= this.#most) return this.several;
    const number = this.used;
    this.#sets.push(words);
    this.#numbers.set(key, number);
    return number;
  }

  #wordsOf(set: number): Uint32Array {
    const several = this.#sets[set - 1 - this.several];
    if (several !== undefined) return several.slice();
    const words = new Uint32Array(this.#words);
    words[(set - 1) >>> 5] = (1 << ((set - 1) & 31)) >>> 0;
    return words;
  }

  /** The trees of a set: -1 for the active disk, indexes of snapshots; `machine`: its state. */
  *members(set: number): Generator<{ tree: number; machine: boolean }, undefined> {
    if (set === 0 || set === this.several) return undefined;
    for (const [at, word] of this.#wordsOf(set).entries()) {
      for (let rest = word; rest !== 0; rest &= rest - 1) {
        const member = at * 32 + (31 - Math.clz32(rest & -rest));
        const machine = member > this.snapshots;
        yield { tree: member - 1 - (machine ? this.snapshots : 0), machine };
      }
    }
    return undefined;
  }
}

/** The sets of the clusters of a window. */
export class ClusterSets {
  readonly family: TreeSets;
  /** The number of the set of each cluster. */
  readonly numbers: Uint16Array | Uint32Array;
  /** By a set that is there: its union with the current one; 0: not looked up yet. */
  row: Uint32Array;
  #current = 0;

  constructor(family: TreeSets, clusters: number) {
    this.family = family;
    this.numbers = family.bytes === 2 ? new Uint16Array(clusters) : new Uint32Array(clusters);
    this.row = new Uint32Array(family.used);
  }

  /** Says whose the next clusters are. */
  enter(set: number): void {
    if (set === this.#current) return;
    this.#current = set;
    if (this.row.length < this.family.used) this.row = new Uint32Array(this.family.used * 2);
    else this.row.fill(0, 0, this.family.used);
    this.row[0] = set;
    this.row[set] = set;
  }

  /** A cluster of the window is used by the trees of the current set. */
  add(at: number): void {
    const there = this.numbers[at] as number;
    let union = this.row[there] ?? 0;
    if (union === 0) {
      union = this.family.union(there, this.#current);
      this.row[there] = union;
    }
    this.numbers[at] = union;
  }
}
