/** AES, its modes, key derivation and stripes against published vectors and Node's OpenSSL. */
import { createCipheriv, createDecipheriv, pbkdf2Sync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { nodeBlockCipher } from '../../src/command/node/block-cipher.ts';
import { AesBlocks } from '../../src/engine/codecs/crypto/aes.ts';
import { mergeStripes, splitStripes } from '../../src/engine/codecs/crypto/anti-forensic.ts';
import { makeBlockCipher, offerBlockCipher } from '../../src/engine/codecs/crypto/block-cipher.ts';
import {
  deriveKey,
  digest,
  measureRounds,
  roundsPerSecond,
  type DigestName,
} from '../../src/engine/codecs/crypto/digests.ts';
import { makeSectorCipher, type CipherMode } from '../../src/engine/codecs/crypto/sector-cipher.ts';
import { makeVectors, type VectorKind } from '../../src/engine/codecs/crypto/vectors.ts';

const hex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const wordsOf = (bytes: Uint8Array) => new Int32Array(Uint8Array.from(bytes).buffer);
const bytesOf = (words: Int32Array) => new Uint8Array(words.buffer);

afterEach(() => {
  vi.restoreAllMocks();
  offerBlockCipher(undefined);
});

describe('AES on blocks', () => {
  // FIPS 197, appendix C.
  const CLEAR = '00112233445566778899aabbccddeeff';
  it.each([
    ['000102030405060708090a0b0c0d0e0f', '69c4e0d86a7b0430d8cdb78070b4c55a'],
    ['000102030405060708090a0b0c0d0e0f1011121314151617', 'dda97ca4864cdfe06eaf70a0ec0d7191'],
    [
      '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
      '8ea2b7ca516745bfeafc49904b496089',
    ],
  ])('%s', (key, encrypted) => {
    const aes = new AesBlocks(hex(key));
    const words = wordsOf(hex(CLEAR));
    aes.encrypt(words);
    expect(toHex(bytesOf(words))).toBe(encrypted);
    aes.decrypt(words);
    expect(toHex(bytesOf(words))).toBe(CLEAR);
  });

  it('as OpenSSL', () => {
    fc.assert(
      fc.property(fc.constantFrom(16, 24, 32), fc.nat(40), (keyBytes, blocks) => {
        const key = randomBytes(keyBytes);
        const clear = randomBytes(blocks * 16);
        const cipher = createCipheriv(`aes-${keyBytes * 8}-ecb`, key, null).setAutoPadding(false);
        const words = wordsOf(clear);
        const aes = new AesBlocks(key);
        aes.encrypt(words);
        expect(toHex(bytesOf(words))).toBe(cipher.update(clear).toString('hex'));
        aes.decrypt(words);
        expect(toHex(bytesOf(words))).toBe(clear.toString('hex'));
      }),
    );
  });
});

/** Vectors of one kind for a key, and the same by OpenSSL. */
function vectorOf(kind: VectorKind, salt: Buffer, sector: number): Buffer {
  const iv = Buffer.alloc(16);
  iv.writeUInt32LE(sector % 2 ** 32);
  if (kind !== 'plain') iv.writeUInt32LE(Math.floor(sector / 2 ** 32), 4);
  if (kind !== 'essiv') return iv;
  return createCipheriv(`aes-${salt.length * 8}-ecb`, salt, null).update(iv);
}

/** Encrypts sectors one by one; XTS by hand, as OpenSSL has no AES-192 there. */
function encryptSectors(
  clear: Buffer,
  mode: CipherMode,
  key: Buffer,
  vector: (sector: number) => Buffer,
  first: number,
): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < clear.length; at += 512) {
    const sector = clear.subarray(at, at + 512);
    const iv = vector(first + at / 512);
    if (mode === 'xts' && key.length === 48) {
      pieces.push(encryptXts(sector, key, iv));
      continue;
    }
    const name = `aes-${key.length * (mode === 'xts' ? 4 : 8)}-${mode}`;
    const cipher = createCipheriv(name, key, mode === 'ecb' ? null : iv).setAutoPadding(false);
    pieces.push(cipher.update(sector));
  }
  return Buffer.concat(pieces);
}

function ecb(key: Buffer, block: Buffer): Buffer {
  return createCipheriv(`aes-${key.length * 8}-ecb`, key, null).update(block);
}

/** IEEE 1619, 5.3, with big numbers. */
function encryptXts(sector: Buffer, keys: Buffer, iv: Buffer): Buffer {
  const half = keys.length / 2;
  const number = (bytes: Buffer) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
  const block = (value: bigint) =>
    Buffer.from(value.toString(16).padStart(32, '0'), 'hex').reverse();
  let tweak = number(ecb(keys.subarray(half), iv));
  const pieces: Buffer[] = [];
  for (let at = 0; at < sector.length; at += 16) {
    const clear = number(sector.subarray(at, at + 16));
    const inner = ecb(keys.subarray(0, half), block(clear ^ tweak));
    pieces.push(block(number(inner) ^ tweak));
    tweak = (tweak << 1n) ^ (tweak >> 127n === 1n ? 0x87n : 0n);
    tweak &= 2n ** 128n - 1n;
  }
  return Buffer.concat(pieces);
}

