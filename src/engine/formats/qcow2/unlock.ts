/** From a passphrase to the cipher of an encrypted qcow2 image. */
import { ImageError } from '../../errors.ts';
import type { Cipher } from '../../codecs/cipher.ts';
import type { Unlock } from '../format.ts';
import type { Qcow2Image } from './image.ts';

/** The encryption method of the header: 1 is the legacy AES, 2 is LUKS. */
const LUKS = 2;

/**
 * Asks for the passphrase of an encrypted image until it is right or nobody gives one any more;
 * then the image stays locked, or, when there was a wrong one, the opening fails.
 * @throws ImageError wrong-passphrase, and what is wrong with its encryption header
 */
export async function unlockQcow2(image: Qcow2Image, unlock: Unlock | undefined): Promise<void> {
  const { cryptMethod } = image.header;
  if (cryptMethod === 0 || unlock === undefined) return;
  const { name } = image.storage;
  const method = cryptMethod === LUKS ? 'luks' : 'aes';
  for (let attempt = 0; ; attempt++) {
    const passphrase = await unlock({ name, method, attempt });
    if (passphrase === undefined) {
      if (attempt > 0) throw new ImageError('wrong-passphrase', { name });
      return;
    }
    image.cipher = await cipherOf(image, passphrase);
    if (image.cipher !== undefined) return;
  }
}

/** The cipher, or undefined where the passphrase opens none of the key slots. */
function cipherOf(
  image: Qcow2Image,
  passphrase: Uint8Array<ArrayBuffer>,
): Promise<Cipher | undefined> {
  void passphrase;
  const feature = image.header.cryptMethod === LUKS ? 'LUKS encryption' : 'AES encryption';
  throw new ImageError('unsupported-feature', { feature });
}
