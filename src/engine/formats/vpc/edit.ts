/** Opening a VHD for writing into it. */
import { alignUp, SECTOR } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import type { Disk, DiskWriter } from '../format.ts';
import { checkVpc } from './check.ts';
import { DifferencingDisk, VpcDisk } from './disk.ts';
import { TYPE_FIXED } from './layout.ts';
import type { BlockTable } from './table.ts';
import { DynamicWriter, FixedWriter } from './writer.ts';

/**
 * New blocks go behind all others, so the whole table is looked at first.
 * @throws ImageError image-damaged and those of reading
 */
export async function editVpc(disk: Disk): Promise<DiskWriter> {
  if (!(disk instanceof VpcDisk)) throw new ImageError('internal', { reason: 'not a VHD' });
  const { storage, size, parts } = disk;
  const { corruptions } = await checkVpc(parts, {});
  const { table, footer } = parts;
  // A fixed disk must end before its footer; one with a header like others is contradictory.
  const isOver = table === undefined && (footer.type !== TYPE_FIXED || size > footer.at);
  if (corruptions > 0 || isOver) {
    const details = { name: storage.name, corruptions: Math.max(1, corruptions) };
    throw new ImageError('image-damaged', details);
  }
  if (table === undefined) return new FixedWriter(storage, size, false);
  const bitmaps = disk instanceof DifferencingDisk ? disk.bitmaps : undefined;
  const end = endOfUse(table);
  return new DynamicWriter({
    ...{ storage, size, table, bitmaps, end, isNew: false },
    footer: footer.bytes,
  });
}

/** Behind the blocks and the names of the parent, which may be anywhere. Bytes. */
function endOfUse(table: BlockTable): number {
  let { end } = table;
  for (const { offset, length } of table.header.locators) {
    if (length > 0) end = Math.max(end, alignUp(offset + length, SECTOR));
  }
  return end;
}
