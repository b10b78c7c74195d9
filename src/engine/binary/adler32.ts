/** Adler-32 (RFC 1950, section 8.2): the checksum of zlib streams. */

/** The largest prime below 2^16. */
const BASE = 65521;
/** So many bytes can be added before the sums leave 32 bits and have to be reduced. */
const MOST = 5552;

/** The checksum of all of `bytes`, as an unsigned number. */
export function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + MOST);
    for (; at < end; at++) {
      a += bytes[at] as number;
      b += a;
    }
    a %= BASE;
    b %= BASE;
  }
  return ((b << 16) | a) >>> 0;
}
