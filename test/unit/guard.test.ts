/** Fingerprints of backing images: what they depend on, what they notice, and how they are kept. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FileStorage } from '../../src/command/node/file-storage.ts';
import { nativeHasher } from '../../src/command/node/hasher.ts';
import {
  BlobStorage,
  dropFingerprint,
  editQcow2,
  fingerprintOf,
  guardFactsOf,
  keepFingerprint,
  keptFingerprint,
  MemoryStorage,
  openImage,
  OverlayStorage,
  Qcow2Image,
  type BaseFingerprint,
  type Storage,
} from '../../src/engine/index.ts';
import { buildQcow2, type Clusters, type ImageSpec } from '../images/build-qcow2.ts';
import { noise } from '../images/noise.ts';
import { content, header, pointer, SyntheticStorage, table } from '../images/synthetic.ts';

const folder = mkdtempSync(join(tmpdir(), 'guard-unit-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const CLUSTER = 65536;
const SIZE = 64 * CLUSTER;
const BACKING = { name: 'base.qcow2', format: 'qcow2' };

function clusters(...indexes: number[]): Clusters {
  return new Map(
    indexes.map((index) => [index, { kind: 'data', bytes: noise(index + 1, CLUSTER) }]),
  );
}

const BASE: ImageSpec = { size: SIZE, clusters: clusters(0, 1, 2, 30, 63) };

const built = (spec: ImageSpec, name = 'base.qcow2') =>
  new MemoryStorage({ content: buildQcow2(spec).bytes, name });

async function takenOf(storage: Storage, now = 0): Promise<BaseFingerprint> {
  return fingerprintOf(await openImage(storage), now);
}

async function openOver(base: Storage, spec: Partial<ImageSpec> = {}): Promise<Qcow2Image> {
  const overlay = { size: SIZE, clusters: new Map(), backing: BACKING, ...spec };
  return open(built(overlay, `over ${base.name}`), base);
}

async function open(overlay: Storage, base: Storage | undefined): Promise<Qcow2Image> {
  const disk = await openImage(overlay, { gate: () => Promise.resolve(base) });
  if (!(disk instanceof Qcow2Image)) throw new Error('not qcow2');
  return disk;
}

describe('fingerprint of a base', () => {
  it('is the same however its file is reached, and whenever', async () => {
    const { bytes } = buildQcow2(BASE);
    const path = join(folder, 'base.qcow2');
    writeFileSync(path, bytes);
    const file = await FileStorage.open(path, 'read');
    const blob = new BlobStorage(new File([bytes], 'other name'));
    const taken = await takenOf(new MemoryStorage({ content: bytes }));
    expect(taken).toMatchObject({ taken: 0, fileSize: bytes.length, virtualSize: SIZE });
    expect(taken.samples).toMatch(/^[0-9a-f]{64}$/);
    expect(await takenOf(file)).toEqual(taken);
    expect(await takenOf(blob, 5)).toEqual({ ...taken, taken: 5 });
    await file.close();
  });

  it('does not depend on what no overlay sees: snapshots, bitmaps', async () => {
    const snapshots = [{ id: '1', name: 'one', clusters: clusters(5) }];
    const bitmaps = [{ name: 'b', granularityBits: 16, bits: new Uint8Array(8) }];
    const [plain, more] = [await takenOf(built(BASE)), built({ ...BASE, bitmaps })];
    expect(await takenOf(more)).toMatchObject({ samples: plain.samples });
    const shared = await takenOf(built({ ...BASE, snapshots: [{ id: '1', name: 'one' }] }));
    expect(shared.samples).toBe(plain.samples);
    // A snapshot with content of its own leaves another layout, and the same content.
    const other = await takenOf(built({ ...BASE, snapshots }));
    expect(other.samples).toBe(plain.samples);
  });

  it('sees other tables, another size and content where a file system begins', async () => {
    const then = await takenOf(built(BASE));
    const more = await takenOf(built({ ...BASE, clusters: clusters(0, 1, 2, 30, 31, 63) }));
    expect(more.metadata).not.toBe(then.metadata);
    const grown = await takenOf(built({ ...BASE, size: SIZE + CLUSTER }));
    expect(grown.metadata).not.toBe(then.metadata);
    const inPlace = built(BASE);
    const base = (await openImage(inPlace)) as Qcow2Image;
    const [first] = await base.map(0, CLUSTER);
    await inPlace.write(first!.hostOffset + 1024 + 48, new Uint8Array([1, 2, 3, 4]));
    const now = await takenOf(inPlace);
    expect(now.metadata).toBe(then.metadata);
    expect(now.samples).not.toBe(then.samples);
  });

  it('leaves out content that cannot be had, which then says nothing', async () => {
    const middle = await openOver(built(BASE), { clusters: clusters(7) });
    const alone = await open(middle.storage, undefined);
    const [whole, cut] = [await fingerprintOf(middle, 0), await fingerprintOf(alone, 0)];
    expect(cut.samples).toBe('');
    expect(cut.metadata).toBe(whole.metadata);
    const top = await open(built({ ...BASE, backing: BACKING }, 'top'), undefined);
    top.backing = alone;
    expect(await guardFactsOf(top, whole, {})).toMatchObject({ changes: [] });
  });

  it('reads little of a large file', async () => {
    // 8 TiB, all of its L1 entries point to one table of 8192 clusters.
    const size = 2 ** 43;
    const l1Size = size / (8192 * CLUSTER);
    const front = header({
      ...{ clusterBits: 16, size, l1Size, l1Offset: CLUSTER },
      ...{ refcountOffset: 4 * CLUSTER, refcountClusters: 1 },
    });
    const l2 = new Uint8Array(CLUSTER);
    table((index) => pointer((index + 8) * CLUSTER))(0, new DataView(l2.buffer));
    const storage = new SyntheticStorage(2 ** 34, [
      [0, CLUSTER, content(front)],
      [CLUSTER, l1Size * 8, table(() => pointer(5 * CLUSTER))],
      [5 * CLUSTER, CLUSTER, content(l2)],
    ]);
    const taken = await fingerprintOf(await openImage(storage), 0, { hasher: nativeHasher });
    expect(taken.samples).not.toBe('');
    expect(storage.bytesRead).toBeLessThan(200 * 2 ** 20);
    const disk = await openImage(storage);
    const options = { signal: AbortSignal.abort() };
    await expect(fingerprintOf(disk, 0, options)).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('what is remembered', () => {
  it('nothing, or no base: nothing to say', async () => {
    expect(await guardFactsOf(await openOver(built(BASE)), undefined, {})).toBeUndefined();
    const then = await takenOf(built(BASE));
    const alone = await open(
      built({ size: SIZE, clusters: new Map(), backing: BACKING }),
      undefined,
    );
    expect(await guardFactsOf(alone, then, {})).toBeUndefined();
  });

  it('by the app', async () => {
    const then = await takenOf(built(BASE), 77);
    const same = await guardFactsOf(await openOver(built(BASE)), then, {});
    expect(same).toEqual({ since: 77, source: 'app', changes: [], otherBase: false });
    const grown = built({ ...BASE, size: 2 * SIZE });
    const { changes } = (await guardFactsOf(await openOver(grown), then, {}))!;
    expect(changes).toEqual(expect.arrayContaining(['virtual-size', 'metadata', 'content']));
  });

  it('in the header, of which the later one counts; it goes when it is dropped', async () => {
    const base = built(BASE);
    const image = await openOver(base, { clusters: clusters(3) });
    const storage = new OverlayStorage(image.storage);
    const then = await takenOf(base, 100);
    const writer = await editQcow2(await open(storage, base));
    keepFingerprint(writer, { ...then, taken: 50, samples: '' });
    keepFingerprint(writer, then);
    await writer.flush();
    const kept = await open(storage, base);
    expect(keptFingerprint(kept.header)).toEqual({ ...then, backingName: 'base.qcow2' });
    expect(await guardFactsOf(kept, undefined, {})).toMatchObject({
      ...{ since: 100, source: 'header', changes: [] },
    });
    const later = { ...then, taken: 200, virtualSize: 1 };
    expect(await guardFactsOf(kept, later, {})).toMatchObject({
      ...{ source: 'app', changes: ['virtual-size'] },
    });
    const renaming = await editQcow2(kept);
    renaming.header.backingName = 'else.qcow2';
    await renaming.flush();
    const renamed = await open(storage, base);
    expect(await guardFactsOf(renamed, undefined, {})).toMatchObject({ otherBase: true });
    const dropping = await editQcow2(renamed);
    expect([dropFingerprint(dropping), dropFingerprint(dropping)]).toEqual([true, false]);
    await dropping.flush();
    expect(keptFingerprint((await open(storage, base)).header)).toBeUndefined();
  });

  it('is refused by a header without room, which stays as it is', async () => {
    const base = built(BASE);
    const name = `${'x'.repeat(200)}.qcow2`;
    const spec = { clusterBits: 9, backing: { name, format: 'qcow2' }, size: 512 * 8 };
    const image = await openOver(base, { ...spec, clusters: new Map() });
    const writer = await editQcow2(image);
    const before = writer.header.unknownExtensions;
    const then = await takenOf(base);
    const keep = () => {
      keepFingerprint(writer, then);
    };
    expect(keep).toThrow(expect.objectContaining({ code: 'header-full' }));
    expect(writer.header.unknownExtensions).toBe(before);
  });
});
