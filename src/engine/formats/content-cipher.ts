/** From a passphrase to what the content of an image is encrypted with, over all formats. */
import type { Cipher } from '../codecs/cipher.ts';
import { makeSectorCipher, type SectorCipher } from '../codecs/crypto/sector-cipher.ts';
import { makeVectors } from '../codecs/crypto/vectors.ts';
import { ImageError } from '../errors.ts';
import type { Unlock, UnlockRequest } from './format.ts';

/** Bytes of the legacy AES' key: the passphrase itself. */
const AES_KEY_BYTES = 16;

/** What encrypts the content, counted by its place in the file or on the guest's disk. */
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

/**
 * Asks for the passphrase of an encrypted image until it is right or nobody gives one any more;
 * then the image stays locked, or, when there was a wrong one, the opening fails.
 * @param open undefined where the passphrase does not open it
 * @returns undefined where it stays locked
 * @throws ImageError wrong-passphrase, and what `open` throws
 */
export async function askPassphrase(
  unlock: Unlock,
  { name, method, seconds }: Omit<UnlockRequest, 'attempt'>,
  open: (passphrase: Uint8Array<ArrayBuffer>) => Promise<Cipher | undefined>,
): Promise<Cipher | undefined> {
  for (let attempt = 0; ; attempt++) {
    const passphrase = await unlock({ name, method, attempt, seconds });
    if (passphrase === undefined) {
      if (attempt > 0) throw new ImageError('wrong-passphrase', { name });
      return undefined;
    }
    try {
      const cipher = await open(passphrase);
      if (cipher !== undefined) return cipher;
    } finally {
      passphrase.fill(0);
    }
  }
}
