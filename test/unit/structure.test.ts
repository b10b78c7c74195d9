/** The structures of files, against images whose builders know where everything is. */
import { describe, expect, it } from 'vitest';
import { zhStructures } from '../../src/app/text/zh-CN-structures.ts';
import {
  createQcow,
  createQed,
  ImageError,
  MemoryStorage,
  openImage,
  StructureTree,
  type OpenMode,
} from '../../src/engine/index.ts';
import type { StructureNode } from '../../src/engine/operations/structure.ts';
import { buildBochs, buildCloop, buildDmg, usualTables } from '../images/build-dmg.ts';
import { buildParallels } from '../images/build-parallels.ts';
import {
  buildQcow2,
  setRefcount,
  type ClusterSpec,
  type ImageSpec,
} from '../images/build-qcow2.ts';
import { buildVdi } from '../images/build-vdi.ts';
import { buildVhd } from '../images/build-vhd.ts';
import { buildVhdx } from '../images/build-vhdx.ts';
import { buildCowd, buildHosted, buildStream, vmdkDescriptor } from '../images/build-vmdk.ts';
import { luksHeader, makeMasterKey, type LuksFormat } from '../images/luks-format.ts';
import { memory } from '../images/memory.ts';
import { noise } from '../images/noise.ts';
import { walkStructures } from '../images/walk-structures.ts';
import { randomFor, wound } from '../images/wounds.ts';

const CLUSTER = 4096;

const data = (seed: number, alphabet = 256): ClusterSpec => ({
  kind: 'data',
  bytes: noise(seed, CLUSTER, alphabet),
});

const SPEC: ImageSpec = {
  ...{ version: 3, clusterBits: 12, refcountBits: 16, size: 4 * 1024 * 1024 },
  clusters: new Map<number, ClusterSpec>([
    [0, data(1)],
    [2, { kind: 'compressed', bytes: noise(2, CLUSTER, 3) }],
    [3, { kind: 'zero' }],
    [4, { kind: 'zero-kept' }],
    [700, data(3)],
  ]),
  snapshots: [
    { id: '1', name: 'first', extra: 24 },
    { id: '2', name: 'zweiter 快照', extra: 16, clusters: new Map([[5, data(9)]]) },
  ],
  bitmaps: [{ name: 'marks', granularityBits: 16, bits: new Uint8Array(8).fill(0x55) }],
  backing: { name: 'base.raw', format: 'raw' },
};

async function treeOf(bytes: Uint8Array, mode: OpenMode = 'read'): Promise<StructureTree> {
  return new StructureTree(await openImage(await memory(bytes), { mode }));
}

async function node(tree: StructureTree, id: string): Promise<StructureNode> {
  const found = (await tree.pathTo(id)).at(-1);
  if (found === undefined) throw new Error(`no node ${id}`);
  return found;
}

const valueOf = async (tree: StructureTree, id: string) => (await node(tree, id)).value?.text;
const keyOf = async (tree: StructureTree, id: string) => (await node(tree, id)).key;

