/** From a passphrase to the cipher of an encrypted qcow2 image. «Header», crypt_method. */
import type { Cipher } from '../../codecs/cipher.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { askPassphrase, counting, legacyCipher } from '../content-cipher.ts';
import type { Unlock } from '../format.ts';
import { luksSeconds, readLuksHeader, unlockLuks, type LuksReader } from '../luks.ts';
import type { LuksHeader } from '../luks-header.ts';
import type { Header } from './header.ts';
import { headerFault } from './header-fault.ts';
import type { Qcow2Image } from './image.ts';

/** The encryption method of the header. */
export const LEGACY_AES = 1;
export const LUKS = 2;
/** QEMU refuses offsets from here on, bytes. */
const MAX_OFFSET = 2 ** 63 - 2 ** 30;

/**
 * The LUKS header of an image that has one. «Full disk encryption header pointer»
 * @throws ImageError invalid-header and those of reading
 */
export async function readEncryption(
  storage: Storage,
  header: Header,
): Promise<LuksHeader | undefined> {
  if (header.cryptMethod !== LUKS || header.luks === undefined) return undefined;
  return readLuksHeader(luksReader(storage, header.luks));
}

/** Reads within the clusters of the LUKS header only; offsets count from its start. */
export function luksReader(storage: Storage, place: NonNullable<Header['luks']>): LuksReader {
  return (offset, length) => {
    if (offset + length > place.length) {
      const message = 'Request for data outside of extension header';
      headerFault('luks-header', 'crypto header length', place.length, offset + length, message);
    }
    const at = place.offset + offset;
    if (at + length > MAX_OFFSET) {
      const message = 'Could not read encryption header: Input/output error';
      headerFault('luks-header', 'crypto header offset', place.offset, MAX_OFFSET, message);
    }
    return readPadded(storage, at, length);
  };
}

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
  const seconds = image.luks === undefined ? 0 : luksSeconds(image.luks);
  image.cipher = await askPassphrase(unlock, { name, method, seconds }, (passphrase) =>
    cipherOf(image, passphrase),
  );
}

/** The cipher, or undefined where the passphrase opens none of the key slots. */
async function cipherOf(
  image: Qcow2Image,
  passphrase: Uint8Array<ArrayBuffer>,
): Promise<Cipher | undefined> {
  const { header, luks, luksError, storage } = image;
  if (header.cryptMethod !== LUKS) return counting('guest', await legacyCipher(passphrase));
  if (luksError !== undefined) throw luksError;
  if (luks === undefined || header.luks === undefined) return undefined;
  const cipher = await unlockLuks(luks, luksReader(storage, header.luks), passphrase);
  return cipher === undefined ? undefined : counting('host', cipher);
}
