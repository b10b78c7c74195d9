/** Reading what can be read where the medium is damaged. */
import { alignDown, alignUp, SECTOR } from '../binary/units.ts';
import { isImageError, throwIfCancelled } from '../errors.ts';
import type { Storage } from './storage.ts';

/** A part of a read that the medium does not give. Bytes, from the start of the storage. */
export interface Hole {
  offset: number;
  length: number;
  /** What the medium says. */
  readonly reason: string;
}

/** What could be read. */
export interface PartialRead {
  /** Zeros where there are holes, and behind the end of the storage. */
  bytes: Uint8Array<ArrayBuffer>;
  /** In rising order. */
  holes: Hole[];
}

/** A failed read is cut into so many. Few steps lead to a sector, since each may take seconds. */
const CUTS = 16;

/**
 * Reads a range of which a read has failed: in smaller pieces, down to sectors of 512 bytes, until
 * only what is damaged fails.
 * @throws ImageError cancelled, and those of a storage that is no longer there as a whole
 */
export async function readPartially(
  storage: Storage,
  offset: number,
  length: number,
  signal?: AbortSignal,
): Promise<PartialRead> {
  const bytes = new Uint8Array(length);
  const holes: Hole[] = [];
  const cut = async (from: number, to: number): Promise<void> => {
    const step = alignUp(Math.ceil((to - from) / CUTS), SECTOR);
    for (let at = from; at < to;) {
      const next = Math.min(to, alignDown(at + step, SECTOR));
      await fill(at, next);
      at = next;
    }
  };
  const fill = async (from: number, to: number): Promise<void> => {
    throwIfCancelled(signal);
    const target = bytes.subarray(from - offset, to - offset);
    try {
      if (from < storage.size) await storage.read(from, target);
    } catch (error) {
      if (!isImageError(error, 'read-failed')) throw error;
      target.fill(0);
      if (to - from > SECTOR) await cut(from, to);
      else addHole(holes, { offset: from, length: to - from, reason: error.details.reason });
    }
  };
  await cut(offset, offset + length);
  return { bytes, holes };
}

function addHole(holes: Hole[], hole: Hole): void {
  const last = holes.at(-1);
  if (last?.reason === hole.reason && last.offset + last.length === hole.offset) {
    last.length += hole.length;
  } else {
    holes.push(hole);
  }
}
