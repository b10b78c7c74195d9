/** The images of a chain: what each decides, also where one is missing or damaged. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  diagnose,
  ImageError,
  layersOf,
  MemoryStorage,
  openImage,
  type Storage,
} from '../../src/engine/index.ts';
import { imagesOf } from '../images/arbitrary.ts';
import { buildQcow2, type ClusterSpec, type ImageSpec } from '../images/build-qcow2.ts';
import { content, header, pointer, SyntheticStorage, table } from '../images/synthetic.ts';

const CLUSTER = 65536;
const data: ClusterSpec = { kind: 'data', bytes: new Uint8Array(CLUSTER).fill(1) };

function stored(name: string, spec: Partial<ImageSpec>, damage?: number): MemoryStorage {
  const { bytes, l2Offsets } = buildQcow2({ size: 16 * CLUSTER, clusters: new Map(), ...spec });
  // An entry that is not aligned.
  if (damage !== undefined) bytes[l2Offsets.get(0)! + damage * 8 + 6] = 2;
  return new MemoryStorage({ content: bytes, name });
}

const below = (name: string, format = 'qcow2') => ({ backing: { name, format } });

function open(files: Storage[]) {
  const [top] = files as [Storage];
  const gate = ({ name }: { name: string }) =>
    Promise.resolve(files.find((file) => file.name === name));
  return openImage(top, { gate });
}

describe('layers', () => {
  it('know what each decides, and how each is named', async () => {
    const top = new Map<number, ClusterSpec>([
      [0, data],
      [1, { kind: 'zero' }],
    ]);
    const middle = new Map<number, ClusterSpec>([0, 2, 3].map((index) => [index, data]));
    const files = [
      stored('top', { clusters: top, ...below('middle', '') }),
      stored('middle', { clusters: middle, version: 2, ...below('bottom', 'raw') }),
      new MemoryStorage({ content: new Uint8Array(8 * CLUSTER), name: 'bottom' }),
    ];
    const layers = await layersOf(await open(files), {});
    expect(layers).toMatchObject([
      { name: 'top', serves: 2 * CLUSTER, writtenName: '', clusterSize: CLUSTER },
      { name: 'middle', serves: 2 * CLUSTER, writtenName: 'middle', writtenFormat: '' },
      // Behind its end, nobody decides.
      { name: 'bottom', serves: 4 * CLUSTER, format: 'raw', writtenFormat: 'raw', clusterSize: 0 },
    ]);
    expect(layers.every(({ mapped, missing }) => mapped && !missing)).toBe(true);
  });

  it('know what depends on one that is missing', async () => {
    const clusters = new Map([[3, data]]);
    const layers = await layersOf(await open([stored('top', { clusters, ...below('gone') })]), {});
    expect(layers).toMatchObject([
      { serves: CLUSTER, missing: false, mapped: true },
      { name: 'gone', serves: 15 * CLUSTER, missing: true, format: '', writtenName: 'gone' },
    ]);
  });

  it('say where the tables of a base are wrong', async () => {
    const clusters = new Map([0, 1, 2].map((index) => [index, data]));
    const files = [stored('top', below('base')), stored('base', { clusters }, 1)];
    const layers = await layersOf(await open(files), {});
    expect(layers[1]).toMatchObject({ damaged: CLUSTER, serves: 3 * CLUSTER, mapped: true });
  });

  it('end where tables cannot be read, with what is known', async () => {
    const storage = stored('top', { clusters: new Map([[0, data]]) });
    const disk = await openImage(storage);
    storage.read = () => Promise.reject(new ImageError('file-gone', { name: 'top' }));
    const layers = await layersOf(disk, {});
    expect(layers).toMatchObject([{ mapped: false, serves: 0 }]);
  });
});

/** Every second cluster has content, each in a place of its own. */
function large(size: number, isHostile = false): SyntheticStorage {
  const l1Size = size / (8192 * CLUSTER);
  const l2At = 64 * CLUSTER;
  const dataAt = l2At + l1Size * CLUSTER;
  const parts = [
    [0, CLUSTER, content(header({ ...AT, size, l1Size }))],
    [AT.l1Offset, l1Size * 8, table((index) => pointer(l2At + (isHostile ? 0 : index * CLUSTER)))],
    [
      ...([l2At, l1Size * CLUSTER] as const),
      table((index) => pointer(dataAt + ((index * 7919) % 100_003) * CLUSTER)),
    ],
  ] as const;
  return new SyntheticStorage(dataAt + size, parts);
}
const AT = {
  clusterBits: 16,
  l1Offset: CLUSTER,
  refcountOffset: 32 * CLUSTER,
  refcountClusters: 1,
};

const someImages = imagesOf({
  versions: [2, 3],
  clusterBits: [9, 12],
  refcountBits: [16],
  clusters: 64,
});

describe('a lone image', () => {
  it('decides what following it would find, without following it', async () => {
    await fc.assert(
      fc.asyncProperty(someImages, async (spec) => {
        const { bytes } = buildQcow2(spec);
        const storage = new MemoryStorage({ content: bytes, name: 'lone' });
        const [checked, readable] = [
          await openImage(storage, { mode: 'check' }),
          await openImage(storage),
        ];
        const { facts } = await diagnose({ checked, readable }, { now: 0 });
        expect(facts.chain).toEqual(await layersOf(readable, {}));
      }),
      { numRuns: 40 },
    );
  });
});

describe('layers of large images', () => {
  it('read the tables of 1.6 million scattered clusters once, and nothing else', async () => {
    const storage = large(200 * 8192 * CLUSTER);
    const disk = await openImage(storage);
    const before = storage.bytesRead;
    const [layer] = await layersOf(disk, {});
    expect(layer).toMatchObject({ serves: disk.size, mapped: true });
    expect(storage.bytesRead - before).toBe(200 * CLUSTER);
  });

  it('can be stopped', async () => {
    const disk = await openImage(large(2 ** 43, true));
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 60);
    const before = performance.now();
    const looking = layersOf(disk, { signal: controller.signal });
    await expect(looking).rejects.toMatchObject({ code: 'cancelled' });
    expect(performance.now() - before).toBeLessThan(3_000);
  });
});
