/**
 * The picture of a file or a disk: what every stretch of it is, coarse and fine, in memory that
 * does not depend on its size.
 */
import { cellOf, CELL_KINDS, HAS_DAMAGE, HAS_LEAK, KIND_MASK } from '../formats/picture-kinds.ts';
import type { Walk } from '../formats/picture-kinds.ts';
import { throwIfCancelled } from '../errors.ts';
import { pacer } from '../yield.ts';
import type { RunOptions } from './operation.ts';

export { CELL_KINDS, type CellKind, type PictureRun } from '../formats/picture-kinds.ts';

/** The levels of a picture, and what it adds up to. Sizes in bytes. */
export interface PictureData {
  /** Of the file or the disk. */
  size: number;
  /** Of a cluster, or of the unit that the picture was made with. */
  clusterSize: number;
  /** Of one cell of the first level: a cluster, or a power of two of them. */
  unit: number;
  /** Each with a fourth of the cells of the one before. */
  levels: Uint8Array<ArrayBuffer>[];
  /** Bytes of each kind, in the order of {@link CELL_KINDS}. */
  sums: number[];
  /** Runs of one kind. */
  runs: number;
}

/** Cells of the first level, at most. */
const MOST_CELLS = 16 * 1024 * 1024;
/** Levels end with one of at most so many cells. */
const COARSEST = 4096;
/** Cells of one level for one of the next. */
const FACTOR = 4;
/** Cells that are worked on before events are let in. */
const AT_ONCE = 256 * 1024;

/** Makes a picture of runs that come in order. */
export class PictureBuilder {
  readonly #size: number;
  readonly #clusterSize: number;
  readonly #unit: number;
  readonly #cells: Uint8Array<ArrayBuffer>;
  readonly #sums = new Float64Array(CELL_KINDS.length);
  /** Bytes of each kind in the cell that is not full yet. */
  readonly #tally = new Float64Array(CELL_KINDS.length);
  #flags = 0;
  #at = 0;
  #last = -1;
  #runs = 0;

  /**
   * @param size of the file or the disk, bytes
   * @param clusterSize of the smallest cell, bytes
   */
  constructor(size: number, clusterSize: number) {
    this.#size = size;
    this.#clusterSize = clusterSize;
    let unit = clusterSize;
    while (Math.ceil(size / unit) > MOST_CELLS) unit *= 2;
    this.#unit = unit;
    this.#cells = new Uint8Array(Math.ceil(size / unit));
  }

