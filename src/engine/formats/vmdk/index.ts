/** VMDK: VMware's disks of one file or many. */
import type { FormatDriver } from '../format.ts';
import { editVmdk } from './edit.ts';
import { openVmdk } from './open.ts';

export const vmdkDriver: FormatDriver = {
  name: 'vmdk',
  open: openVmdk,
  edit: editVmdk,
};
