/** LUKS of version 1 as a format of its own: an encrypted disk in a file. */
import { ImageError } from '../../errors.ts';
import type { FormatDriver } from '../format.ts';
import { LuksVolume, openLuksVolume } from './image.ts';
import { LuksWriter } from './writer.ts';

export { createLuksVolume } from './create.ts';

export const luksDriver: FormatDriver = {
  name: 'luks',
  open: openLuksVolume,
  edit(disk) {
    if (!(disk instanceof LuksVolume)) {
      throw new ImageError('internal', { reason: 'not a LUKS volume' });
    }
    return Promise.resolve(new LuksWriter(disk.storage, disk.payloadOffset, disk.cipher));
  },
};
