/** qcow of version 1, which came before qcow2. */
import { ImageError } from '../../errors.ts';
import type { FormatDriver } from '../format.ts';
import { openQcow, QcowImage } from './image.ts';
import { QcowWriter } from './writer.ts';

export { createQcow, type QcowOptions } from './create.ts';

export const qcowDriver: FormatDriver = {
  name: 'qcow',
  open: openQcow,
  edit(disk, below) {
    if (!(disk instanceof QcowImage)) {
      throw new ImageError('internal', { reason: 'not a qcow image' });
    }
    const { storage, header, l1, cipher } = disk;
    return Promise.resolve(new QcowWriter(storage, header, l1, { cipher, below }));
  },
};
