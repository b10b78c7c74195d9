/**
 * How long a file should be by what its own refcounts say. One wild pointer in an L1 or L2 table is
 * damage and no evidence of a missing part; refcounts beyond the end of the file are.
 */
import { readPadded } from '../../storage/storage.ts';
import type { Qcow2Image } from './image.ts';
import { readRefcountTable, type RefcountTable } from './refcounts.ts';

/** How many refcount blocks are looked at, from the last one down. */
const BLOCKS = 4;

/**
 * End of the last cluster in use, bytes, as far as the L1 table's place, the refcount table and its
 * last blocks tell. Reads a few clusters at most.
 */
export async function expectedEnd(image: Qcow2Image): Promise<number> {
  const { header, storage } = image;
  const table = await readRefcountTable(storage, header);
  return Math.max(
    header.l1TableOffset + header.l1Size * 8,
    header.refcountTableOffset + table.entries * 8,
    await lastUsed(image, table),
  );
}

async function lastUsed({ header, storage }: Qcow2Image, table: RefcountTable): Promise<number> {
  const { clusterSize, refcountBits } = header;
  const covered = table.blockEntries * clusterSize;
  let looked = 0;
  let end = 0;
  for (let index = table.entries - 1; index >= 0 && looked < BLOCKS; index--) {
    const offset = table.offset(index);
    // A block lies in front of what it counts, or within: elsewhere the entry itself is damage.
    const plausible = offset !== 0 && offset < (index + 1) * covered;
    if (!plausible || !table.isReadable(index) || table.hasReservedBits(index)) continue;
    looked += 1;
    end = Math.max(end, offset + clusterSize);
    if (offset >= storage.size) continue;
    const last = lastCounted(await readPadded(storage, offset, clusterSize), refcountBits);
    if (last >= 0) return Math.max(end, (index * table.blockEntries + last + 1) * clusterSize);
  }
  return end;
}

/** Index of the last refcount in a block that is not 0; -1 where all are. */
function lastCounted(bytes: Uint8Array, refcountBits: number): number {
  let at = bytes.length - 1;
  while (at >= 0 && bytes[at] === 0) at--;
  if (at < 0) return -1;
  // The least significant bits of a byte come first.
  const inByte = refcountBits < 8 ? Math.floor(Math.log2(bytes[at] as number) / refcountBits) : 0;
  return Math.floor((at * 8) / refcountBits) + inByte;
}

/**
 * Bytes that are missing at the end of the file at least; 0 when there is no evidence. QEMU itself
 * leaves the last cluster cut short, so less than a cluster is nothing.
 */
export async function missingAtEnd(image: Qcow2Image): Promise<number> {
  const end = await expectedEnd(image);
  const missing = end - image.storage.size;
  // A number that no file of this world has is damage, not a missing part.
  return missing >= image.clusterSize && end <= Number.MAX_SAFE_INTEGER ? missing : 0;
}
