/** Making LUKS volumes: their options, in qemu-img's words. */
import { createLuksVolume } from '../../engine/index.ts';
import { CREATION_TYPES } from '../creation-values.ts';
import { luksOptionsOf, readLuksChoice, takePassphrase } from '../luks-options.ts';
import { OptionFault } from '../option-text.ts';
import type { TargetFormat } from './target-format.ts';

const SECTOR = 512;

export const luksTarget: TargetFormat = {
  name: 'luks',
  types: CREATION_TYPES.luks,
  printed: [
    ...['size', 'key-secret', 'cipher-alg', 'cipher-mode', 'ivgen-alg', 'ivgen-hash-alg'],
    ...['hash-alg', 'iter-time', 'nocow', 'preallocation', 'extent_size_hint'],
  ],
  usual: {},
  help: `  cipher-alg=<str>       - aes-128, aes-192 or aes-256
  cipher-mode=<str>      - xts, cbc, ecb or ctr
  hash-alg=<str>         - What keys are derived with
  iter-time=<num>        - How long unlocking takes, milliseconds
  ivgen-alg=<str>        - plain64, plain or essiv
  ivgen-hash-alg=<str>   - The digest of essiv
  key-secret=<str>       - The passphrase, by the id of a secret
  size=<size>            - Bytes of the disk
`,
  backing: false,
  backingFormat: false,
  packs: false,
  async prepare(context, { values, size }) {
    const preallocation = values.text('preallocation') ?? 'off';
    if (!['off', 'metadata', 'falloc', 'full'].includes(preallocation)) {
      throw new OptionFault(`invalid parameter value: ${preallocation}`);
    }
    const choice = readLuksChoice(values, '');
    const passphrase = await takePassphrase(context, choice.secret, '');
    const options = luksOptionsOf(choice);
    // The file ends where the content does, be it within a sector.
    const given = Number(values.number('size') ?? 0n);
    const exact = Math.ceil(given / SECTOR) * SECTOR === size ? given : size;
    return {
      size,
      create: async (files) => {
        try {
          return await createLuksVolume(files, exact, options, passphrase);
        } finally {
          passphrase.fill(0);
        }
      },
    };
  },
};
