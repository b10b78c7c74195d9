/** Digests taken piece by piece. The platform's own (WebCrypto) wants all bytes at once. */
import { sha512 } from '@noble/hashes/sha2.js';
import { Sha256 } from './sha256.ts';

/** The algorithms that are computed, by the names of WebCrypto in lower case. */
export const HASH_NAMES = ['sha256', 'sha512'] as const;
export type HashName = (typeof HASH_NAMES)[number];

/** A digest in the making. */
export interface Hasher {
  /** Takes the next bytes. They are not kept. */
  update(bytes: Uint8Array<ArrayBuffer>): void;
  /** Takes the next `count` bytes, all of them zero: cheaper where that can be had. */
  zeros(count: number): void;
  /** The digest of everything taken. Call it once, as the last. */
  digest(): Uint8Array;
}

/** Starts a digest: the engine's own, or that of a platform with one that takes pieces. */
export type HasherFactory = (name: HashName) => Hasher;

const ZEROS = new Uint8Array(256 * 1024);

/** Calls `take` with pieces that make up `count` zero bytes. */
export function inZeros(count: number, take: (zeros: Uint8Array<ArrayBuffer>) => void): void {
  for (let left = count; left > 0; left -= ZEROS.length) {
    take(left < ZEROS.length ? ZEROS.subarray(0, left) : ZEROS);
  }
}

/** A package's, at about 50 MB/s: the lists of few publishers ask for it, and nothing else does. */
class Sha512 implements Hasher {
  readonly #hash = sha512.create();

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  zeros(count: number): void {
    inZeros(count, (zeros) => {
      this.update(zeros);
    });
  }

  digest(): Uint8Array {
    return this.#hash.digest();
  }
}

export const createHasher: HasherFactory = (name) =>
  name === 'sha512' ? new Sha512() : new Sha256();
