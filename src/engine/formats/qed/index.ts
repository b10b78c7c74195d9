/** QED, the format that QEMU had beside qcow2 for a while. */
import { ImageError } from '../../errors.ts';
import type { Disk, FormatDriver } from '../format.ts';
import { readTable } from '../tables.ts';
import { mendQed } from './check.ts';
import { openQed, QedImage } from './image.ts';
import { QedWriter } from './writer.ts';

export { checkQedOptions, createQed, type QedOptions } from './create.ts';

export const qedDriver: FormatDriver = {
  name: 'qed',
  open: openQed,
  async edit(disk, below) {
    const { storage, header } = imageOf(disk);
    // An image that was not closed cleanly is mended before anything is written.
    if (header.needsCheck) await mendQed(storage, header, {});
    const { l1TableOffset } = header.fields;
    const entries = imageOf(disk).l1.length / 2;
    const l1 = await readTable(storage, l1TableOffset, entries, 'little');
    return new QedWriter(storage, { ...header.fields }, { l1, end: header.fileSize }, below);
  },
  async repair(disk, _level, options) {
    const { storage, header } = imageOf(disk);
    const { fixed, report } = await mendQed(storage, header, options);
    if (report.aborted === undefined && header.needsCheck) {
      const writer = new QedWriter(storage, { ...header.fields }, NOTHING);
      await writer.flush();
    }
    return { leaksFixed: 0, corruptionsFixed: fixed };
  },
};

const NOTHING = { l1: new Uint32Array(0), end: 0 };

function imageOf(disk: Disk): QedImage {
  if (disk instanceof QedImage) return disk;
  throw new ImageError('internal', { reason: 'not a QED image' });
}
