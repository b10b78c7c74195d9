/** Parallels, the expandable images of Parallels Desktop and Virtuozzo. */
import { ImageError } from '../../errors.ts';
import type { FormatDriver } from '../format.ts';
import { repairParallels } from './check.ts';
import { editParallels } from './edit.ts';
import { openParallels, ParallelsDisk } from './image.ts';

export const parallelsDriver: FormatDriver = {
  name: 'parallels',
  open: (storage, { lenient }) => openParallels(storage, lenient),
  edit: editParallels,
  repair: (disk, level, options) => {
    if (disk instanceof ParallelsDisk) return repairParallels(disk, level, options);
    throw new ImageError('internal', { reason: 'not a Parallels image' });
  },
};
