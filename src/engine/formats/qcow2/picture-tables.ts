/** The L2 tables that an image and its snapshots lead to, each once, however many lead to it. */
import { ImageError } from '../../errors.ts';
import type { Walk } from '../picture-kinds.ts';
import { allTrees } from './check/walk.ts';
import type { Qcow2Image } from './image.ts';
import { COPIED_HIGH, OFFSET_HIGH, OFFSET_LOW, entryOffset, type Table } from './tables.ts';

/** L2 tables in the order in which they were met: those of the active disk come first. */
export interface TableList {
  /** As an L1 table has them, COPIED set in all: offset 0 must not look like nothing. */
  readonly entries: Table;
  /** The index in the L1 table that led to each first. */
  readonly indexes: Uint32Array;
  /** How many entries of L1 tables lead to each. */
  readonly times: Uint32Array;
  /** So many of them belong to the active disk, whatever else leads to them. */
  readonly active: number;
}

/** As many as the largest L1 table has entries. */
const MOST_TABLES = 4 * 1024 * 1024;
/** Bytes of L1 tables that any image may have, whatever the size of its file. */
const LEAST_L1_BYTES = 64 * 1024 * 1024;

/**
 * Hears of every entry of an L1 table that is not zero: which table it leads to, and whose it is
 * (the index of a snapshot; -1: the active disk's).
 */
export type EntryListener = (number: number, tree: number, index: number) => void;

/** @throws ImageError too-large, cancelled and those of reading */
export async function collectTables(
  image: Qcow2Image,
  walk: Walk,
  listener?: EntryListener,
): Promise<TableList> {
  const numbers = new Map<number, number>();
  const offsets: number[] = [];
  const indexes: number[] = [];
  const times: number[] = [];
  let active = 0;
  // Tables of their own cannot be longer together than their file: somebody wants us to hang.
  const limit = Math.max(image.storage.size, LEAST_L1_BYTES);
  let bytes = 0;
  for await (const tree of allTrees(image)) {
    bytes += tree.l1.byteLength;
    if (!tree.active && bytes > limit) refuse('snapshot L1 tables', bytes, limit);
    for (let index = 0; index < tree.l1.length / 2; index++) {
      const high = tree.l1[index * 2] as number;
      const low = tree.l1[index * 2 + 1] as number;
      if ((high | low) === 0) continue;
      const offset = entryOffset(high, low);
      const known = numbers.get(offset);
      listener?.(known ?? offsets.length, tree.number, index);
      if (known !== undefined) {
        times[known] = (times[known] ?? 0) + 1;
        continue;
      }
      if (offsets.length >= MOST_TABLES) refuse('L2 tables', offsets.length, MOST_TABLES);
      numbers.set(offset, offsets.length);
      offsets.push(offset);
      indexes.push(index);
      times.push(1);
    }
    if (tree.active) active = offsets.length;
    await walk.passed(0);
  }
  const entries: Table = new Uint32Array(offsets.length * 2);
  for (const [number, offset] of offsets.entries()) {
    entries[number * 2] = (Math.floor(offset / 2 ** 32) & OFFSET_HIGH) | COPIED_HIGH;
    entries[number * 2 + 1] = offset & OFFSET_LOW;
  }
  return { entries, indexes: Uint32Array.from(indexes), times: Uint32Array.from(times), active };
}

function refuse(what: string, value: number, limit: number): never {
  throw new ImageError('too-large', { what, value: String(value), limit });
}
