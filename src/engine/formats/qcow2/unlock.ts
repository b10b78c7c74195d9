/** From a passphrase to the cipher of an encrypted qcow2 image. «Header», crypt_method. */
import { makeSectorCipher, type SectorCipher } from '../../codecs/crypto/sector-cipher.ts';
import { makeVectors } from '../../codecs/crypto/vectors.ts';
import type { Cipher } from '../../codecs/cipher.ts';
import { ImageError } from '../../errors.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import type { Unlock } from '../format.ts';
import { luksSeconds, readLuksHeader, unlockLuks, type LuksReader } from '../luks.ts';
import type { LuksHeader } from '../luks-header.ts';
import type { Header } from './header.ts';
import { headerFault } from './header-fault.ts';
import type { Qcow2Image } from './image.ts';

/** The encryption method of the header. */
export const LEGACY_AES = 1;
export const LUKS = 2;
/** Bytes of the legacy AES' key: the passphrase itself. */
const AES_KEY_BYTES = 16;
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
  for (let attempt = 0; ; attempt++) {
    const passphrase = await unlock({ name, method, attempt, seconds });
    if (passphrase === undefined) {
      if (attempt > 0) throw new ImageError('wrong-passphrase', { name });
      return;
    }
    try {
      image.cipher = await cipherOf(image, passphrase);
    } finally {
      passphrase.fill(0);
    }
    if (image.cipher !== undefined) return;
  }
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

/** What encrypts the content of a qcow2 image: LUKS counts by the file, the legacy AES does not. */
export function counting(countsBy: Cipher['countsBy'], cipher: SectorCipher): Cipher {
  return {
    countsBy,
    decrypt: (bytes, offset) => cipher.decrypt(bytes, offset),
    encrypt: (bytes, offset) => cipher.encrypt(bytes, offset),
  };
}

/**
 * The legacy AES: the passphrase is the key, cut or filled with zeros to 16 bytes, and vectors are
 * the numbers of the guest's sectors. Nothing in the image tells a wrong passphrase from the right
 * one: with a wrong one, the content is noise.
 */
export async function legacyCipher(passphrase: Uint8Array): Promise<SectorCipher> {
  const key = new Uint8Array(AES_KEY_BYTES);
  key.set(passphrase.subarray(0, AES_KEY_BYTES));
  const cipher = await makeSectorCipher('cbc', key, makeVectors('plain64', key));
  key.fill(0);
  return cipher;
}
