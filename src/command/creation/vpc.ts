/** Making VHDs: their options, in qemu-img's words. */
import { createVpc, isImageError, vpcSize, type VpcOptions } from '../../engine/index.ts';
import { OptionFault } from '../option-text.ts';
import { checkFilePreallocation } from './file-options.ts';
import type { TargetFormat } from './target-format.ts';

export const vpcTarget: TargetFormat = {
  name: 'vpc',
  types: { subformat: 'text', force_size: 'switch' },
  printed: ['size', 'subformat', 'force_size', 'nocow', 'preallocation', 'extent_size_hint'],
  usual: {},
  help: `  force_size=<bool (on/off)> - Exactly the size that was asked for, as Hyper-V and Azure want it
  size=<size>            - Bytes of the disk
  subformat=<str>        - dynamic, or fixed: all of the disk has its place in the file at once
`,
  backing: false,
  backingFormat: false,
  packs: false,
  prepare(_, { values, size: wanted }) {
    checkFilePreallocation(values);
    const options = {
      isFixed: readSubformat(values.text('subformat')) === 'fixed',
      exactSize: values.isOn('force_size'),
    };
    const size = sizeFor(wanted, options);
    return { size, create: (files) => createVpc(files, size, options) };
  },
};

function readSubformat(text = 'dynamic'): string {
  if (text === 'dynamic' || text === 'fixed') return text;
  throw new OptionFault(`Parameter 'subformat' does not accept value '${text}'`);
}

function sizeFor(wanted: number, options: VpcOptions): number {
  try {
    return vpcSize(wanted, options);
  } catch (error) {
    if (!isImageError(error, 'too-large')) throw error;
    throw new OptionFault("The image size is too large for file format 'vpc'");
  }
}