async function decrypt(
  encrypted: Uint8Array,
  mode: CipherMode,
  key: Buffer,
  kind: VectorKind,
  salt: Buffer,
  first: number,
): Promise<string> {
  const cipher = await makeSectorCipher(mode, new Uint8Array(key), makeVectors(kind, salt));
  return toHex(await cipher.decrypt(new Uint8Array(encrypted), first * 512));
}

async function encrypt(
  clear: Uint8Array,
  mode: CipherMode,
  key: Buffer,
  kind: VectorKind,
  salt: Buffer,
  first: number,
): Promise<string> {
  const cipher = await makeSectorCipher(mode, new Uint8Array(key), makeVectors(kind, salt));
  const before = toHex(clear);
  const encrypted = await cipher.encrypt(clear, first * 512);
  expect(toHex(clear) === before, 'the source stays as it is').toBe(true);
  return toHex(encrypted);
}

describe('XTS, published vectors', () => {
  const CLEAR = Uint8Array.from({ length: 512 }, (_, index) => index % 256);
  // IEEE 1619-2007, annex B: vectors 4 and 10; the beginning and the end of their ciphertexts.
  it.each([
    {
      key: '27182818284590452353602874713526 31415926535897932384626433832795',
      sector: 0,
      begins: '27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89c',
    },
    {
      key:
        '2718281828459045235360287471352662497757247093699959574966967627' +
        '3141592653589793238462643383279502884197169399375105820974944592',
      sector: 0xff,
      begins: '1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b',
    },
  ])('$begins', async ({ key, sector, begins }) => {
    const keys = Buffer.from(hex(key));
    const vector = (number: number) => vectorOf('plain64', keys, number);
    const encrypted = encryptSectors(Buffer.from(CLEAR), 'xts', keys, vector, sector);
    expect(encrypted.subarray(0, 32).toString('hex')).toBe(begins);
    const bits = keys.length * 4;
    const native = createDecipheriv(`aes-${bits}-xts`, keys, vector(sector));
    expect(native.update(encrypted).equals(CLEAR)).toBe(true);
    expect(encryptXts(Buffer.from(CLEAR), keys, vector(sector)).equals(encrypted)).toBe(true);
    expect(await decrypt(encrypted, 'xts', keys, 'plain64', keys, sector)).toBe(toHex(CLEAR));
    expect(await encrypt(CLEAR, 'xts', keys, 'plain64', keys, sector)).toBe(toHex(encrypted));
  });
});

describe('sectors', () => {
  const MODES: readonly CipherMode[] = ['xts', 'cbc', 'ecb', 'ctr'];
  const KINDS: readonly VectorKind[] = ['plain', 'plain64', 'essiv'];
  const everything = fc.record({
    mode: fc.constantFrom(...MODES),
    kind: fc.constantFrom(...KINDS),
    keyBytes: fc.constantFrom(16, 24, 32),
    saltBytes: fc.constantFrom(16, 32),
    // Beyond 2^32 sectors `plain` and `plain64` differ; a file has 2^47 at most.
    first: fc.oneof(fc.nat(9), fc.nat(2 ** 31 - 1), fc.constantFrom(2 ** 32 - 2, 2 ** 47 - 5)),
    sectors: fc.oneof(fc.nat(5), fc.constantFrom(511, 512, 513, 1100)),
  });

  async function sameAsOpenSsl(runs: number): Promise<void> {
    await fc.assert(
      fc.asyncProperty(everything, async ({ mode, kind, keyBytes, saltBytes, first, sectors }) => {
        const key = randomBytes(mode === 'xts' ? 2 * keyBytes : keyBytes);
        const salt = randomBytes(saltBytes);
        const clear = randomBytes(sectors * 512);
        const vector = (sector: number) => vectorOf(kind, salt, sector);
        const encrypted = encryptSectors(clear, mode, key, vector, first);
        const found = await decrypt(encrypted, mode, key, kind, salt, first);
        expect(found === clear.toString('hex')).toBe(true);
        const made = await encrypt(clear, mode, key, kind, salt, first);
        expect(made === encrypted.toString('hex')).toBe(true);
      }),
      { numRuns: runs },
    );
  }

  it('as OpenSSL, in every mode', () => sameAsOpenSsl(60));

  it('the same where the platform has no AES of that length', async () => {
    vi.spyOn(crypto.subtle, 'importKey').mockRejectedValue(new Error('192-bit AES keys'));
    await sameAsOpenSsl(30);
  });

  it('the same where the platform encrypts blocks', async () => {
    const key = randomBytes(32);
    const words = new Int32Array(new Uint8Array(randomBytes(64 * 16)).buffer);
    const mine = words.slice();
    new AesBlocks(key).encrypt(mine);
    const offered = vi.fn(nodeBlockCipher);
    offerBlockCipher(offered);
    makeBlockCipher(key).encrypt(words);
    expect(offered).toHaveBeenCalledOnce();
    expect([...words]).toEqual([...mine]);
    await sameAsOpenSsl(30);
  });

  it('refuses parts of sectors', async () => {
    const key = randomBytes(32);
    const cipher = await makeSectorCipher('xts', new Uint8Array(key), makeVectors('plain64', key));
    await expect(cipher.encrypt(new Uint8Array(511), 0)).rejects.toThrow('a part of a sector');
    await expect(cipher.encrypt(new Uint8Array(512), 16)).rejects.toThrow('a part of a sector');
  });

  it('several calls at once, in memory that is not aligned', async () => {
    const key = randomBytes(64);
    const clear = randomBytes(3 * 1024 * 1024);
    const vector = (sector: number) => vectorOf('plain64', key, sector);
    const encrypted = encryptSectors(clear.subarray(0, 1024 * 1024), 'xts', key, vector, 7);
    const cipher = await makeSectorCipher('xts', new Uint8Array(key), makeVectors('plain64', key));
    const calls = Array.from({ length: 6 }, async (_, index) => {
      const room = new Uint8Array(encrypted.length + index);
      room.set(encrypted, index);
      return cipher.decrypt(room.subarray(index), 7 * 512);
    });
    for (const bytes of await Promise.all(calls)) {
      expect(clear.subarray(0, 1024 * 1024).equals(bytes)).toBe(true);
    }
  });
});

