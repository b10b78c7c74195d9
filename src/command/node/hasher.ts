/** Node's own digests: five times as fast as any that are written in JavaScript. */
import { createHash } from 'node:crypto';
import { inZeros, type HasherFactory } from '../../engine/index.ts';

export const nativeHasher: HasherFactory = (name) => {
  const hash = createHash(name);
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    zeros: (count) => {
      inZeros(count, (zeros) => {
        hash.update(zeros);
      });
    },
    digest: () => hash.digest(),
  };
};
