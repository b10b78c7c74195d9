/** The L2 tables of an image with snapshots, each once, for a check of an image that is sound. */
import { isAligned } from '../../../binary/units.ts';
import type { Qcow2Image } from '../image.ts';
import { COPIED_HIGH, entryOffset, OFFSET_HIGH, OFFSET_LOW, type Table } from '../tables.ts';
import { allTrees, snapshotFault } from './walk.ts';

/** Tables in the order in which they were met: those of the active disk come first. */
export interface SharedTables {
  /** As the L1 table has them that led to each first. */
  readonly entries: Table;
  /** The index in that L1 table. */
  readonly indexes: Uint32Array;
  /** How many L1 tables lead to each. */
  readonly times: Uint32Array;
  /** So many of them belong to the active disk. */
  readonly active: number;
}

/** Entries of all L1 tables together. What has more is gone through tree by tree. */
const MOST_ENTRIES = 256 * 1024;

/**
 * Undefined where nothing would be gained, where there are too many, and where something about the
 * L1 tables is to be told.
 * @throws ImageError those of reading
 */
export async function sharedTables(image: Qcow2Image): Promise<SharedTables | undefined> {
  if (!mayShare(image)) return undefined;
  const numbers = new Map<number, number>();
  const words: number[] = [];
  const indexes: number[] = [];
  const times: number[] = [];
  /** The last tree that led to each. */
  const trees: number[] = [];
  let active = 0;
  let met = 0;
  for await (const { l1, number: tree } of allTrees(image)) {
    for (let index = 0; index < l1.length / 2; index++) {
      const high = l1[index * 2] as number;
      const low = l1[index * 2 + 1] as number;
      if ((high | low) === 0) continue;
      const offset = entryOffset(high, low);
      const isReserved = ((high & ~(COPIED_HIGH | OFFSET_HIGH)) | (low & ~OFFSET_LOW)) !== 0;
      if (isReserved || offset === 0 || !isAligned(offset, image.clusterSize)) return undefined;
      met += 1;
      const known = numbers.get(offset);
      if (known === undefined) {
        numbers.set(offset, times.length);
        words.push(high, low);
        indexes.push(index);
        times.push(1);
        trees.push(tree);
      } else {
        // What one tree has twice is wrong.
        if (trees[known] === tree) return undefined;
        trees[known] = tree;
        times[known] = (times[known] ?? 0) + 1;
      }
    }
    if (tree < 0) active = times.length;
  }
  if (met === times.length) return undefined;
  return {
    entries: Uint32Array.from(words),
    indexes: Uint32Array.from(indexes),
    times: Uint32Array.from(times),
    active,
  };
}

function mayShare(image: Qcow2Image): boolean {
  const { header, l1, snapshots } = image;
  if (snapshots.length === 0 || header.hasDataFile) return false;
  let entries = l1.length / 2;
  for (const snapshot of snapshots) {
    if (snapshotFault(image, snapshot) !== undefined) return false;
    entries += snapshot.l1Size;
  }
  return entries <= MOST_ENTRIES;
}
