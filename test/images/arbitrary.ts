/** Random images for property tests: small ones that have everything. */
import fc from 'fast-check';
import type { ClusterSpec, ImageSpec } from './build-qcow2.ts';

/** Repeatable noise; a share of it is compressible. */
export function noise(seed: number, length: number, alphabet = 256): Uint8Array {
  let state = (seed * 2654435761) >>> 0 || 1;
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = (state >>> 0) % alphabet;
  }
  return bytes;
}

function clusterOf(kind: number, seed: number, clusterSize: number): ClusterSpec {
  if (kind === 0) return { kind: 'data', bytes: noise(seed, clusterSize) };
  if (kind === 1) return { kind: 'compressed', bytes: noise(seed, clusterSize, 7) };
  if (kind === 2) return { kind: 'data', bytes: new Uint8Array(clusterSize) };
  return kind === 3 ? { kind: 'zero' } : { kind: 'zero-kept' };
}

/** Images of up to 64 guest clusters, in any host order, of any width and odd size. */
export const anyImage: fc.Arbitrary<ImageSpec> = fc
  .record({
    version: fc.constantFrom(2 as const, 3 as const),
    clusterBits: fc.constantFrom(9, 10, 12, 16),
    refcountBits: fc.constantFrom(1, 2, 4, 8, 16, 32, 64),
    sectors: fc.integer({ min: 1, max: 300 }),
    oddBytes: fc.constantFrom(0, 0, 1, 511),
    cutTail: fc.boolean(),
    picks: fc.uniqueArray(fc.tuple(fc.nat(63), fc.nat(4), fc.nat(1000)), {
      maxLength: 40,
      selector: ([index]) => index,
    }),
  })
  .map(({ sectors, oddBytes, picks, ...rest }) => {
    const clusterSize = 2 ** rest.clusterBits;
    const size = Math.min(sectors * 512, 64 * clusterSize) + oddBytes;
    const clusters = new Map<number, ClusterSpec>();
    for (const [index, kind, seed] of picks) {
      if (index * clusterSize >= size) continue;
      // Version 2 has no zero clusters; it always counts in 16 bits.
      const allowed = rest.version === 2 && kind > 2 ? 0 : kind;
      clusters.set(index, clusterOf(allowed, seed, clusterSize));
    }
    return { ...rest, refcountBits: rest.version === 2 ? 16 : rest.refcountBits, size, clusters };
  });
