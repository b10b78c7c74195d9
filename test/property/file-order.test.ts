import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkImage,
  convertToQcow2,
  convertToRaw,
  openImage,
  readDisk,
  type Disk,
} from '../../src/engine/index.ts';
import { mapChain } from '../../src/engine/operations/chain.ts';
import { byFile, isScattered, stretchesOf } from '../../src/engine/operations/file-order.ts';
import { Qcow2Image } from '../../src/engine/formats/qcow2/image.ts';
import { anyImage, noise } from '../images/arbitrary.ts';
import {
  buildQcow2,
  guestContent,
  overlayContent,
  type ClusterSpec,
  type ImageSpec,
} from '../images/build-qcow2.ts';
import { encryptQcow2 } from '../images/encrypt-qcow2.ts';
import { memory } from '../images/memory.ts';

const RUNS = { numRuns: 25 };

/** A disk and what its guest reads. */
interface Source {
  disk: Disk;
  model: Uint8Array;
}

async function open(top: ImageSpec, base: ImageSpec | undefined): Promise<Source> {
  if (base === undefined) {
    return { disk: await openImage(await memory(buildQcow2(top).bytes)), model: guestContent(top) };
  }
  const backing = { name: 'base.qcow2', format: 'qcow2' };
  const below = buildQcow2(base).bytes;
  const disk = await openImage(await memory(buildQcow2({ ...top, backing }).bytes), {
    gate: () => memory(below, 'base.qcow2'),
  });
  const model = new Uint8Array(guestContent(top).length);
  model.set(guestContent(base).subarray(0, model.length));
  overlayContent(model, top);
  return { disk, model };
}

async function rawOf(disk: Disk, old: Uint8Array<ArrayBuffer>, sparse: number) {
  const target = await memory(old);
  const overwrite = old.length > 0;
  const report = await convertToRaw(disk, target, { sparse, overwrite, order: 'file' });
  const bytes = new Uint8Array(target.size);
  await target.read(0, bytes);
  return { bytes, report };
}

const anyBase = fc.option(anyImage, { nil: undefined });