describe('PBKDF2', () => {
  // RFC 6070, and for SHA-256 RFC 7914, 11.
  it.each([
    ['sha1', 'password', 'salt', 1, '0c60c80f961f0e71f3a9b524af6012062fe037a6'],
    ['sha1', 'password', 'salt', 4096, '4b007901b765489abead49d926f721d065a429c1'],
    [
      'sha256',
      'passwd',
      'salt',
      1,
      '55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc' +
        '49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783',
    ],
  ] as const)('%s %s %s %d', async (hash, password, salt, iterations, expected) => {
    const encode = (text: string) => new TextEncoder().encode(text);
    const derivation = { hash, salt: encode(salt), iterations };
    const key = await deriveKey(encode(password), derivation, expected.length / 2);
    expect(toHex(key)).toBe(expected);
  });

  it('as OpenSSL, with every hash', async () => {
    const hashes = ['sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'md5', 'ripemd160'] as const;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<DigestName>(...hashes),
        fc.uint8Array({ maxLength: 140 }),
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 1, max: 200 }),
        async (hash, password, length, iterations) => {
          const salt = new Uint8Array(randomBytes(32));
          const mine = await deriveKey(password, { hash, salt, iterations }, length);
          expect(toHex(mine)).toBe(
            pbkdf2Sync(password, salt, iterations, length, hash).toString('hex'),
          );
        },
      ),
      { numRuns: 120 },
    );
  });
});

it('stripes that are split are merged again', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<DigestName>('sha1', 'sha256', 'sha512', 'ripemd160', 'md5'),
      fc.uint8Array({ minLength: 16, maxLength: 64 }),
      fc.integer({ min: 1, max: 20 }),
      (hash, key, stripes) => {
        const before = toHex(key);
        const material = splitStripes(key, stripes, hash);
        expect(material).toHaveLength(key.length * stripes);
        expect(toHex(mergeStripes(material, key.length, stripes, hash))).toBe(before);
        expect(toHex(key)).toBe(before);
      },
    ),
  );
});

it('rounds are measured, and a busy machine does not make them few', async () => {
  expect(await measureRounds('sha256')).toBeGreaterThanOrEqual(roundsPerSecond('sha256') / 4);
  vi.spyOn(performance, 'now').mockImplementation(() => (clock += 10_000));
  let clock = 0;
  expect(await measureRounds('sha512')).toBe(roundsPerSecond('sha512') / 4);
});

it('stripes are merged as they were split', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<DigestName>('sha1', 'sha256', 'sha512', 'ripemd160', 'md5'),
      fc.constantFrom(16, 24, 32, 48, 64),
      fc.integer({ min: 1, max: 20 }),
      (hash, keyBytes, stripes) => {
        const key = randomBytes(keyBytes);
        const material = randomBytes(keyBytes * stripes);
        let sum: Buffer = Buffer.alloc(keyBytes);
        for (let index = 0; index < stripes; index++) {
          const stripe = material.subarray(index * keyBytes, (index + 1) * keyBytes);
          // The last stripe makes it right.
          if (index === stripes - 1) xor(sum, key).copy(stripe);
          else sum = diffuse(hash, xor(sum, stripe));
        }
        expect(toHex(mergeStripes(material, keyBytes, stripes, hash))).toBe(key.toString('hex'));
      },
    ),
  );
});

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, index) => byte ^ b[index]!));
}

/** H1: the digest of its number and itself for each piece. */
function diffuse(hash: DigestName, bytes: Buffer): Buffer {
  const size = digest(hash, bytes).length;
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const numbered = Buffer.concat([Buffer.of(0, 0, 0, at / size), bytes.subarray(at, at + size)]);
    pieces.push(digest(hash, numbered));
  }
  return Buffer.concat(pieces).subarray(0, bytes.length);
}
