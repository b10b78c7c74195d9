/**
 * A check counts the references of a window of clusters at a time. For any image, sound or damaged,
 * small windows must find what one large window finds; only the order may differ.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkImage, isImageError, openImage, type Finding } from '../../src/engine/index.ts';
import { imagesOf } from '../images/arbitrary.ts';
import { buildQcow2, type BuiltImage } from '../images/build-qcow2.ts';
import { memory } from '../images/memory.ts';
import { randomFor, wound } from '../images/wounds.ts';

/**
 * Bytes for counting so that a window has the clusters of one refcount block; from what the header
 * says, because damage may have changed the width. The default where it says nothing possible: such
 * a file is not opened.
 */
function smallest(bytes: Uint8Array): number | undefined {
  if (bytes.length < 104) return undefined;
  const header = new DataView(bytes.buffer, bytes.byteOffset, 104);
  const clusterBits = header.getUint32(20);
  // Version 2, which damage can make of 3, has no such field.
  const order = header.getUint32(4) === 2 ? 4 : header.getUint32(96);
  if (clusterBits > 21 || order > 6) return undefined;
  const refcountBits = 2 ** order;
  const blockEntries = (2 ** clusterBits * 8) / refcountBits;
  return blockEntries * (refcountBits <= 8 ? 1 : refcountBits <= 16 ? 2 : 4);
}

async function report(bytes: Uint8Array, countBytes?: number) {
  try {
    const disk = await openImage(await memory(bytes), { mode: 'check' });
    if (disk.format !== 'qcow2') return 'raw';
    const { findings, ...rest } = await checkImage(disk, { countBytes, limit: 1e6 });
    return { ...rest, findings: findings.map(textOf).sort() };
  } catch (error) {
    if (!isImageError(error)) throw error;
    return error.code;
  }
}

function textOf(finding: Finding): string {
  return JSON.stringify(finding);
}

async function expectSame({ bytes }: BuiltImage): Promise<void> {
  expect(await report(bytes, smallest(bytes))).toEqual(await report(bytes));
}

/** Files of more clusters than a refcount block has entries. */
const manyWindows = imagesOf({
  versions: [3],
  clusterBits: [9],
  refcountBits: [32, 64],
  clusters: 400,
});

describe('checking in windows', () => {
  it('finds the same in a sound image', async () => {
    await fc.assert(
      fc.asyncProperty(manyWindows, (spec) => expectSame(buildQcow2(spec))),
      { numRuns: 100 },
    );
  });

  it('finds the same in a damaged image', async () => {
    await fc.assert(
      fc.asyncProperty(manyWindows, fc.nat(), async (spec, seed) => {
        const image = buildQcow2(spec);
        const random = randomFor(seed);
        for (let turn = 0; turn < 5; turn++) await expectSame(wound(image, random));
      }),
      { numRuns: 200 },
    );
  });

  it('really takes several windows', () => {
    const specs = fc.sample(manyWindows, { numRuns: 100, seed: 1 });
    const several = specs.filter((spec) => {
      const clusters = buildQcow2(spec).bytes.length / 2 ** (spec.clusterBits ?? 16);
      return clusters > (2 ** (spec.clusterBits ?? 16) * 8) / (spec.refcountBits ?? 16);
    });
    expect(several.length).toBeGreaterThan(20);
  });
});
