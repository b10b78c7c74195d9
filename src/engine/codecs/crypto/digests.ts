/**
 * Hashes and key derivation by the names that encryption headers have for them. Short and numerous
 * digests are computed here and at once; the many rounds of a key derivation are the platform's
 * where it has the hash (some ten times as fast).
 */
import { hmac } from '@noble/hashes/hmac.js';
import { md5, ripemd160, sha1 } from '@noble/hashes/legacy.js';
import { sha224, sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import type { CHash } from '@noble/hashes/utils.js';
import { pacer } from '../../yield.ts';

interface Algorithm {
  readonly hash: CHash;
  /** WebCrypto's name; undefined where it does not have it. */
  readonly platform?: string;
}

const ALGORITHMS = {
  md5: { hash: md5 },
  sha1: { hash: sha1, platform: 'SHA-1' },
  sha224: { hash: sha224 },
  sha256: { hash: sha256, platform: 'SHA-256' },
  sha384: { hash: sha384, platform: 'SHA-384' },
  sha512: { hash: sha512, platform: 'SHA-512' },
  ripemd160: { hash: ripemd160 },
} as const satisfies Record<string, Algorithm>;

export type DigestName = keyof typeof ALGORITHMS;

/** Whether a name is that of a hash known here. */
export function isDigestName(name: string): name is DigestName {
  return Object.hasOwn(ALGORITHMS, name);
}

/** Bytes of a digest. */
export function digestBytes(name: DigestName): number {
  return ALGORITHMS[name].hash.outputLen;
}

/** The digest of bytes that are at hand, at once: for few of them. */
export function digest(name: DigestName, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return ALGORITHMS[name].hash(bytes).slice();
}

/** How a key is derived from a passphrase. */
export interface Derivation {
  readonly hash: DigestName;
  readonly salt: Uint8Array<ArrayBuffer>;
  /** From 1 to 2^31-1. */
  readonly iterations: number;
}

/** PBKDF2 (RFC 8018, 5.2) with HMAC: a key of `length` bytes. */
export async function deriveKey(
  passphrase: Uint8Array<ArrayBuffer>,
  { hash, salt, iterations }: Derivation,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const algorithm: Algorithm = ALGORITHMS[hash];
  if (algorithm.platform === undefined) {
    return deriveHere(algorithm.hash, passphrase, salt, iterations, length);
  }
  const key = await crypto.subtle.importKey('raw', passphrase, 'PBKDF2', false, ['deriveBits']);
  const parameters = { name: 'PBKDF2', hash: algorithm.platform, salt, iterations };
  return new Uint8Array(await crypto.subtle.deriveBits(parameters, key, length * 8));
}

/** How many rounds one second allows, roughly: what a warning can be made of. */
export function roundsPerSecond(hash: DigestName): number {
  const algorithm: Algorithm = ALGORITHMS[hash];
  if (algorithm.platform === undefined) return 300_000;
  return algorithm.hash.blockLen > 64 ? 1_000_000 : 4_000_000;
}

/** Shorter measurements say little: clocks are coarse, milliseconds. */
const MEASURED_MS = 40;
const MEASUREMENTS = 3;

/**
 * How many rounds this machine does in a second: measured, which takes a fifth of one. The best of
 * several counts, as everything that disturbs makes it slower; and keys must not become weak because
 * a machine is busy, so that a quarter of what is usual counts at least.
 */
export async function measureRounds(hash: DigestName): Promise<number> {
  const bytes = digestBytes(hash);
  const passphrase = new Uint8Array(16);
  const salt = new Uint8Array(32);
  let best = roundsPerSecond(hash) / 4;
  let iterations = 4096;
  for (let done = 0; done < MEASUREMENTS;) {
    const start = performance.now();
    await deriveKey(passphrase, { hash, salt, iterations }, bytes);
    const elapsed = performance.now() - start;
    if (elapsed < MEASURED_MS && iterations < 2 ** 28) {
      iterations *= 4;
      continue;
    }
    best = Math.max(best, (iterations * 1000) / Math.max(1, elapsed));
    done++;
  }
  return best;
}

/** PBKDF2 with hashes that the platform does not have; lets events in on the way. */
async function deriveHere(
  hash: CHash,
  passphrase: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const breathe = pacer();
  const keyed = hmac.create(hash, passphrase);
  const salted = keyed.clone().update(salt);
  const room = keyed.clone();
  const size = hash.outputLen;
  const result = new Uint8Array(Math.ceil(length / size) * size);
  const last = new Uint8Array(size);
  for (let block = 0; block * size < length; block++) {
    const sum = result.subarray(block * size, (block + 1) * size);
    salted
      ._cloneInto(room)
      .update(bigEndian(block + 1))
      .digestInto(last);
    sum.set(last);
    for (let round = 1; round < iterations; round++) {
      keyed._cloneInto(room).update(last).digestInto(last);
      for (let at = 0; at < size; at++) sum[at] = (sum[at] as number) ^ (last[at] as number);
      const pause = round % 1024 === 0 ? breathe() : undefined;
      if (pause !== undefined) await pause;
    }
  }
  for (const state of [keyed, salted, room]) state.destroy();
  last.fill(0);
  return result.subarray(0, length);
}

/** A number as four bytes, the highest first. */
export function bigEndian(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
