/**
 * LUKS keeps a key spread over some thousand stripes, so that it is gone when any of them is
 * overwritten. «LUKS On-Disk Format Specification», version 1, 2.4: AFsplit, AFmerge, H1.
 */
import { bigEndian, digest, digestBytes, type DigestName } from './digests.ts';
import { randomBytes } from './random.ts';

/**
 * Puts a key together again.
 * @param material `stripes` times `keyBytes` bytes
 */
export function mergeStripes(
  material: Uint8Array,
  keyBytes: number,
  stripes: number,
  hash: DigestName,
): Uint8Array<ArrayBuffer> {
  const key = new Uint8Array(keyBytes);
  for (let stripe = 0; stripe < stripes; stripe++) {
    if (stripe > 0) diffuse(key, hash);
    const start = stripe * keyBytes;
    for (let at = 0; at < keyBytes; at++) {
      key[at] = (key[at] as number) ^ (material[start + at] as number);
    }
  }
  return key;
}

/**
 * Spreads a key over stripes: random ones, and a last one that makes the sum right.
 * @returns `stripes` times as many bytes as the key has
 */
export function splitStripes(
  key: Uint8Array,
  stripes: number,
  hash: DigestName,
): Uint8Array<ArrayBuffer> {
  const last = (stripes - 1) * key.length;
  const material = randomBytes(last + key.length);
  const sum = mergeStripes(material, key.length, stripes - 1, hash);
  if (stripes > 1) diffuse(sum, hash);
  for (let at = 0; at < key.length; at++) {
    material[last + at] = (key[at] as number) ^ (sum[at] as number);
  }
  sum.fill(0);
  return material;
}

/** Replaces each piece of a digest's size by the digest of its number and itself. */
function diffuse(bytes: Uint8Array, hash: DigestName): void {
  const size = digestBytes(hash);
  for (let start = 0, index = 0; start < bytes.length; start += size, index++) {
    const piece = bytes.subarray(start, start + size);
    const numbered = new Uint8Array(4 + piece.length);
    numbered.set(bigEndian(index));
    numbered.set(piece, 4);
    piece.set(digest(hash, numbered).subarray(0, piece.length));
  }
}
