/** VDI, the format of VirtualBox. */
import type { FormatDriver } from '../format.ts';
import { editVdi } from './edit.ts';
import { openVdi } from './image.ts';

export const vdiDriver: FormatDriver = {
  name: 'vdi',
  open: openVdi,
  edit: editVdi,
};
