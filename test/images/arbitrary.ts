/** Random images for property tests: small ones that have everything. */
import fc from 'fast-check';
import type { BitmapSpec, ClusterSpec, ImageSpec, SnapshotSpec } from './build-qcow2.ts';
import { noise } from './noise.ts';
import { packable } from './zstd.ts';

export { noise };

type Pick = readonly [index: number, kind: number, seed: number];

/** What a cluster can be depends on the image. */
interface Kind {
  version: 2 | 3;
  clusterSize: number;
  extendedL2: boolean;
  compression: 'zlib' | 'zstd';
}

function clusterOf(kind: number, seed: number, image: Kind): ClusterSpec {
  const { clusterSize } = image;
  // Version 2 has no zero clusters.
  const allowed = image.version === 2 && kind > 2 ? 0 : kind;
  if (allowed === 1) {
    const isZstd = image.compression === 'zstd';
    return { kind: 'compressed', bytes: isZstd ? packable(seed, clusterSize) : noise(seed, clusterSize, 7) };
  }
  if (allowed === 2) return { kind: 'data', bytes: new Uint8Array(clusterSize) };
  if (allowed === 3) return { kind: 'zero' };
  if (allowed === 4) return { kind: 'zero-kept' };
  if (allowed >= 5 && image.extendedL2) {
    // Two bits each, with runs of several alike.
    const allocated = (seed * 0x9e3779b1) & (seed * 0x85ebca6b);
    const zeros = seed * 0xc2b2ae35 & ~allocated;
    return { kind: 'subclusters', allocated, zeros, bytes: noise(seed, clusterSize) };
  }
  return { kind: 'data', bytes: noise(seed, clusterSize) };
}

function clustersOf(picks: readonly Pick[], size: number, image: Kind): Map<number, ClusterSpec> {
  const clusters = new Map<number, ClusterSpec>();
  const most = Math.ceil(size / image.clusterSize);
  for (const [index, kind, seed] of picks) {
    clusters.set(index % most, clusterOf(kind, seed, image));
  }
  return clusters;
}

/** fast-check likes short arrays; most images shall have many clusters. */
const anyPicks = (maxLength: number, most = 64) =>
  fc.uniqueArray(fc.tuple(fc.nat(most - 1), fc.nat(6), fc.nat(1000)), {
    maxLength,
    size: 'max',
    selector: ([index]) => index,
  });

const anySnapshot = fc.record({
  name: fc.string({ maxLength: 12 }),
  extra: fc.constantFrom(16, 24),
  vmStateSize: fc.nat(1000),
  picks: fc.option(anyPicks(8), { nil: undefined }),
});

const anyBitmap = fc.record({
  granularityBits: fc.integer({ min: 9, max: 17 }),
  inUse: fc.boolean(),
  seed: fc.nat(1000),
});

/** Images of up to 64 small guest clusters or a few large ones, in any host order, of any width and odd size. */
export const anyImage: fc.Arbitrary<ImageSpec> = imagesOf({
  versions: [2, 3],
  clusterBits: [9, 10, 12, 14, 16],
  refcountBits: [1, 2, 4, 8, 16, 32, 64],
});

/** The same with a choice of properties. */
export function imagesOf(choice: {
  versions: readonly (2 | 3)[];
  clusterBits: readonly number[];
  refcountBits: readonly number[];
  /** Guest clusters at most, where they are small. */
  clusters?: number;
}): fc.Arbitrary<ImageSpec> {
  const { clusters: limit = 64 } = choice;
  return fc
  .record({
    version: fc.constantFrom(...choice.versions),
    clusterBits: fc.constantFrom(...choice.clusterBits),
    refcountBits: fc.constantFrom(...choice.refcountBits),
    extendedL2: fc.boolean(),
    compression: fc.constantFrom('zlib' as const, 'zstd' as const),
    most: fc.integer({ min: 1, max: limit }),
    /** The disk ends this many sectors before the end of its last cluster. */
    cut: fc.nat(127),
    oddBytes: fc.constantFrom(0, 0, 1, 511),
    cutTail: fc.boolean(),
    picks: anyPicks((limit * 5) / 8, limit),
    snapshots: fc.array(anySnapshot, { maxLength: 2 }),
    bitmaps: fc.array(anyBitmap, { maxLength: 2 }),
  })
  .map(({ most, cut, oddBytes, picks, snapshots, bitmaps, cutTail, clusterBits, ...rest }) => {
    const clusterSize = 2 ** clusterBits;
    const clusters = Math.min(most, Math.ceil((limit * 4096) / clusterSize) + 2);
    const size = clusters * clusterSize - (cut % (clusterSize / 512)) * 512 + oddBytes;
    const modern = rest.version === 3;
    const image: Kind = {
      version: rest.version,
      clusterSize,
      extendedL2: modern && rest.extendedL2 && clusterBits >= 14,
      compression: modern ? rest.compression : 'zlib',
    };
    const refcountBits = modern ? rest.refcountBits : 16;
    return {
      ...image,
      clusterBits,
      refcountBits,
      size,
      cutTail,
      clusters: clustersOf(picks, size, image),
      snapshots: snapshots.map((one, at) => snapshotOf(one, at, size, image, refcountBits)),
      bitmaps: modern ? bitmaps.map((one, at) => bitmapOf(one, at, size)) : [],
    };
  });
}

function snapshotOf(
  { picks, ...rest }: { name: string; extra: number; vmStateSize: number; picks: Pick[] | undefined },
  index: number,
  size: number,
  image: Kind,
  refcountBits: number,
): SnapshotSpec {
  const id = String(index + 1);
  // Sharing takes counts of more than a few users.
  if (picks === undefined && refcountBits >= 8) return { id, ...rest };
  return { id, ...rest, clusters: clustersOf(picks ?? [], size, image) };
}

function bitmapOf(
  { seed, ...rest }: { granularityBits: number; inUse: boolean; seed: number },
  index: number,
  size: number,
): BitmapSpec {
  const granules = Math.ceil(size / 2 ** rest.granularityBits);
  const bits = noise(seed, Math.ceil(granules / 8), seed % 3 === 0 ? 1 : 256);
  return { name: `bitmap ${index}`, ...rest, bits };
}
