/** Opening a Parallels image for writing into it. */
import { alignUp } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import { readPadded } from '../../storage/storage.ts';
import type { Disk, DiskWriter } from '../format.ts';
import { usageOf } from './check.ts';
import { entriesFor } from './header.ts';
import { ParallelsDisk, refuseInUse } from './image.ts';
import { HEADER_BYTES } from './layout.ts';
import { writeParallels } from './writer.ts';

/**
 * All of the table is looked at first: new clusters go behind the last that is in use. The mark of
 * being in use is not set, since what is written gets into the file as a whole or not at all.
 * @throws ImageError image-dirty, image-damaged and those of reading
 */
export async function editParallels(disk: Disk): Promise<DiskWriter> {
  if (!(disk instanceof ParallelsDisk)) {
    throw new ImageError('internal', { reason: 'not a Parallels image' });
  }
  const { storage, header, table } = disk;
  const { name } = storage;
  if (header.inUse) refuseInUse(storage);
  const { isDamaged, end } = await usageOf(disk);
  const isShort = entriesFor(header) * header.clusterSize < header.size;
  if (isDamaged || isShort) throw new ImageError('image-damaged', { name, corruptions: 1 });
  // Nobody counts the clusters of an extension: to be safe, go behind all there is.
  const last = header.fields.extension === 0 ? end : Math.max(end, storage.size);
  const { dataStart, clusterSize } = header;
  const used = Math.max(0, last - dataStart);
  return writeParallels({
    ...{ storage, header, table, isNew: false },
    headerBytes: await readPadded(storage, 0, HEADER_BYTES),
    end: dataStart + alignUp(used, clusterSize),
  });
}
