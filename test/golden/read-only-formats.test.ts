/** DMG, cloop and Bochs: what the real program reads of them. It makes none of these. */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  buildBochs,
  buildCloop,
  buildDmg,
  dmgContent,
  lzfseChunk,
  sampleChunk,
  usualTables,
} from '../images/build-dmg.ts';
import { contentOf } from '../images/packed-samples.ts';
import { available, hashOf, ours, qemuImg, type Outcome } from './programs.ts';
import { enterFolder, leaveFolder } from './side-by-side.ts';

const IMAGES = {
  'plain.dmg': () => buildDmg(usualTables()),
  'fork.dmg': () => buildDmg(usualTables(), { form: 'resources' }),
  'odd.dmg': () => buildDmg(usualTables(), { dataOffset: 1000 }),
  'a.cloop': () => buildCloop(contentOf('disk'), 4096),
  'b.cloop': () => buildCloop(contentOf('disk'), 32768),
  'v1.bochs': () =>
    buildBochs({
      version: 1,
      extent: 4096,
      size: 100 * 512,
      extents: [
        [3, [0, 1, 7]],
        [0, [2]],
      ],
    }),
  'v2.bochs': () =>
    buildBochs({
      ...{ version: 2, extent: 4 * 1024 * 1024, size: 9 * 1024 * 1024 + 512 },
      extents: [
        [2, [5, 6, 7, 2000]],
        [0, [0, 8191]],
      ],
    }),
} as const;
const NAMES = Object.keys(IMAGES) as (keyof typeof IMAGES)[];

beforeAll(() => {
  if (!available) return;
  enterFolder('read-only-formats');
  for (const name of NAMES) writeFileSync(name, IMAGES[name]());
});

afterAll(leaveFolder);

/** The real program complains of modules that it was not installed with. */
function withoutModules({ stderr, ...rest }: Outcome): Outcome {
  return { ...rest, stderr: stderr.replace(/^qemu: module .*\n/gm, '') };
}

async function expectSame(args: readonly string[]): Promise<Outcome> {
  const [real, own] = await Promise.all([qemuImg(args), ours(args)]);
  expect(own, args.join(' ')).toEqual(withoutModules(real));
  return own;
}

describe.skipIf(!available)('read', () => {
  it.each(NAMES)('%s', async (name) => {
    const format = name.slice(name.indexOf('.') + 1);
    await expectSame(['info', name]);
    await expectSame(['info', '--output=json', name]);
    await expectSame(['map', name]);
    await expectSame(['map', '--output=json', name]);
    await expectSame(['check', name]);
    const real = await qemuImg(['convert', '-O', 'raw', name, 'real.raw']);
    expect(real.exitCode).toBe(0);
    expect((await ours(['convert', '-O', 'raw', name, 'own.raw'])).exitCode).toBe(0);
    expect(await hashOf('own.raw')).toBe(await hashOf('real.raw'));
    expect((await ours(['compare', '-f', format, name, 'real.raw'])).exitCode).toBe(0);
    if (format === 'dmg') {
      const content = dmgContent(usualTables());
      expect(readFileSync('own.raw').equals(content)).toBe(true);
    }
  });

  it('kinds of chunks that the real program was not built for', async () => {
    const tables = [[sampleChunk('xz'), sampleChunk('bzip2')], [lzfseChunk(contentOf('disk'))]];
    writeFileSync('new.dmg', buildDmg(tables));
    expect((await ours(['convert', '-O', 'raw', 'new.dmg', 'new.raw'])).exitCode).toBe(0);
    expect(readFileSync('new.raw').equals(dmgContent(tables))).toBe(true);
  });
});

function changed(name: keyof typeof IMAGES, change: (bytes: Buffer) => Buffer | undefined): Buffer {
  const bytes = Buffer.from(IMAGES[name]());
  return change(bytes) ?? bytes;
}

const koly = (bytes: Buffer) => bytes.length - 512;

const REFUSED: Record<string, () => Buffer> = {
  'none.dmg': () => changed('plain.dmg', (bytes) => bytes.subarray(0, koly(bytes) - 1000)),
  'short.dmg': () => Buffer.alloc(0),
  'outside.dmg': () => changed('plain.dmg', (b) => (b.writeUInt32BE(9, koly(b) + 216), undefined)),
  'tables.dmg': () => changed('plain.dmg', (b) => (b.fill(0, koly(b) + 216, koly(b) + 232), b)),
  'sector.cloop': () => changed('a.cloop', (b) => (b.writeUInt32BE(513, 128), b)),
  'zero.cloop': () => changed('a.cloop', (b) => (b.writeUInt32BE(0, 128), b)),
  'large.cloop': () => changed('a.cloop', (b) => (b.writeUInt32BE(2 ** 27, 128), b)),
  'many.cloop': () => changed('a.cloop', (b) => (b.writeUInt32BE(2 ** 31, 132), b)),
  'more.cloop': () => changed('a.cloop', (b) => (b.writeUInt32BE(2 ** 27, 132), b)),
  'fall.cloop': () => changed('a.cloop', (b) => (b.writeUInt32BE(1, 148), b)),
  'jump.cloop': () => changed('a.cloop', (b) => (b.writeUInt32BE(1, 144), b)),
  'catalog.bochs': () => changed('v2.bochs', (b) => (b.writeUInt32LE(0x100001, 72), b)),
  'small.bochs': () => changed('v2.bochs', (b) => (b.writeUInt32LE(2, 72), b)),
  'extent.bochs': () => changed('v2.bochs', (b) => (b.writeUInt32LE(256, 80), b)),
  'power.bochs': () => changed('v2.bochs', (b) => (b.writeUInt32LE(1536, 80), b)),
  'wide.bochs': () => changed('v2.bochs', (b) => (b.writeUInt32LE(2 ** 24, 80), b)),
};

describe.skipIf(!available)('refuse', () => {
  it.each(Object.keys(REFUSED))('%s', async (name) => {
    writeFileSync(name, REFUSED[name]!());
    const { exitCode } = await expectSame(['info', '-f', name.slice(name.indexOf('.') + 1), name]);
    expect(exitCode).toBe(1);
  });

  it('content that cannot be unpacked', async () => {
    writeFileSync(
      'bad.cloop',
      changed('a.cloop', (b) => (b.fill(0x55, b.length - 900), b)),
    );
    const real = await qemuImg(['convert', '-O', 'raw', 'bad.cloop', 'real.raw']);
    const own = await ours(['convert', '-O', 'raw', 'bad.cloop', 'own.raw']);
    expect(own.exitCode).toBe(real.exitCode);
    expect(own.exitCode).toBe(1);
  });
});
