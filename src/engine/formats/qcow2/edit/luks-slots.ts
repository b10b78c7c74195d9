/** The key slots of an encrypted qcow2 image that is open for a change. */
import { ImageError } from '../../../errors.ts';
import { changeKeys, type KeyChange, type LuksStore } from '../../luks-keys.ts';
import type { Qcow2Image } from '../image.ts';
import { luksReader } from '../unlock.ts';

export type { KeyChange };

/**
 * Adds a passphrase to an image with LUKS, or takes some away. Only the LUKS header changes; it is
 * written into the storage of the image, which is to be an overlay. The image that is open does not
 * see it.
 * @returns the slots that changed
 * @throws ImageError key-slot, wrong-passphrase, invalid-header, too-large, unsupported-feature and
 * those of reading; nothing is written then
 */
export function changeLuksKeys(image: Qcow2Image, change: KeyChange): Promise<number[]> {
  return changeKeys(luksStore(image), change);
}

function luksStore({ header, storage, luksError }: Qcow2Image): LuksStore {
  const place = header.luks;
  if (luksError !== undefined) throw luksError;
  if (place === undefined) {
    throw new ImageError('internal', { reason: 'an image without LUKS has no key slots' });
  }
  return {
    name: storage.name,
    read: luksReader(storage, place),
    write: async (offset, bytes) => {
      if (offset + bytes.length > place.length) {
        throw new ImageError('internal', { reason: 'key slots lie outside of the LUKS header' });
      }
      await storage.write(place.offset + offset, bytes);
    },
  };
}
