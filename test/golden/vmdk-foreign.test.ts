/** VMDKs that VMware makes and QEMU only reads, and damaged ones: what both programs say of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  buildCowd,
  buildHosted,
  buildSeSparse,
  buildStream,
  vmdkDescriptor,
  type Grains,
} from '../images/build-vmdk.ts';
import { freshNoise } from '../images/noise.ts';
import { available, expectSame, hashOf, ours, qemuImg } from './programs.ts';

const before = process.cwd();
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmdk-foreign-'));
  process.chdir(folder);
});

afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

const grain = (seed: number, sectors: number) => freshNoise(seed, sectors * 512, 16);

function grainsOf(places: readonly number[], sectors: number, zero?: number): Grains {
  const grains = new Map<number, Uint8Array | 'zero'>();
  for (const place of places) grains.set(place, place === zero ? 'zero' : grain(place, sectors));
  return grains;
}

const EMBEDDED = vmdkDescriptor('monolithicSparse', ['RW 3000 SPARSE "x.vmdk"']);
const SMALL = { sectors: 3000, grain: 8, entriesPerTable: 64, descriptor: EMBEDDED, version: 2 };

/** By the name of the file that is opened: it and the files beside it. */
const IMAGES: Readonly<Record<string, () => Record<string, Uint8Array>>> = {
  'grains.vmdk': () => ({
    'grains.vmdk': buildHosted({ ...SMALL, grains: grainsOf([0, 1, 3, 70, 200, 374], 8, 70) }),
  }),
  'stream.vmdk': () => ({
    'stream.vmdk': buildStream({ sectors: 128 * 600 + 64, grains: grainsOf([0, 5, 6, 520], 128) }),
  }),
  // The last grain is packed whole although the disk ends within it.
  'tail.vmdk': () => ({
    'tail.vmdk': buildStream({ sectors: 128 * 2 + 64, grains: grainsOf([1, 2], 128) }),
  }),
  'bare.vmdk': () => ({
    'bare.vmdk': buildStream({
      ...{ sectors: 1280, grains: grainsOf([0, 7], 128), markers: false, atEnd: false },
    }),
  }),
  'vmfs-sparse.vmdk': () => ({
    'vmfs-sparse.vmdk': Buffer.from(
      vmdkDescriptor('vmfsSparse', ['RW 9000 VMFSSPARSE "delta.vmdk"'], { end: '\r\n' }),
    ),
    'delta.vmdk': buildCowd({ sectors: 9000, grains: grainsOf([1, 2, 4095, 4096, 8999], 1) }),
  }),
  'se.vmdk': () => ({
    'se.vmdk': Buffer.from(vmdkDescriptor('seSparse', ['RW 70000 SESPARSE "sesparse.vmdk"'])),
    'sesparse.vmdk': buildSeSparse({
      ...{ sectors: 70_000, grains: grainsOf([0, 1, 6, 4100, 8749], 8, 6) },
    }),
  }),
  'mixed.vmdk': () => ({
    'mixed.vmdk': Buffer.from(
      vmdkDescriptor('twoGbMaxExtentSparse', [
        'RW 63 FLAT "flat.bin" 2',
        'RW 3000 SPARSE "part.vmdk"',
        'RW 100 VMFS "vmfs.bin"',
      ]),
    ),
    'flat.bin': grain(1, 65),
    'part.vmdk': buildHosted({ ...SMALL, grains: grainsOf([0, 10, 374], 8) }),
    'vmfs.bin': grain(2, 100),
  }),
};

function write(files: Record<string, Uint8Array>): void {
  for (const [name, bytes] of Object.entries(files)) writeFileSync(name, bytes);
}

async function expectSameContent(name: string): Promise<void> {
  const [real, own] = await Promise.all([
    qemuImg(['convert', '-m', '1', '-O', 'raw', name, 'real.raw']),
    ours(['convert', '-m', '1', '-O', 'raw', name, 'own.raw']),
  ]);
  expect(own).toEqual(real);
  if (real.exitCode === 0) expect(await hashOf('own.raw')).toBe(await hashOf('real.raw'));
}

