/** SHA-1 piece by piece: for lists of digests in old appliances, and nothing new. */
import { sha1 } from '@noble/hashes/legacy.js';
import { inZeros, type Hasher } from './hash.ts';

export function startSha1(): Hasher {
  const hash = sha1.create();
  const update = (bytes: Uint8Array<ArrayBuffer>): void => {
    hash.update(bytes);
  };
  return { update, zeros: (count) => inZeros(count, update), digest: () => hash.digest() };
}
