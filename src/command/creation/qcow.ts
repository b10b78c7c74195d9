/** Making qcow images of version 1: their options, in qemu-img's words. */
import { checkQcowSize, createQcow, FORMAT_NAMES } from '../../engine/index.ts';
import { encryptionOf, readEncryption } from '../encryption-options.ts';
import { isForeignFormat } from '../foreign-formats.ts';
import { OptionFault } from '../option-text.ts';
import { checkFilePreallocation } from './file-options.ts';
import type { TargetFormat } from './target-format.ts';

export const qcowTarget: TargetFormat = {
  name: 'qcow',
  types: {
    backing_file: 'text',
    backing_fmt: 'text',
    encryption: 'switch',
    'encrypt.format': 'text',
    'encrypt.key-secret': 'text',
  },
  printed: [
    ...['size', 'backing_file', 'backing_fmt', 'encryption', 'encrypt.format'],
    ...['encrypt.key-secret', 'nocow', 'preallocation', 'extent_size_hint'],
  ],
  usual: {},
  help: `  backing_file=<str>     - What the new image is based on
  backing_fmt=<str>      - The format of that file, which is not kept
  encrypt.format=<str>   - aes, which is too weak to keep a secret
  encrypt.key-secret=<str> - The passphrase, by the id of a secret
  encryption=<bool (on/off)> - The same as encrypt.format=aes
  size=<size>            - Bytes of the disk
`,
  backing: true,
  backingFormat: true,
  packs: true,
  async prepare(context, { values, size }) {
    const format = values.text('backing_fmt');
    const isKnown = FORMAT_NAMES.some((name) => name === format);
    if (format !== undefined && !isKnown && !isForeignFormat(format)) {
      throw new OptionFault(`unrecognized backing format '${format}'`);
    }
    const choice = readEncryption(values);
    checkFilePreallocation(values);
    const backingName = values.text('backing_file') ?? '';
    checkQcowSize(size, backingName);
    if (choice !== undefined && choice.method !== 'aes') {
      throw new OptionFault('Unsupported encryption format');
    }
    const passphrase = (await encryptionOf(context, choice))?.passphrase;
    return {
      size,
      create: (files) => createQcow(files, size, { backingName, passphrase }),
      unlock: passphrase && (() => Promise.resolve(passphrase.slice())),
    };
  },
};