describe.skipIf(!available)('what VMware makes', () => {
  it.each(Object.keys(IMAGES))('%s', async (name) => {
    write(IMAGES[name]?.() ?? {});
    for (const command of ['info', 'check']) {
      const { exitCode } = await expectSame([command, name]);
      expect(exitCode).toBe(0);
      await expectSame([command, '--output=json', name]);
    }
    if (name !== 'mixed.vmdk') {
      await expectSame(['map', name]);
      await expectSame(['map', '--output=json', name]);
    }
    await expectSameContent(name);
  });
});

describe.skipIf(!available)('what was written into what VMware makes', () => {
  it('COWD: the real program reads it', async () => {
    write(IMAGES['vmfs-sparse.vmdk']?.() ?? {});
    const content = grain(77, 9000);
    content.fill(0, 4000 * 512, 5000 * 512);
    writeFileSync('content.raw', content);
    const convert = ['convert', '-n', '-f', 'raw', '-O', 'vmdk', 'content.raw', 'vmfs-sparse.vmdk'];
    expect(await ours(convert)).toMatchObject({ exitCode: 0, stderr: '' });
    const compare = ['compare', '-f', 'raw', 'content.raw', 'vmfs-sparse.vmdk'];
    expect(await qemuImg(compare)).toMatchObject({ exitCode: 0 });
    const { exitCode } = await expectSame(['check', 'vmfs-sparse.vmdk']);
    expect(exitCode).toBe(0);
  });
});

type Patch = (bytes: DataView, all: Uint8Array) => void;

/** Whose header or tables say what they should not. */
const DAMAGES: [name: string, image: string, patch: Patch][] = [
  ['version 4', 'grains.vmdk', (view) => view.setUint32(4, 4, true)],
  ['a grain of a TiB', 'grains.vmdk', (view) => view.setBigUint64(20, 2n ** 31n, true)],
  ['a grain that is zero in 32 bits', 'grains.vmdk', (v) => v.setBigUint64(20, 2n ** 32n, true)],
  ['a grain of all ones', 'grains.vmdk', (v) => v.setBigUint64(20, 2n ** 64n - 1n, true)],
  ['no entries', 'grains.vmdk', (view) => view.setUint32(44, 0, true)],
  ['tables too large', 'grains.vmdk', (view) => view.setUint32(44, 513, true)],
  ['a disk too large', 'grains.vmdk', (view) => view.setBigUint64(12, 2n ** 40n, true)],
  ['cut off', 'grains.vmdk', (view) => view.setBigUint64(64, 4000n, true)],
  ['no content id', 'grains.vmdk', (_, all) => all.fill(0, 512, 1024)],
  ['no disk', 'grains.vmdk', (view) => view.setBigUint64(12, 0n, true)],
  ['a footer that is none', 'stream.vmdk', (view) => view.setUint8(view.byteLength - 500, 1)],
  ['no footer marker', 'stream.vmdk', (view) => view.setUint8(view.byteLength - 1536 + 12, 4)],
  ['a stream cut off', 'stream.vmdk', (_, all) => all.fill(0, all.length - 1024)],
  ['seSparse: another magic', 'sesparse.vmdk', (view) => view.setUint8(0, 1)],
  ['seSparse: version', 'sesparse.vmdk', (view) => view.setUint8(8, 2)],
  ['seSparse: grain', 'sesparse.vmdk', (view) => view.setUint8(24, 16)],
  ['seSparse: table', 'sesparse.vmdk', (view) => view.setUint8(32, 16)],
  ['seSparse: flags', 'sesparse.vmdk', (view) => view.setUint8(40, 16)],
  ['seSparse: reserved', 'sesparse.vmdk', (view) => view.setUint8(64, 16)],
  ['seSparse: padding', 'sesparse.vmdk', (view) => view.setUint8(300, 16)],
  ['seSparse: volatile header', 'sesparse.vmdk', (view) => view.setUint8(512, 16)],
  ['seSparse: a journal', 'sesparse.vmdk', (view) => view.setUint8(512 + 24, 1)],
  ['seSparse: volatile padding', 'sesparse.vmdk', (view) => view.setUint8(600, 1)],
  ['seSparse: a table of no kind', 'sesparse.vmdk', (view) => view.setUint8(8 * 512 + 7, 0x20)],
  ['not an extent', 'part.vmdk', (view) => view.setUint8(0, 0x4c)],
];

