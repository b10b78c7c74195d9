/** Reading a stretch of a guest's disk into memory. */
import { InlinePool, type CodecPool } from '../codecs/pool.ts';
import type { Disk } from '../formats/format.ts';
import { mapChain, type ChainExtent } from './chain.ts';
import { Transfer } from './transfer.ts';

/**
 * Reads `length` guest bytes at `offset`. Behind the end of the disk are zeros.
 * @throws ImageError unreadable-cluster and those of reading
 */
export async function readDisk(
  disk: Disk,
  offset: number,
  length: number,
  options: { pool?: CodecPool | undefined; signal?: AbortSignal | undefined } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const extents: ChainExtent[] = [];
  for await (const batch of mapChain(disk, offset, length)) {
    for (const extent of batch) extents.push(extent);
  }
  return readExtents(extents, offset, length, options);
}

/** As {@link readDisk}, with the extents of the stretch (cut to it) already at hand. */
export async function readExtents(
  extents: readonly ChainExtent[],
  offset: number,
  length: number,
  options: { pool?: CodecPool | undefined; signal?: AbortSignal | undefined } = {},
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
