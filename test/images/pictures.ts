import type { CellKind, Picture } from '../../src/worker/api.ts';

/** The levels above a finest one: what most of each four cells is, and the flags of any of them. */
export function levelsOver(finest: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const levels = [finest];
  for (let below = finest; below.length > 4096; ) {
    const level = new Uint8Array(Math.ceil(below.length / 4));
    for (let at = 0; at < level.length; at++) level[at] = over(below, 4 * at);
    levels.push(level);
    below = level;
  }
  return levels;
}

function over(below: Uint8Array, from: number): number {
  const to = Math.min(from + 4, below.length);
  let [best, most, flags] = [0, 0, 0];
  for (let at = from; at < to; at++) {
    const cell = below[at] ?? 0;
    flags |= cell & 0xc0;
    let same = 0;
    for (let other = from; other < to; other++) if ((((below[other] ?? 0) ^ cell) & 0x3f) === 0) same++;
    if (same > most) [best, most] = [cell & 0x3f, same];
  }
  return best | flags;
}

export const KINDS: CellKind[] = ['header', 'l2', 'data', 'compressed', 'free', 'leaked', 'damaged'];
const LEAKED = 5;
const DAMAGED = 6;

/** A picture of a file with the given finest cells, by their numbers in {@link KINDS}. */
export function pictureOf(cells: Uint8Array<ArrayBuffer>, cluster = 65536): Picture {
  const sums = KINDS.map(() => 0);
  let runs = 0;
  for (let at = 0; at < cells.length; at++) {
    const cell = cells[at] ?? 0;
    sums[cell] = (sums[cell] ?? 0) + cluster;
    if (cell !== cells[at - 1]) runs += 1;
  }
  const flagged = cells.map((cell) => {
    if (cell === LEAKED) return cell | 0x40;
    return cell === DAMAGED ? cell | 0x80 : cell;
  });
  return {
    space: 'file',
    size: cells.length * cluster,
    clusterSize: cluster,
    unit: cluster,
    kinds: KINDS,
    levels: levelsOver(flagged),
    sums,
    runs,
  };
}

/** As many cells as that, in runs of any length, with a fault here and there. */
export function randomPicture(count: number, seed = 7): Picture {
  const cells = new Uint8Array(count);
  let state = seed;
  const random = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state / 2 ** 32;
  };
  for (let at = 0; at < count; ) {
    const kind = Math.floor(random() * 4) + 1;
    const length = 1 + Math.floor(random() ** 6 * (count / 200));
    cells.fill(kind, at, at + length);
    at += length;
    if (random() < 0.01) cells[at++] = random() < 0.5 ? LEAKED : DAMAGED;
  }
  return pictureOf(cells);
}
