/** Reading a stretch of a guest's disk into memory. */
import { InlinePool, type CodecPool } from '../codecs/pool.ts';
import type { Disk } from '../formats/format.ts';
import type { ReadBelow } from '../formats/qcow2/edit/guest-writer.ts';
import { mapChain, type ChainExtent } from './chain.ts';
import { PieceList, type DiskPiece } from './pieces.ts';
import { Transfer } from './transfer.ts';

export interface ReadOptions {
  pool?: CodecPool | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Reads `length` guest bytes at `offset`. Behind the end of the disk are zeros.
 * @throws ImageError unreadable-cluster and those of reading
 */
export async function readDisk(
  disk: Disk,
  offset: number,
  length: number,
  options: ReadOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const extents: ChainExtent[] = [];
  for await (const batch of mapChain(disk, offset, length)) {
    for (const extent of batch) extents.push(extent);
  }
  return readExtents(extents, offset, length, options);
}

/** Reads the disk below `disk`, as {@link readDisk} does; undefined where there is none. */
export function readerBelow({ backing }: Disk, options: ReadOptions = {}): ReadBelow | undefined {
  if (backing === undefined) return undefined;
  return (offset, length) => readDisk(backing, offset, length, options);
}

/**
 * The same where something else is about to lie below: where there is nothing now, zeros, so that a
 * writer does not take "nothing said" for "reads as zeros".
 */
export function readerOfOldBelow({ backing }: Disk, options: ReadOptions = {}): ReadBelow {
  return async (offset, length) =>
    backing === undefined ? new Uint8Array(length) : readDisk(backing, offset, length, options);
}

/** As {@link readDisk}, with the extents of the stretch (cut to it) already at hand. */
export async function readExtents(
  extents: readonly ChainExtent[],
  offset: number,
  length: number,
  options: ReadOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const target = new Uint8Array(length);
  const pool = options.pool ?? new InlinePool();
  const transfer = new Transfer(
    (at, bytes) => {
      target.set(bytes, at - offset);
    },
    { pool, signal: options.signal },
  );
  await transfer.add(extents);
  await transfer.end();
  return target;
}

/**
 * As {@link readExtents}, without a copy: what lies between the pieces is zeros. The buffers may
 * hold more than the pieces, but not much more.
 */
export async function readPieces(
  extents: readonly ChainExtent[],
  length: number,
  options: ReadOptions = {},
): Promise<DiskPiece[]> {
  const pieces = new PieceList(length);
  const pool = options.pool ?? new InlinePool();
  const transfer = new Transfer((at, bytes) => pieces.add(at, bytes), {
    ...{ pool, signal: options.signal },
  });
  await transfer.add(extents);
  await transfer.end();
  return pieces.inOrder();
}
