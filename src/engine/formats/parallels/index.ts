/** Parallels, the expandable images of Parallels Desktop and Virtuozzo. */
import { ImageError } from '../../errors.ts';
import type { FormatDriver } from '../format.ts';
import { repairParallels } from './check.ts';
import { editParallels } from './edit.ts';
import { openParallels, ParallelsDisk } from './image.ts';

export const parallelsDriver: FormatDriver = {
  name: 'parallels',
  open: (storage, { lenient, mode }) => {
    // The real program refuses when it opens an image for writing, whatever is to be done with it.
    const isEdited = storage.writable && mode !== 'check' && !lenient;
    return openParallels(storage, lenient, isEdited);
  },
  edit: editParallels,
  repair: (disk, level, options) => {
    if (disk instanceof ParallelsDisk) return repairParallels(disk, level, options);
    throw new ImageError('internal', { reason: 'not a Parallels image' });
  },
};
