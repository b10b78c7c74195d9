/** VHDX, as Hyper-V uses it: [MS-VHDX]. */
import type { FormatDriver } from '../format.ts';
import { editVhdx, repairVhdx } from './edit.ts';
import { openVhdx } from './image.ts';

export const vhdxDriver: FormatDriver = {
  name: 'vhdx',
  open: openVhdx,
  edit: editVhdx,
  repair: repairVhdx,
};