describe('a qcow2 image', () => {
  const image = buildQcow2(SPEC);

  it('has its structures where the builder put them', async () => {
    const tree = await treeOf(image.bytes);
    const places: [string, number][] = [
      ['header', 0],
      ['extensions', image.extensionsOffset],
      ['l1', image.l1Offset],
      ['l1/0/l2', image.l2Offsets.get(0) ?? -1],
      ['l1/1/l2', image.l2Offsets.get(1) ?? -1],
      ['l1/1/l2/188', (image.l2Offsets.get(1) ?? -1) + 188 * 8],
      ['refcounts', image.refcountTableOffset],
      ['refcounts/0/block', image.refcountBlockOffset],
      ['refcounts/0/block/5', image.refcountBlockOffset + 10],
      ['snapshots', image.snapshotsOffset],
      ['snapshots/0/l1', image.snapshotL1Offsets[0] ?? -1],
      ['snapshots/1/l1', image.snapshotL1Offsets[1] ?? -1],
      ['bitmaps', image.bitmapsOffset],
      ['bitmaps/0/table', image.bitmapTableOffsets[0] ?? -1],
    ];
    for (const [id, offset] of places) expect((await node(tree, id)).offset, id).toBe(offset);
    const all = await walkStructures(await openImage(await memory(image.bytes)), { most: 20_000 });
    expect(all.filter(({ doubtful }) => doubtful).map(({ id }) => id)).toEqual([]);
  });

  it('says what each entry is', async () => {
    const tree = await treeOf(image.bytes);
    const kinds = await Promise.all(
      ['0', '1', '2', '3', '4'].map((entry) => keyOf(tree, `l1/0/l2/${entry}`)),
    );
    const names = ['standard', 'unallocated', 'compressed', 'zero', 'zero_held'];
    expect(kinds).toEqual(names.map((name) => `qcow2.l2.${name}`));
    expect(await valueOf(tree, 'backing')).toBe('base.raw');
    expect(await valueOf(tree, 'snapshots/1')).toBe('zweiter 快照');
    expect(await valueOf(tree, 'snapshots/1/id')).toBe('2');
    expect(await valueOf(tree, 'bitmaps/0/name')).toBe('marks');
    expect(await valueOf(tree, 'header/cluster_bits')).toBe('12');
    expect((await node(tree, 'header/cluster_bits')).value?.means).toBe('4 KiB');
    expect((await node(tree, 'l1/1/guest_offset')).value?.target).toEqual({
      space: 'guest',
      offset: 512 * CLUSTER,
    });
    const { value } = await node(tree, 'l1/0/l2/0');
    const at = value?.target?.offset ?? 0;
    const found = Buffer.from(image.bytes.subarray(at, at + CLUSTER));
    expect(found.equals(noise(1, CLUSTER))).toBe(true);
  });

  it('leads from every address to what is there', async () => {
    const tree = await treeOf(image.bytes);
    const where = async (offset: number) => (await tree.pathAt(offset)).at(-1)?.id;
    expect(await where(25)).toBe('header/size');
    expect(await where(image.l1Offset + 9)).toBe('l1/1');
    expect(await where((image.l2Offsets.get(1) ?? 0) + 188 * 8 + 7)).toBe('l1/1/l2/188');
    expect(await where(image.refcountBlockOffset + 11)).toBe('refcounts/0/block/5');
    expect(await where(image.snapshotL1Offsets[1] ?? 0)).toBe('snapshots/1/l1/0');
    expect(await where(image.bitmapTableOffsets[0] ?? 0)).toBe('bitmaps/0/table/0');
    for (const id of ['l1/0/l2/0', 'l1/1/l2/188', 'l1/0/l2/2', 'bitmaps/0/table/0']) {
      const target = (await node(tree, id)).value?.target?.offset ?? 0;
      expect(await where(target), id).toBe(id);
    }
    expect(await tree.pathAt(image.bytes.length + 5)).toEqual([]);
  });

  it.each([1, 2, 4, 8, 16, 32, 64])('counts in %d bits', async (refcountBits) => {
    const built = buildQcow2({ ...SPEC, refcountBits });
    const block = built.bytes.subarray(
      built.refcountBlockOffset,
      built.refcountBlockOffset + CLUSTER,
    );
    // Of clusters that nobody has, so that nothing refuses the image.
    setRefcount(block, refcountBits, 501, 1);
    const tree = await treeOf(built.bytes, 'check');
    expect(await valueOf(tree, 'refcounts/0/block/0')).toBe('1');
    expect(await valueOf(tree, 'refcounts/0/block/501')).toBe('1');
    expect(await valueOf(tree, 'refcounts/0/block/500')).toBe('0');
    const counts = await node(tree, 'refcounts/0/block');
    expect(counts.children).toBe((CLUSTER * 8) / refcountBits);
  });

  it('gives 64-bit numbers exactly', async () => {
    const built = buildQcow2({ ...SPEC, refcountBits: 64 });
    const view = new DataView(built.bytes.buffer);
    view.setBigUint64(built.refcountBlockOffset + 8 * 400, 0xfedcba9876543211n);
    const tree = await treeOf(built.bytes, 'check');
    expect(await valueOf(tree, 'refcounts/0/block/400')).toBe('18364758544493064721');
  });

  it('explains subclusters', async () => {
    const bytes = noise(4, 16384);
    const clusters = new Map<number, ClusterSpec>([
      [1, { kind: 'subclusters', allocated: 0x0000010f, zeros: 0x00f00000, bytes }],
    ]);
    const built = buildQcow2({ clusterBits: 14, extendedL2: true, size: 2 ** 20, clusters });
    const tree = await treeOf(built.bytes);
    expect(await keyOf(tree, 'l1/0/l2/1')).toBe('qcow2.l2.subclusters');
    expect((await node(tree, 'l1/0/l2/1/allocated')).value?.means).toBe('0-3, 8');
    expect((await node(tree, 'l1/0/l2/1/zeros')).value?.means).toBe('20-23');
    const { offset, length } = await node(tree, 'l1/0/l2/1');
    expect([offset, length]).toEqual([(built.l2Offsets.get(0) ?? 0) + 16, 16]);
  });

  it('marks what makes no sense, in an image that only a check opens', async () => {
    const bytes = image.bytes.slice();
    const view = new DataView(bytes.buffer);
    const l2 = image.l2Offsets.get(0) ?? 0;
    view.setBigUint64(l2 + 8, 0x8000000000001200n);
    view.setBigUint64(l2 + 16 * 8, 0x8000ff0000000000n);
    view.setBigUint64(l2 + 17 * 8, 0x0000000000000100n);
    // A snapshot table of which nobody knows where it ends.
    view.setUint32(60, 70_000);
    const tree = await treeOf(bytes, 'check');
    const isDoubtful = async (id: string) => (await node(tree, id)).doubtful;
    for (const id of [
      'l1/0/l2/1',
      'l1/0/l2/16',
      'l1/0/l2/17',
      'header/snapshot_count',
      'snapshots',
    ]) {
      expect(await isDoubtful(id), id).toBe(true);
    }
    expect(await isDoubtful('l1/0/l2/0')).toBe(false);
    expect((await node(tree, 'l1/0/l2/17')).value?.bits).toContain('reserved');
    // Those that are there can be looked at all the same.
    expect(await valueOf(tree, 'snapshots/1')).toBe('zweiter 快照');
  });

  it('shows nothing that the file cannot hold', async () => {
    const bytes = image.bytes.slice();
    new DataView(bytes.buffer).setUint32(36, 4_000_000);
    const tree = await treeOf(bytes, 'check');
    const l1 = await node(tree, 'l1');
    expect(l1.children).toBe((bytes.length - image.l1Offset) / 8);
    expect(l1.doubtful).toBe(true);
    expect(await tree.children('l1', l1.children - 1, 500)).toHaveLength(1);
    expect(await tree.children('l1', 0, 100_000)).toHaveLength(500);
  });

  it.each(['no', 'l1/x', 'l1/-1', 'l1/99999999', 'l1/0/l2/0/1', '/', 'l1//', 'header/__proto__'])(
    'has no node %s',
    async (id) => {
      const tree = await treeOf(image.bytes);
      expect(await tree.pathTo(id)).toEqual([]);
      expect(await tree.children(id, 0, 10)).toEqual([]);
    },
  );

  it('does no harm, however it is damaged', async () => {
    for (let seed = 0; seed < 300; seed++) {
      const random = randomFor(seed * 31 + 7);
      let damaged = image;
      for (let times = 1 + random(3); times > 0; times--) damaged = wound(damaged, random);
      const storage = await memory(damaged.bytes);
      for (const mode of ['read', 'check', 'info'] as const) {
        const disk = await openImage(storage, { mode }).catch(() => undefined);
        if (disk === undefined) continue;
        const started = process.cpuUsage();
        try {
          await walkStructures(disk, { front: 6, most: 120 });
          const tree = new StructureTree(disk);
          for (let i = 0; i < 3; i++) await tree.pathAt(random(storage.size + 100));
        } catch (error) {
          if (!(error instanceof ImageError)) throw new Error(`seed ${seed}`, { cause: error });
          expect(error.code).not.toBe('internal');
        }
        expect(process.cpuUsage(started).user / 1000, `seed ${seed}`).toBeLessThan(5000);
        break;
      }
    }
  }, 120_000);
});

