/** Chromium's WebCrypto gives the same sectors as our own AES, also where it has no such key. */
import { describe, expect, it } from 'vitest';
import { AesBlocks } from '../../src/engine/codecs/crypto/aes.ts';
import { deriveKey } from '../../src/engine/codecs/crypto/digests.ts';
import { makeSectorCipher } from '../../src/engine/codecs/crypto/sector-cipher.ts';
import { makeVectors } from '../../src/engine/codecs/crypto/vectors.ts';

const SECTORS = 1500;

/** More than one piece of bytes that are all different. */
function someBytes(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: SECTORS * 512 }, (_, at) => (at * 31 + (at >> 8)) & 255);
}

/** CBC within each sector, block by block. */
function encryptCbc(clear: Uint8Array<ArrayBuffer>, key: Uint8Array, first: number): Uint8Array {
  const words = new Int32Array(clear.slice().buffer);
  const vectors = makeVectors('plain64', key)(first, SECTORS);
  const aes = new AesBlocks(key);
  for (let at = 0; at < words.length; at += 4) {
    const block = words.subarray(at, at + 4);
    const before =
      at % 128 === 0 ? vectors.subarray(at / 32, at / 32 + 4) : words.subarray(at - 4, at);
    for (let column = 0; column < 4; column++) block[column]! ^= before[column]!;
    aes.encrypt(block);
  }
  return new Uint8Array(words.buffer);
}

describe('sectors', () => {
  it.each([16, 24, 32])('of a key of %d bytes', async (keyBytes) => {
    const key = crypto.getRandomValues(new Uint8Array(keyBytes));
    const clear = someBytes();
    const encrypted = new Uint8Array(encryptCbc(clear, key, 77));
    const cipher = await makeSectorCipher('cbc', key, makeVectors('plain64', key));
    const found = await cipher.decrypt(encrypted, 77 * 512);
    expect(found.every((byte, at) => byte === clear[at])).toBe(true);
  });

  // IEEE 1619-2007, annex B, vector 10: the first two of its blocks.
  it('of XTS', async () => {
    const digits =
      '2718281828459045235360287471352662497757247093699959574966967627' +
      '3141592653589793238462643383279502884197169399375105820974944592';
    const bytes = (hex: string) =>
      Uint8Array.from(hex.match(/../g) ?? [], (two) => parseInt(two, 16));
    const sector = new Uint8Array(512);
    sector.set(bytes('1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b'));
    const key = bytes(digits);
    const cipher = await makeSectorCipher('xts', key, makeVectors('plain64', key));
    const clear = await cipher.decrypt(sector, 0xff * 512);
    expect([...clear.subarray(0, 32)]).toEqual(Array.from({ length: 32 }, (_, index) => index));
  });
});

describe('encrypted sectors', () => {
  it.each([
    ['xts', 32],
    ['xts', 48],
    ['xts', 64],
    ['cbc', 16],
    ['cbc', 24],
    ['ecb', 32],
    ['ctr', 32],
  ] as const)('%s, keys of %d bytes, are decrypted again', async (mode, keyBytes) => {
    const key = crypto.getRandomValues(new Uint8Array(keyBytes));
    const salt = key.subarray(0, 16);
    const cipher = await makeSectorCipher(mode, key, makeVectors('essiv', salt));
    const clear = someBytes();
    const encrypted = await cipher.encrypt(clear, 5 * 512);
    expect(encrypted.some((byte, at) => byte !== clear[at])).toBe(true);
    const found = await cipher.decrypt(encrypted, 5 * 512);
    expect(found.every((byte, at) => byte === clear[at])).toBe(true);
  });
});

it('keys of any passphrase, also of none', async () => {
  const derivation = {
    hash: 'sha1',
    salt: new TextEncoder().encode('salt'),
    iterations: 2,
  } as const;
  const key = await deriveKey(new TextEncoder().encode('password'), derivation, 20);
  // RFC 6070.
  const hex = [...key].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  expect(hex).toBe('ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957');
  expect(await deriveKey(new Uint8Array(), derivation, 64)).toHaveLength(64);
});
