/** Reading bytes for somebody who wants to see what there is: what cannot be read is named. */
import { InlinePool } from '../codecs/pool.ts';
import { isImageError, type UnreadableReason } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import { readPartially } from '../storage/partial.ts';
import { readPadded, type Storage } from '../storage/storage.ts';
import { mapChain, type ChainExtent } from './chain.ts';
import { PieceList, type DiskPiece } from './pieces.ts';
import type { ReadOptions } from './read.ts';
import { Salvage } from './salvage.ts';
import { Transfer } from './transfer.ts';

/** Bytes, and the parts of them that nobody can read: those are zeros here, which means nothing. */
export interface SeenBytes {
  bytes: Uint8Array<ArrayBuffer>;
  unreadable: Unseen[];
}

/** The same without a copy: what lies between the pieces, and is not unreadable, is zeros. */
export interface SeenPieces {
  /** In guest order. */
  pieces: DiskPiece[];
  /** In guest order; no piece has any of it. */
  unreadable: Unseen[];
}

/** Bytes that cannot be read. `message` is what the medium said, '' where it said nothing. */
export interface Unseen {
  offset: number;
  length: number;
  reason: UnreadableReason | 'read-failed';
  message: string;
}

/** Bytes of a file as it is; fewer than asked at its end. */
export async function seeFile(file: Storage, offset: number, length: number): Promise<SeenBytes> {
  const there = Math.max(0, Math.min(length, file.size - offset));
  try {
    return { bytes: await readPadded(file, offset, there), unreadable: [] };
  } catch (error) {
    if (!isImageError(error, 'read-failed')) throw error;
    const { bytes, holes } = await readPartially(file, offset, there);
    const unreadable = holes.map((hole) => ({
      ...{ offset: hole.offset, length: hole.length },
      ...{ reason: 'read-failed' as const, message: hole.reason },
    }));
    return { bytes, unreadable };
  }
}

/** Bytes of a disk as the guest sees it, the images below included; fewer than asked at its end. */
export async function seeDisk(
  disk: Disk,
  offset: number,
  length: number,
  options: ReadOptions = {},
): Promise<SeenBytes> {
  const there = Math.max(0, Math.min(length, disk.size - offset));
  const extents: ChainExtent[] = [];
  for await (const batch of mapChain(disk, offset, there)) {
    for (const extent of batch) extents.push(extent);
  }
  return seeExtents(extents, offset, there, options);
}

/** As {@link seeDisk}, with the extents of the stretch (cut to it) already at hand. */
async function seeExtents(
  extents: readonly ChainExtent[],
  offset: number,
  length: number,
  options: ReadOptions = {},
): Promise<SeenBytes> {
  const { pieces, unreadable } = await seePieces(extents, length, options);
  const bytes = new Uint8Array(length);
  for (const piece of pieces) bytes.set(piece.bytes, piece.offset - offset);
  return { bytes, unreadable };
}

/**
 * Reads extents of a disk, `length` bytes from the first to the last of them. The buffers may hold
 * more than the pieces, but not much more.
 * @throws ImageError cancelled
 */
export async function seePieces(
  extents: readonly ChainExtent[],
  length: number,
  options: ReadOptions = {},
): Promise<SeenPieces> {
  const list = new PieceList(length);
  const lost = new Salvage();
  const own = new InlinePool();
  const { pool = own, signal } = options;
  const transfer = new Transfer((at, bytes) => list.add(at, bytes), {
    ...{ pool, signal },
    lost: (loss) => lost.add(loss),
  });
  try {
    await transfer.add(seenOf(extents, lost));
    await transfer.end();
  } finally {
    own.close();
  }
  const unreadable = lost.report().losses.map(({ offset: at, length: size, reason, message }) => ({
    ...{ offset: at, length: size, reason, message },
  }));
  return { pieces: list.inOrder(), unreadable };
}

/** Without what waits for a file or a passphrase: that is no damage, but cannot be read either. */
function seenOf(batch: readonly ChainExtent[], lost: Pick<Salvage, 'add'>): readonly ChainExtent[] {
  if (!batch.some(({ unknown }) => unknown)) return batch;
  return batch.filter(({ unknown, offset, length, kind, disk, reason: known }) => {
    const missing = kind === 'data' ? disk.contentMissing : undefined;
    const reason = known ?? missing ?? 'backing-missing';
    if (unknown) lost.add({ offset, length, cause: 'content', reason, message: '' });
    return !unknown;
  });
}