const LUKS: LuksFormat = {
  ...{ bits: 256, mode: 'xts', vectors: 'plain64', hash: 'sha256', masterIterations: 1000 },
  slots: { 1: { passphrase: 'secret', iterations: 1000 } },
};

async function made(
  create: (files: { main: MemoryStorage; beside: () => never }) => Promise<{
    write: (offset: number, bytes: Uint8Array<ArrayBuffer>) => Promise<void>;
    flush: () => Promise<void>;
  }>,
): Promise<Uint8Array> {
  const main = new MemoryStorage();
  const beside = () => {
    throw new Error('no other file');
  };
  const writer = await create({ main, beside });
  await writer.write(65536, new Uint8Array(65536).fill(7));
  await writer.flush();
  const bytes = new Uint8Array(main.size);
  await main.read(0, bytes);
  return bytes;
}

const block = (length: number) => new Uint8Array(length).fill(5);
const MIB = 1024 * 1024;

/** With its descriptor between header and directory. */
function cowd(): Uint8Array {
  const bytes = buildCowd({ sectors: 4096, grain: 8, grains: new Map([[1, block(4096)]]) });
  bytes.set(new TextEncoder().encode(vmdkDescriptor('vmfsSparse', [])), 512);
  return bytes;
}

/** An image of each format, and of each kind that has structures of its own. */
const SAMPLES: [string, () => Uint8Array | Promise<Uint8Array>][] = [
  ['qcow2', () => buildQcow2(SPEC).bytes],
  ['luks', () => Buffer.concat([luksHeader(LUKS, makeMasterKey(LUKS)), block(4096)])],
  ['vdi', () => buildVdi({ size: 3 * MIB, blocks: new Map([[1, block(MIB)]]), zeros: [2] })],
  [
    'vpc',
    () =>
      buildVhd({ size: 4 * MIB, type: 3, blocks: new Map([[1, { bytes: block(2 * MIB) }]]) }).bytes,
  ],
  [
    'vpc',
    () =>
      buildVhd({
        size: 4 * MIB,
        type: 4,
        parentName: 'base.vhd',
        locators: [{ platform: 'W2ru', bytes: block(16) }],
      }).bytes,
  ],
  ['vpc', () => buildVhd({ size: MIB, type: 2, content: block(MIB) }).bytes],
  ['vhdx', () => buildVhdx({ size: 8 * MIB })],
  [
    'vmdk',
    () =>
      buildHosted({
        sectors: 4096,
        grains: new Map([[1, block(65536)]]),
        descriptor: vmdkDescriptor('monolithicSparse', ['RW 4096 SPARSE "image"']),
      }),
  ],
  [
    'vmdk',
    () =>
      buildStream({
        sectors: 4096,
        grains: new Map([[1, block(65536)]]),
        markers: true,
        atEnd: true,
      }),
  ],
  ['vmdk', cowd],
  ['parallels', () => buildParallels({ entries: { 0: 1, 3: 2 } })],
  ['bochs', () => buildBochs({ version: 2, extent: 65536, size: MIB, extents: [[1, [0, 1]]] })],
  ['cloop', () => buildCloop(block(100_000), 16384)],
  ['dmg', () => buildDmg(usualTables())],
  ['qed', () => made((files) => createQed(files, 4 * MIB))],
  ['qcow', () => made((files) => createQcow(files, 4 * MIB))],
];

