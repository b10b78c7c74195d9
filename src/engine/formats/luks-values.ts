/** What qemu-img says of a LUKS header, by its names. */
import type { InfoValue } from '../operations/image-info.ts';
import type { LuksInfo } from './luks-header.ts';

export function luksValues(info: LuksInfo): { readonly [name: string]: InfoValue | undefined } {
  const [mode = '', generator = '', generatorHash] = info.cipherMode.split(/[-:]/);
  // XTS has two keys; the cipher is named by the length of one.
  const bits = mode === 'xts' ? Math.floor(info.keyBits / 16) * 8 : info.keyBits;
  return {
    'cipher-alg': `${info.cipherName}-${bits}`,
    'cipher-mode': mode,
    'ivgen-alg': generator,
    'ivgen-hash-alg': generator === 'essiv' ? generatorHash : undefined,
    'hash-alg': info.hash,
    uuid: info.uuid,
    'payload-offset': info.payloadOffset,
    'master-key-iters': info.iterations,
    slots: info.slots.map((slot) => ({
      active: slot.active,
      iters: slot.active ? slot.iterations : undefined,
      stripes: slot.active ? slot.stripes : undefined,
      'key-offset': slot.keyOffset,
    })),
  };
}