describe('reading in the order of the file', () => {
  it('gives a raw file the same bytes', async () => {
    const grain = fc.constantFrom(0, 512, 4096);
    await fc.assert(
      fc.asyncProperty(anyImage, anyBase, grain, fc.boolean(), async (top, base, sparse, over) => {
        const { disk, model } = await open(top, base);
        const old = new Uint8Array(over ? noise(1, model.length) : []);
        const { bytes, report } = await rawOf(disk, old, sparse);
        expect(Buffer.compare(bytes, model)).toBe(0);
        const usual = await convertToRaw(disk, await memory(new Uint8Array()), { order: 'guest' });
        expect(report).toEqual(usual);
      }),
      RUNS,
    );
  });

  it('gives a snapshot the same bytes', async () => {
    await fc.assert(
      fc.asyncProperty(anyImage, async (spec) => {
        const image = await openImage(await memory(buildQcow2(spec).bytes));
        if (!(image instanceof Qcow2Image)) throw new Error('no qcow2');
        for (const [index, snapshot] of (spec.snapshots ?? []).entries()) {
          const of = image.snapshots[index];
          if (of === undefined) throw new Error('a snapshot is missing');
          const { bytes } = await rawOf(await image.openSnapshot(of), new Uint8Array(), 4096);
          expect(Buffer.compare(bytes, guestContent(spec, snapshot.clusters))).toBe(0);
        }
      }),
      { numRuns: 15 },
    );
  });

  it('makes qcow2 images that are sound and read the same', async () => {
    const wish = fc.record({
      clusterSize: fc.constantFrom(512, 4096, 16384, 65536, 262144),
      extendedL2: fc.boolean(),
      version: fc.constantFrom(2 as const, 3 as const),
      sparse: fc.constantFrom(512, 4096, 65536),
      order: fc.constantFrom('file' as const, 'auto' as const),
    });
    const sources = fc.array(fc.tuple(anyImage, anyBase), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(sources, wish, async (specs, { sparse, order, ...image }) => {
        const disks: Disk[] = [];
        const models: Uint8Array[] = [];
        for (const [top, base] of specs) {
          const { disk, model } = await open(top, base);
          disks.push(disk);
          models.push(new Uint8Array(Math.ceil(model.length / 512) * 512));
          models.at(-1)?.set(model);
        }
        const model = Buffer.concat(models);
        const extendedL2 = image.version === 3 && image.extendedL2 && image.clusterSize >= 16384;
        const target = await memory(new Uint8Array());
        await convertToQcow2(disks, target, { image: { ...image, extendedL2 }, sparse, order });
        const made = await openImage(target, { mode: 'check' });
        const report = await checkImage(made, { explain: true });
        expect(report.findings).toEqual([]);
        expect([report.corruptions, report.leaks, report.checkErrors]).toEqual([0, 0, 0]);
        expect(made.size).toBe(model.length);
        expect(Buffer.compare(await readDisk(made, 0, made.size), model)).toBe(0);
        const usual = await memory(new Uint8Array());
        await convertToQcow2(disks, usual, { image: { ...image, extendedL2 }, sparse });
        const { allocatedClusters } = await checkImage(await openImage(usual, { mode: 'check' }));
        expect(report.allocatedClusters).toBe(allocatedClusters);
      }),
      RUNS,
    );
  });

  it('decrypts each cluster by its place', async () => {
    const clusters = new Map<number, ClusterSpec>();
    for (let at = 0; at < 64; at++) {
      clusters.set((at * 37) % 64, { kind: 'data', bytes: noise(at, 4096) });
    }
    const spec = { clusterBits: 12, size: 64 * 4096, clusters };
    const { bytes } = encryptQcow2(buildQcow2(spec), {
      ...{ bits: 128, mode: 'xts', vectors: 'plain64', hash: 'sha256', masterIterations: 100 },
      slots: { 0: { passphrase: 'secret', iterations: 150 } },
    });
    const disk = await openImage(await memory(bytes), {
      unlock: () => Promise.resolve(new TextEncoder().encode('secret')),
    });
    const raw = await rawOf(disk, new Uint8Array(), 4096);
    expect(Buffer.compare(raw.bytes, guestContent(spec))).toBe(0);
    const target = await memory(new Uint8Array());
    await convertToQcow2([disk], target, { order: 'file' });
    const made = await openImage(target);
    expect(Buffer.compare(await readDisk(made, 0, made.size), guestContent(spec))).toBe(0);
  });
});

describe('the order of reads', () => {
  const CLUSTER = 65536;

  async function shuffled(step: number): Promise<Disk> {
    const clusters = new Map<number, ClusterSpec>();
    const bytes = noise(1, CLUSTER);
    for (let at = 0; at < 512; at++) clusters.set((at * step) % 512, { kind: 'data', bytes });
    const spec = { clusterBits: 16, size: 512 * CLUSTER, clusters };
    return openImage(await memory(buildQcow2(spec).bytes));
  }

  async function stretches(disk: Disk): Promise<[kind: string, places: number[]][]> {
    const found: [string, number[]][] = [];
    for await (const stretch of stretchesOf(mapChain(disk), 'auto')) {
      const runs = stretch.kind === 'batch' ? stretch.batch : [...byFile(stretch.store)].flat();
      found.push([stretch.kind, runs.map(({ hostOffset }) => hostOffset)]);
    }
    return found;
  }

  it('is that of the guest for images in order, and that of the file for fragmented ones', async () => {
    const [[kind, places] = ['', []], ...more] = await stretches(await shuffled(211));
    expect(more).toEqual([]);
    expect(kind).toBe('scattered');
    expect(places).toHaveLength(512);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect((await stretches(await shuffled(1))).map(([one]) => one)).toEqual(['batch']);
  });

  it('is left alone where the ways are few or short', async () => {
    const [disk] = [await shuffled(3)];
    for await (const batch of mapChain(disk)) {
      expect(isScattered(batch)).toBe(true);
      expect(isScattered(batch.slice(0, 60))).toBe(false);
    }
  });
});