  /** The next `length` bytes are of one kind; what goes beyond the size is dropped. */
  add(cell: number, length: number): void {
    const kind = cell & KIND_MASK;
    const end = Math.min(this.#at + length, this.#size);
    if (end <= this.#at) return;
    this.#sums[kind] = (this.#sums[kind] as number) + (end - this.#at);
    if (kind !== this.#last) {
      this.#runs += 1;
      this.#last = kind;
    }
    const unit = this.#unit;
    while (this.#at < end) {
      const index = Math.floor(this.#at / unit);
      const cellEnd = Math.min((index + 1) * unit, this.#size);
      if (this.#at === index * unit && end >= cellEnd) {
        const whole = Math.max(index + 1, Math.floor(end / unit));
        const to = end === this.#size ? this.#cells.length : whole;
        this.#cells.fill(cell, index, to);
        this.#at = Math.min(to * unit, this.#size);
        continue;
      }
      const to = Math.min(end, cellEnd);
      this.#tally[kind] = (this.#tally[kind] as number) + (to - this.#at);
      this.#flags |= cell & ~KIND_MASK;
      this.#at = to;
      if (to === cellEnd) this.#close(index);
    }
  }

  /** The next bytes are of these kinds, a cluster each. */
  async addCells(cells: Uint8Array, walk: Walk): Promise<void> {
    const size = this.#clusterSize;
    for (let from = 0; from < cells.length; from += AT_ONCE) {
      const end = Math.min(from + AT_ONCE, cells.length);
      for (let at = from; at < end;) {
        const cell = cells[at] as number;
        let to = at + 1;
        while (to < end && cells[to] === cell) to++;
        this.add(cell, (to - at) * size);
        at = to;
      }
      await walk.passed(0);
    }
  }

  #close(index: number): void {
    this.#cells[index] = largest(this.#tally) | this.#flags;
    this.#tally.fill(0);
    this.#flags = 0;
  }

  /** The picture. What nobody said anything of is unknown. */
  async finish(walk: Walk): Promise<PictureData> {
    if (this.#at < this.#size) this.add(cellOf('unknown'), this.#size - this.#at);
    const levels = [this.#cells];
    const lastBytes = this.#size - (this.#cells.length - 1) * this.#unit;
    const coarsen = new Coarsen(this.#cells, lastBytes / this.#unit);
    for (let factor = FACTOR; (levels.at(-1)?.length ?? 0) > COARSEST; factor *= FACTOR) {
      levels.push(await coarsen.by(factor, walk));
    }
    return {
      size: this.#size,
      clusterSize: this.#clusterSize,
      unit: this.#unit,
      levels,
      sums: [...this.#sums],
      runs: this.#runs,
    };
  }
}

/** Makes coarser levels of the finest one: each cell is what most of its bytes are. */
class Coarsen {
  readonly #cells: Uint8Array;
  /** How much of a whole cell the last one is. */
  readonly #lastWeight: number;
  readonly #tally = new Float64Array(CELL_KINDS.length);
  /** The level that was made last, and which of its cells stand for cells that are all alike. */
  #above: Uint8Array;
  #isEven: Uint8Array | undefined;

  constructor(cells: Uint8Array, lastWeight: number) {
    this.#cells = cells;
    this.#above = cells;
    this.#lastWeight = lastWeight;
  }

  /** The next level, one cell of which stands for `factor` of the finest. */
  async by(factor: number, walk: Walk): Promise<Uint8Array<ArrayBuffer>> {
    const above = this.#above;
    const cells = this.#cells;
    const level = new Uint8Array(Math.ceil(above.length / FACTOR));
    const isEven = new Uint8Array(level.length);
    for (let at = 0; at < level.length; at++) {
      if (this.#isAlike(at * FACTOR)) {
        level[at] = above[at * FACTOR] as number;
        isEven[at] = 1;
      } else {
        level[at] = this.#most(at * factor, Math.min((at + 1) * factor, cells.length));
      }
      if (at % AT_ONCE === 0) await walk.passed(0);
    }
    this.#above = level;
    this.#isEven = isEven;
    return level;
  }

  /** Whether the cells of the level above from `from` on stand for nothing but the same. */
  #isAlike(from: number): boolean {
    const above = this.#above;
    const first = above[from];
    const to = Math.min(from + FACTOR, above.length);
    for (let at = from; at < to; at++) {
      if (above[at] !== first || this.#isEven?.[at] === 0) return false;
    }
    return true;
  }

  #most(from: number, to: number): number {
    const cells = this.#cells;
    const tally = this.#tally.fill(0);
    let flags = 0;
    for (let at = from; at < to; at++) {
      const cell = cells[at] as number;
      const weight = at === cells.length - 1 ? this.#lastWeight : 1;
      tally[cell & KIND_MASK] = (tally[cell & KIND_MASK] as number) + weight;
      flags |= cell;
    }
    return largest(tally) | (flags & (HAS_LEAK | HAS_DAMAGE));
  }
}

/** The kind that there is most of; of equals the first. */
function largest(tally: Float64Array): number {
  let most = 0;
  for (let kind = 1; kind < tally.length; kind++) {
    if ((tally[kind] as number) > (tally[most] as number)) most = kind;
  }
  return most;
}

/** A walk that reports progress, lets events in and stops when asked to. */
export function walkWith({ signal, progress }: RunOptions): Walk {
  const pace = pacer(signal);
  let done = 0;
  let total = 0;
  return {
    expect: (bytes) => {
      total += bytes;
    },
    passed: async (bytes) => {
      done = Math.min(total, done + bytes);
      progress?.({ stage: 'checking', done, total });
      throwIfCancelled(signal);
      const pause = pace();
      if (pause !== undefined) await pause;
    },
  };
}
