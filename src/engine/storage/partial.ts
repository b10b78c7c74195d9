/** Reading what can be read where the medium is damaged. */
import { alignDown, alignUp, SECTOR } from '../binary/units.ts';
import { isImageError, throwIfCancelled, type ImageError } from '../errors.ts';
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

/** The beginning of a storage. */
export interface Front {
  /** As many bytes as were asked for and are there, before the first that cannot be read. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Why it ends where it does, if the medium is why. */
  error: ImageError | undefined;
}

/** Reads the first bytes of a storage; a damaged place behind what is needed does no harm. */
export async function readFront(storage: Storage, length: number): Promise<Front> {
  const bytes = new Uint8Array(Math.min(length, storage.size));
  try {
    await storage.read(0, bytes);
    return { bytes, error: undefined };
  } catch (error) {
    if (!isImageError(error, 'read-failed')) throw error;
    const { bytes: read, holes } = await readPartially(storage, 0, bytes.length);
    const end = holes[0]?.offset ?? read.length;
    return { bytes: read.slice(0, end), error: holes.length === 0 ? undefined : error };
  }
}