const OPENED: Readonly<Record<string, string>> = {
  'sesparse.vmdk': 'se.vmdk',
  'part.vmdk': 'mixed.vmdk',
};

describe.skipIf(!available)('damage', () => {
  it.each(DAMAGES)('%s', async (_, file, patch) => {
    const name = OPENED[file] ?? file;
    const files = IMAGES[name]?.() ?? {};
    const bytes = files[file] ?? new Uint8Array();
    patch(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), bytes);
    write(files);
    const { exitCode } = await expectSame(['check', '-f', 'vmdk', name]);
    expect(exitCode).not.toBe(0);
    await expectSame(['info', '-f', 'vmdk', name]);
  });

  it('a grain outside of the file', async () => {
    const bytes = buildHosted({ ...SMALL, grains: grainsOf([0, 1, 3], 8) });
    // All that is behind the first grain is gone.
    writeFileSync('cut.vmdk', bytes.subarray(0, bytes.length - 2 * 8 * 512));
    const { stderr } = await expectSame(['check', 'cut.vmdk']);
    expect(stderr).toContain('points after EOF');
  });

  it('a packed grain that is none', async () => {
    const bytes = buildStream({ sectors: 1280, grains: grainsOf([0, 7], 128) });
    bytes.fill(0xee, 128 * 512 + 100, 128 * 512 + 200);
    writeFileSync('noise.vmdk', bytes);
    await expectSame(['check', 'noise.vmdk']);
    const { exitCode } = await ours(['convert', '-O', 'raw', 'noise.vmdk', 'own.raw']);
    const real = await qemuImg(['convert', '-O', 'raw', 'noise.vmdk', 'real.raw']);
    expect([exitCode, real.exitCode]).toEqual([1, 1]);
  });
});

const DESCRIPTORS: [name: string, text: string][] = [
  ['no type', vmdkDescriptor('x', []).replace('createType', 'createKind')],
  ['a type that is not known', vmdkDescriptor('fullDevice', ['RW 63 FLAT "flat.bin" 2'])],
  ['a custom one', vmdkDescriptor('custom', ['RW 63 FLAT "flat.bin" 2'])],
  ['an old spelling', vmdkDescriptor('2GbMaxExtentFlat', ['RW 63 FLAT "flat.bin" 2'])],
  ['no offset', vmdkDescriptor('monolithicFlat', ['RW 63 FLAT "flat.bin"'])],
  ['a negative offset', vmdkDescriptor('monolithicFlat', ['RW 63 FLAT "flat.bin" -1'])],
  ['an offset too many', vmdkDescriptor('vmfs', ['RW 63 VMFS "flat.bin" 1'])],
  ['no such file', vmdkDescriptor('vmfs', ['RW 63 VMFS "none.bin"'])],
  ['not sparse', vmdkDescriptor('twoGbMaxExtentSparse', ['RW 63 SPARSE "flat.bin"'])],
  ['no id', vmdkDescriptor('vmfs', ['RW 63 VMFS "flat.bin"']).replaceAll('CID', 'ID')],
  ['an open parent', vmdkDescriptor('vmfs', []) + 'RW 63 VMFS "flat.bin"\nparentFileNameHint="a'],
];

describe.skipIf(!available)('descriptors', () => {
  it.each(DESCRIPTORS)('%s', async (_, text) => {
    writeFileSync('flat.bin', grain(1, 65));
    writeFileSync('text.vmdk', text);
    const { exitCode } = await expectSame(['info', '-f', 'vmdk', 'text.vmdk']);
    expect(exitCode).toBe(1);
    await expectSame(['check', 'text.vmdk']);
  });

  it('a name that is not plain ASCII, spaces, tabs and capitals', async () => {
    writeFileSync('größe 1.bin', grain(1, 65));
    const lines = ['RW\t63  FLAT   "größe 1.bin"   2'];
    writeFileSync('text.vmdk', vmdkDescriptor('monolithicFlat', lines, { cid: '0xABC' }));
    const { exitCode } = await expectSame(['info', '--output=json', 'text.vmdk']);
    expect(exitCode).toBe(0);
    await expectSameContent('text.vmdk');
  });
});