describe('every format', () => {
  it.each(SAMPLES)(
    '%s: every node is in Chinese, too, and none of a sound image is doubtful',
    async (format, build) => {
      const bytes = new Uint8Array(await build());
      const storage = await memory(bytes, format === 'dmg' ? 'image.dmg' : 'image');
      const disk = await openImage(storage, { looksAtEnd: true, lenient: true });
      expect(disk.format).toBe(format);
      const nodes = await walkStructures(disk, { front: 40, most: 3000 });
      expect(nodes.length).toBeGreaterThan(5);
      const untold = nodes.filter(({ key }) => !Object.hasOwn(zhStructures, key));
      expect(untold.map(({ key }) => key)).toEqual([]);
      expect(nodes.filter(({ doubtful }) => doubtful).map(({ id }) => id)).toEqual([]);
      // What points somewhere is found again from there, unless something else is there, too.
      const tree = new StructureTree(disk);
      const pointers = nodes.filter(
        ({ value, id }) => value?.target?.space === 'file' && /\d$/.test(id),
      );
      for (const { id, value } of pointers.slice(0, 20)) {
        const path = await tree.pathAt(value?.target?.offset ?? 0);
        expect(path.length, id).toBeGreaterThan(0);
      }
    },
  );
});

describe('Chinese', () => {
  it('says something of everything, in whole words', () => {
    const bad = Object.entries(zhStructures).filter(
      ([, text]) => text.trim() !== text || text === '',
    );
    expect(bad).toEqual([]);
    expect(Object.keys(zhStructures).length).toBeGreaterThan(250);
  });
});
