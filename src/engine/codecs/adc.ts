/**
 * Apple Data Compression, as old disk images (UDCO) have it: bytes as they are, and matches near
 * and far. The first byte of each piece says which.
 */
import type { DecompressResult } from './inflate.ts';

/** Unpacks a chunk, which has to fill `target`; what follows is ignored. */
export function unadcCluster(packed: Uint8Array, target: Uint8Array): DecompressResult {
  let from = 0;
  let at = 0;
  while (at < target.length) {
    const [first, second = 0, third = 0] = packed.subarray(from, from + 3);
    if (first === undefined) return 'short';
    const room = target.length - at;
    if (first >= 0x80) {
      const length = (first & 0x7f) + 1;
      const plain = packed.subarray(from + 1, from + 1 + length);
      if (plain.length < length) return 'short';
      if (length > room) return 'corrupt';
      target.set(plain, at);
      at += length;
      from += 1 + length;
      continue;
    }
    const isFar = first >= 0x40;
    const length = isFar ? (first & 0x3f) + 4 : (first >>> 2) + 3;
    const back = (isFar ? second * 256 + third : (first & 3) * 256 + second) + 1;
    from += isFar ? 3 : 2;
    if (from > packed.length) return 'short';
    if (back > at || length > room) return 'corrupt';
    for (const end = at + length; at < end; at++) target[at] = target[at - back] as number;
  }
  return 'ok';
}
