/**
 * SHA-256 (FIPS 180-4), made for disks: long runs of zeros among the data.
 *
 * Our own because of what was measured on one core at 2.8 GHz against @noble/hashes 2.4.0. Under
 * Node 20: 206 MB/s for data, 310 for zeros found among the bytes and 365 for zeros that are known
 * to be some, against 140 for all of them; in Chromium 156: 198, 318 and 374 against 55. A block of
 * zeros has a message schedule of zeros, so that it needs the rounds alone, over the constants.
 */
import type { Hasher } from './hash.ts';

const BLOCK = 64;

/** Section 4.2.2: the first 32 bits of the fractions of the cube roots of the first 64 primes. */
const K = Int32Array.from([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);
/** Section 6.2.2, step 1: the message schedule of one block… */
const W = new Int32Array(64);
/** … and the same with the constants added, which is all that the rounds want to know of it. */
const WK = new Int32Array(64);

/** Section 5.3.3: the same of the square roots of the first eight primes. */
const INITIAL = Int32Array.from([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);

export class Sha256 implements Hasher {
  readonly #state = INITIAL.slice();
  /** The block that is not full yet, and how much is in it. */
  readonly #rest = new Uint8Array(BLOCK);
  #filled = 0;
  /** Bytes taken. */
  #length = 0;

  update(bytes: Uint8Array<ArrayBuffer>): void {
    this.#length += bytes.length;
    let at = 0;
    if (this.#filled > 0) {
      at = Math.min(BLOCK - this.#filled, bytes.length);
      this.#rest.set(bytes.subarray(0, at), this.#filled);
      if (!this.#fill(at)) return;
    }
    const whole = Math.floor((bytes.length - at) / BLOCK);
    takeBlocks(this.#state, bytes.subarray(at, at + whole * BLOCK));
    this.#rest.set(bytes.subarray(at + whole * BLOCK));
    this.#filled = bytes.length - at - whole * BLOCK;
  }

  zeros(count: number): void {
    this.#length += count;
    let left = count;
    if (this.#filled > 0) {
      const part = Math.min(BLOCK - this.#filled, left);
      this.#rest.fill(0, this.#filled, this.#filled + part);
      left -= part;
      if (!this.#fill(part)) return;
    }
    const whole = Math.floor(left / BLOCK);
    takeRounds(this.#state, K, whole);
    this.#filled = left - whole * BLOCK;
    this.#rest.fill(0, 0, this.#filled);
  }

  /** Section 5.1.1: a one bit, zeros, and the length in bits. */
  digest(): Uint8Array {
    const length = this.#length;
    const padding = new Uint8Array(9 + ((2 * BLOCK - 9 - this.#filled) % BLOCK));
    padding[0] = 0x80;
    const view = new DataView(padding.buffer);
    view.setUint32(padding.length - 8, Math.floor(length / 2 ** 29));
    view.setUint32(padding.length - 4, (length << 3) >>> 0);
    this.update(padding);
    const digest = new Uint8Array(32);
    const out = new DataView(digest.buffer);
    for (const [index, word] of this.#state.entries()) out.setInt32(index * 4, word);
    return digest;
  }

  /** `count` more bytes are in the unfinished block; whether that finished it. */
  #fill(count: number): boolean {
    this.#filled += count;
    if (this.#filled < BLOCK) return false;
    takeBlocks(this.#state, this.#rest);
    this.#filled = 0;
    return true;
  }
}

/** Takes whole blocks. Those of zeros among them cost less. */
function takeBlocks(state: Int32Array, bytes: Uint8Array<ArrayBuffer>): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; at += BLOCK) {
    takeRounds(state, schedule(view, at) ? WK : K, 1);
  }
}

/** Fills WK for the block at `at`; false, and nothing is filled, where all of it is zero. */
function schedule(view: DataView, at: number): boolean {
  let any = 0;
  for (let t = 0; t < 16; t++) {
    const word = view.getInt32(at + t * 4);
    any |= word;
    W[t] = word;
    WK[t] = (word + (K[t] as number)) | 0;
  }
  if (any === 0) return false;
  for (let t = 16; t < 64; t++) {
    const x = W[t - 15] as number;
    const y = W[t - 2] as number;
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    const word = ((W[t - 16] as number) + s0 + (W[t - 7] as number) + s1) | 0;
    W[t] = word;
    WK[t] = (word + (K[t] as number)) | 0;
  }
  return true;
}

/**
 * Section 6.2.2, steps 2 to 4, `count` times over the same words (with the constants in them).
 * Eight rounds a turn, so that no variable has to be moved to another; Σ0 and Σ1 are rotations of
 * rotations, which takes fewer steps than three side by side.
 */
function takeRounds(state: Int32Array, words: Int32Array, count: number): void {
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  let e = state[4] as number;
  let f = state[5] as number;
  let g = state[6] as number;
  let h = state[7] as number;
  for (let block = 0; block < count; block++) {
    for (let t = 0; t < 64; t += 8) {
      let x = ((e >>> 14) | (e << 18)) ^ e;
      x = ((x >>> 5) | (x << 27)) ^ e;
      let y = (h + (words[t] as number) + (g ^ (e & (f ^ g))) + ((x >>> 6) | (x << 26))) | 0;
      d = (d + y) | 0;
      x = ((a >>> 9) | (a << 23)) ^ a;
      x = ((x >>> 11) | (x << 21)) ^ a;
      h = (y + ((a & b) ^ (c & (a ^ b))) + ((x >>> 2) | (x << 30))) | 0;
      x = ((d >>> 14) | (d << 18)) ^ d;
      x = ((x >>> 5) | (x << 27)) ^ d;
      y = (g + (words[t + 1] as number) + (f ^ (d & (e ^ f))) + ((x >>> 6) | (x << 26))) | 0;
      c = (c + y) | 0;
      x = ((h >>> 9) | (h << 23)) ^ h;
      x = ((x >>> 11) | (x << 21)) ^ h;
      g = (y + ((h & a) ^ (b & (h ^ a))) + ((x >>> 2) | (x << 30))) | 0;
      x = ((c >>> 14) | (c << 18)) ^ c;
      x = ((x >>> 5) | (x << 27)) ^ c;
      y = (f + (words[t + 2] as number) + (e ^ (c & (d ^ e))) + ((x >>> 6) | (x << 26))) | 0;
      b = (b + y) | 0;
      x = ((g >>> 9) | (g << 23)) ^ g;
      x = ((x >>> 11) | (x << 21)) ^ g;
      f = (y + ((g & h) ^ (a & (g ^ h))) + ((x >>> 2) | (x << 30))) | 0;
      x = ((b >>> 14) | (b << 18)) ^ b;
      x = ((x >>> 5) | (x << 27)) ^ b;
      y = (e + (words[t + 3] as number) + (d ^ (b & (c ^ d))) + ((x >>> 6) | (x << 26))) | 0;
      a = (a + y) | 0;
      x = ((f >>> 9) | (f << 23)) ^ f;
      x = ((x >>> 11) | (x << 21)) ^ f;
      e = (y + ((f & g) ^ (h & (f ^ g))) + ((x >>> 2) | (x << 30))) | 0;
      x = ((a >>> 14) | (a << 18)) ^ a;
      x = ((x >>> 5) | (x << 27)) ^ a;
      y = (d + (words[t + 4] as number) + (c ^ (a & (b ^ c))) + ((x >>> 6) | (x << 26))) | 0;
      h = (h + y) | 0;
      x = ((e >>> 9) | (e << 23)) ^ e;
      x = ((x >>> 11) | (x << 21)) ^ e;
      d = (y + ((e & f) ^ (g & (e ^ f))) + ((x >>> 2) | (x << 30))) | 0;
      x = ((h >>> 14) | (h << 18)) ^ h;
      x = ((x >>> 5) | (x << 27)) ^ h;
      y = (c + (words[t + 5] as number) + (b ^ (h & (a ^ b))) + ((x >>> 6) | (x << 26))) | 0;
      g = (g + y) | 0;
      x = ((d >>> 9) | (d << 23)) ^ d;
      x = ((x >>> 11) | (x << 21)) ^ d;
      c = (y + ((d & e) ^ (f & (d ^ e))) + ((x >>> 2) | (x << 30))) | 0;
      x = ((g >>> 14) | (g << 18)) ^ g;
      x = ((x >>> 5) | (x << 27)) ^ g;
      y = (b + (words[t + 6] as number) + (a ^ (g & (h ^ a))) + ((x >>> 6) | (x << 26))) | 0;
      f = (f + y) | 0;
      x = ((c >>> 9) | (c << 23)) ^ c;
      x = ((x >>> 11) | (x << 21)) ^ c;
      b = (y + ((c & d) ^ (e & (c ^ d))) + ((x >>> 2) | (x << 30))) | 0;
      x = ((f >>> 14) | (f << 18)) ^ f;
      x = ((x >>> 5) | (x << 27)) ^ f;
      y = (a + (words[t + 7] as number) + (h ^ (f & (g ^ h))) + ((x >>> 6) | (x << 26))) | 0;
      e = (e + y) | 0;
      x = ((b >>> 9) | (b << 23)) ^ b;
      x = ((x >>> 11) | (x << 21)) ^ b;
      a = (y + ((b & c) ^ (d & (b ^ c))) + ((x >>> 2) | (x << 30))) | 0;
    }
    a = state[0] = (a + (state[0] as number)) | 0;
    b = state[1] = (b + (state[1] as number)) | 0;
    c = state[2] = (c + (state[2] as number)) | 0;
    d = state[3] = (d + (state[3] as number)) | 0;
    e = state[4] = (e + (state[4] as number)) | 0;
    f = state[5] = (f + (state[5] as number)) | 0;
    g = state[6] = (g + (state[6] as number)) | 0;
    h = state[7] = (h + (state[7] as number)) | 0;
  }
}
