/** Making VDIs: their options, in qemu-img's words. */
import { createVdi, VDI_MAX_SIZE } from '../../engine/index.ts';
import { OptionFault } from '../option-text.ts';
import { checkFilePreallocation } from './file-options.ts';
import type { TargetFormat } from './target-format.ts';

export const vdiTarget: TargetFormat = {
  name: 'vdi',
  types: { static: 'switch' },
  printed: ['size', 'static', 'nocow', 'preallocation', 'extent_size_hint'],
  usual: { static: 'off' },
  help: `  size=<size>            - Bytes of the disk
  static=<bool (on/off)> - All blocks get their place in the file at once
`,
  backing: false,
  backingFormat: false,
  packs: false,
  prepare(_, { values, size }) {
    checkFilePreallocation(values);
    if (size > VDI_MAX_SIZE) {
      const [found, limit] = [size, VDI_MAX_SIZE].map((bytes) => `0x${bytes.toString(16)}`);
      throw new OptionFault(
        `Unsupported VDI image size (size is ${found}, max supported is ${limit})`,
      );
    }
    const isStatic = values.isOn('static');
    return { size, create: (files) => createVdi(files, size, { isStatic }) };
  },
};
