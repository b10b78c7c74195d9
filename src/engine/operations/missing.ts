/**
 * Whether a file ends before its own tables say: a download that was cut off. Looks at a few
 * tables only, so that it can be said the moment an image opens; a check says it for certain.
 */
import type { Disk } from '../formats/format.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';
import { decodeBlock, readRefcountTable, type RefcountTable } from '../formats/qcow2/refcounts.ts';
import { entryOffset } from '../formats/qcow2/tables.ts';
import { readPadded } from '../storage/storage.ts';

/** How many refcount blocks are looked at, from the last one down. */
const BLOCKS = 4;

/**
 * How many bytes are missing at the end of the file at least; 0 when nothing that was looked at
 * lies behind the end. Never more than a cluster too few is counted as missing: QEMU itself leaves
 * the last cluster cut short.
 */
export async function missingBytes(disk: Disk): Promise<number> {
  if (!(disk instanceof Qcow2Image)) return 0;
  const { header, storage } = disk;
  let end = header.l1TableOffset + header.l1Size * 8;
  const { l1 } = disk;
  for (let i = 0; i < l1.length; i += 2) {
    const offset = entryOffset(l1[i] ?? 0, l1[i + 1] ?? 0);
    if (offset !== 0) end = Math.max(end, offset + header.clusterSize);
  }
  const table = await readRefcountTable(storage, header);
  end = Math.max(end, header.refcountTableOffset + table.entries * 8);
  end = Math.max(end, await lastUsed(disk, table));
  const missing = end - storage.size;
  // A number that no file of this world has is damage, not a missing part.
  return missing >= header.clusterSize && end <= Number.MAX_SAFE_INTEGER ? missing : 0;
}

/** End of the last cluster that the refcounts say is in use, bytes. */
async function lastUsed({ header, storage }: Qcow2Image, table: RefcountTable): Promise<number> {
  const { clusterSize, refcountBits } = header;
  let looked = 0;
  let end = 0;
  for (let index = table.entries - 1; index >= 0 && looked < BLOCKS; index--) {
    const offset = table.offset(index);
    if (offset === 0 || !table.isAligned(index) || table.hasReservedBits(index)) continue;
    looked += 1;
    end = Math.max(end, offset + clusterSize);
    if (offset >= storage.size) continue;
    const block = decodeBlock(await readPadded(storage, offset, clusterSize), refcountBits);
    const last = block.findLastIndex((count: number) => count !== 0);
    if (last < 0) continue;
    return Math.max(end, (index * table.blockEntries + last + 1) * clusterSize);
  }
  return end;
}
