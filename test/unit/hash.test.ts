import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { createHasher, HASH_NAMES, type Hasher, type HashName } from '../../src/engine/index.ts';
import { nativeHasher } from '../../src/command/node/hasher.ts';

const hex = (hasher: Hasher): string => Buffer.from(hasher.digest()).toString('hex');

function reference(name: HashName, bytes: Uint8Array): string {
  return createHash(name).update(bytes).digest('hex');
}

function ours(name: HashName, ...pieces: Uint8Array<ArrayBuffer>[]): string {
  const hasher = createHasher(name);
  for (const piece of pieces) hasher.update(piece);
  return hex(hasher);
}

/** Bytes in which nothing repeats soon. */
function varied(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 11) & 255);
}

/** FIPS 180-4 and NIST's examples that go with it: message, SHA-256, beginning of SHA-512. */
const VECTORS: readonly [message: string, sha256: string, sha512: string][] = [
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'cf83e1357eefb8bd'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', 'ddaf35a193617aba'],
  [
    'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    '204a8fc6dda82f0a',
  ],
  [
    'abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu',
    'cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1',
    '8e959b75dae313da',
  ],
  [
    'a'.repeat(1_000_000),
    'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0',
    'e718483d0ce76964',
  ],
];

describe('digests', () => {
  it.each(VECTORS)('of the published example %#', (message, sha256, sha512) => {
    const bytes = new Uint8Array(Buffer.from(message));
    expect(ours('sha256', bytes)).toBe(sha256);
    expect(ours('sha512', bytes).slice(0, 16)).toBe(sha512);
  });

  it.each(HASH_NAMES)('%s of every length up to 200, of anything and of zeros', (name) => {
    for (let length = 0; length <= 200; length++) {
      const bytes = varied(length);
      expect(ours(name, bytes), `${length} bytes`).toBe(reference(name, bytes));
      const zeros = createHasher(name);
      zeros.zeros(length);
      expect(hex(zeros), `${length} zeros`).toBe(reference(name, new Uint8Array(length)));
    }
  });

  /** Bytes, or a number of zeros, or bytes with zeros in them; with and without an odd beginning. */
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Uint8Array.from(bytes)),
    fc.nat(300),
    fc.tuple(fc.nat(200), fc.nat(70)).map(([at, skip]) => {
      const bytes = new Uint8Array(400);
      bytes[at] = 1;
      return bytes.subarray(skip);
    }),
  );

  it.each(HASH_NAMES)('%s in any pieces is that of the whole', (name) => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const whole = Buffer.concat(
          pieces.map((one) => (typeof one === 'number' ? new Uint8Array(one) : one)),
        );
        for (const hasher of [createHasher(name), nativeHasher(name)]) {
          for (const one of pieces) {
            if (typeof one === 'number') hasher.zeros(one);
            else hasher.update(one);
          }
          expect(hex(hasher)).toBe(reference(name, whole));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('counts beyond 512 MiB, where the number of bits needs a second word', () => {
    const hasher = createHasher('sha256');
    hasher.zeros(2 ** 29 + 3);
    hasher.update(varied(5));
    const native = createHash('sha256');
    const mebibyte = new Uint8Array(2 ** 20);
    for (let i = 0; i < 512; i++) native.update(mebibyte);
    native.update(new Uint8Array(3)).update(varied(5));
    expect(hex(hasher)).toBe(native.digest('hex'));
  });
});
