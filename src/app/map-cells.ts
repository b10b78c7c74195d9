/** Reading a picture: what its cells stand for, where the next of a kind is. No state. */
import type { AddressSpace, CellKind, Picture, Place } from '../worker/api.ts';
import type { Focus } from './open-image.svelte.ts';

/** Bits of a cell: its kind, and what else is in it. */
export const KIND_MASK = 0x3f;
export const HAS_LEAK = 0x40;
export const HAS_DAMAGE = 0x80;

/** Each level has a cell for so many of the one below. */
const FACTOR = 4;

/** A stretch of a file or a disk, in bytes. */
export interface Span {
  offset: number;
  length: number;
}

/** Bytes of a cell of a level; the last one of a level may stand for less. */
export function cellBytes(picture: Picture, level: number): number {
  return picture.unit * FACTOR ** level;
}

/** Cells of a level. */
export function cellCount(picture: Picture, level: number): number {
  return picture.levels[level]?.length ?? 0;
}

/** The bytes that a cell stands for. */
export function spanOf(picture: Picture, level: number, index: number): Span {
  const size = cellBytes(picture, level);
  const offset = index * size;
  return { offset, length: Math.max(0, Math.min(size, picture.size - offset)) };
}

/** The finest cell that an address is in. */
export function indexAt(picture: Picture, offset: number): number {
  const last = cellCount(picture, 0) - 1;
  return Math.max(0, Math.min(last, Math.floor(offset / picture.unit)));
}

/** The kind of most bytes of a cell. */
export function kindOf(picture: Picture, level: number, index: number): CellKind | undefined {
  const cell = picture.levels[level]?.[index];
  return cell === undefined ? undefined : picture.kinds[cell & KIND_MASK];
}

/** A part of a picture that is of one kind. */
export interface Share {
  kind: CellKind;
  bytes: number;
}

/** What a stretch is made of, the largest first: by its finest cells. */
export function sharesOf(picture: Picture, { offset, length }: Span): Share[] {
  const cells = picture.levels[0] ?? new Uint8Array();
  const first = indexAt(picture, offset);
  const last = indexAt(picture, offset + Math.max(0, length - 1));
  const counts = new Float64Array(KIND_MASK + 1);
  for (let index = first; index <= last; index++) {
    const kind = (cells[index] ?? 0) & KIND_MASK;
    counts[kind] = (counts[kind] ?? 0) + picture.unit;
  }
  const end = Math.min(offset + length, picture.size);
  const beyond = (last + 1) * picture.unit - end;
  const lastKind = (cells[last] ?? 0) & KIND_MASK;
  counts[lastKind] = Math.max(0, (counts[lastKind] ?? 0) - Math.max(0, beyond));
  return picture.kinds
    .map((kind, index) => ({ kind, bytes: counts[index] ?? 0 }))
    .filter(({ bytes }) => bytes > 0)
    .sort((one, other) => other.bytes - one.bytes);
}

/** All of a picture by kinds that are there, exactly. */
export function sumsOf(picture: Picture): Share[] {
  return picture.kinds
    .map((kind, index) => ({ kind, bytes: picture.sums[index] ?? 0 }))
    .filter(({ bytes }) => bytes > 0);
}

/**
 * The next finest cell that has a flag, from `from` on (included) in the direction of `step`. Goes
 * by the coarse levels, so that it takes no longer in a large picture.
 */
export function findFlag(
  picture: Picture,
  flag: number,
  from: number,
  step: 1 | -1,
): number | undefined {
  let level = 0;
  let index = from;
  for (;;) {
    const cells = picture.levels[level];
    if (cells === undefined || index < 0 || index >= cells.length) return undefined;
    if (((cells[index] ?? 0) & flag) !== 0) {
      if (level === 0) return index;
      level -= 1;
      const below = cellCount(picture, level) - 1;
      index = step > 0 ? index * FACTOR : Math.min(below, index * FACTOR + FACTOR - 1);
      continue;
    }
    const isLastOfParent = index % FACTOR === (step > 0 ? FACTOR - 1 : 0);
    index += step;
    if (isLastOfParent && index >= 0 && level + 1 < picture.levels.length) {
      // A whole parent was passed: its neighbours are looked at in one step.
      level += 1;
      index = Math.floor(index / FACTOR);
    }
  }
}

/** The next finest cell, from `from` on, that is of a kind, or that is not. */
function findKind(
  picture: Picture,
  kind: CellKind,
  from: number,
  step: 1 | -1,
  isWanted = true,
): number | undefined {
  const cells = picture.levels[0] ?? new Uint8Array();
  const code = picture.kinds.indexOf(kind);
  for (let index = from; index >= 0 && index < cells.length; index += step) {
    if ((((cells[index] ?? 0) & KIND_MASK) === code) === isWanted) return index;
  }
  return undefined;
}

/**
 * The finest cell where a kind is next seen, behind the one that `at` is in or before it; beyond the
 * end it begins again at the other. Of leaks and damage each cell counts that has any; of the others
 * each run.
 */
export function findNext(
  picture: Picture,
  kind: CellKind,
  at: number | undefined,
  step: 1 | -1,
): number | undefined {
  const flag = flagOf(kind);
  const start = step > 0 ? 0 : cellCount(picture, 0) - 1;
  const find = (from: number): number | undefined =>
    flag === 0 ? findKind(picture, kind, from, step) : findFlag(picture, flag, from, step);
  if (at === undefined) return find(start);
  const from = flag === 0 ? findKind(picture, kind, at, step, false) : at + step;
  return (from === undefined ? undefined : find(from)) ?? find(start);
}

/** The bit that says that something of the kind is in a cell; 0: there is none for it. */
export function flagOf(kind: CellKind): number {
  if (kind === 'leaked') return HAS_LEAK;
  return kind === 'damaged' ? HAS_DAMAGE : 0;
}

/** Where a place is on the other side, the first of several. */
export function otherSide(place: Place | undefined, space: AddressSpace): Focus | undefined {
  if (place === undefined || place.space === space) return undefined;
  for (const { guestOffset, fileOffset, layer } of place.uses) {
    const offset = space === 'guest' ? guestOffset : layer === '' ? fileOffset : undefined;
    if (offset !== undefined) return { space, offset, length: place.length };
  }
  return undefined;
}
