/** Opening a VDI for writing into it. */
import { ImageError } from '../../errors.ts';
import { readPadded } from '../../storage/storage.ts';
import type { Disk, DiskWriter, ReadBelow } from '../format.ts';
import { walk } from './check.ts';
import { VdiChild, VdiDisk } from './image.ts';
import { HEADER_BYTES } from './layout.ts';
import { writeVdi } from './writer.ts';

/**
 * New blocks go where the header's counter says, so all of the map is looked at first.
 * @throws ImageError image-damaged, backing-missing and those of reading
 */
export async function editVdi(disk: Disk, readBelow: ReadBelow | undefined): Promise<DiskWriter> {
  if (!(disk instanceof VdiDisk)) throw new ImageError('internal', { reason: 'not a VDI' });
  if (disk instanceof VdiChild && disk.backingMissing) {
    const { backingName: name, backingFormat: format } = disk;
    throw new ImageError('backing-missing', { name, format });
  }
  const { storage, size, table } = disk;
  const { mapOffset, dataOffset, blocks, allocated } = disk.header.fields;
  let corruptions = 0;
  const usage = await walk(disk, {}, () => {
    corruptions++;
  });
  // With gaps between the blocks, the counter would lead into one that is in use.
  const isDense = usage.end <= allocated && usage.allocated === allocated;
  const hasOrder = mapOffset >= HEADER_BYTES && dataOffset >= mapOffset + blocks * 4;
  if (corruptions > 0 || !isDense || !hasOrder) {
    const { name } = storage;
    throw new ImageError('image-damaged', { name, corruptions: Math.max(1, corruptions) });
  }
  return writeVdi({
    ...{ storage, size, table, readBelow, isNew: false },
    header: await readPadded(storage, 0, HEADER_BYTES),
    placeOf: (entry) => disk.placeOf(entry),
  });
}
