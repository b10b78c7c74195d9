/** VHDs: made, read and changed as the real program does it. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildVhd, fixFooter, type VhdSpec } from '../images/build-vhd.ts';
import { noise } from './make-images.ts';
import { available, hashOf, make, qemuImg } from './programs.ts';
import { writeAtRandom } from './random-writes.ts';
import { both, enterFolder, fork, leaveFolder, writeTo } from './side-by-side.ts';

const MIB = 2 ** 20;
const SECTOR = 512;

beforeAll(async () => {
  if (!available) return;
  enterFolder('vpc');
  // Data and holes that end within blocks, and a size that no geometry has.
  const raw = new Uint8Array(11 * MIB + 1536);
  raw.set(noise(70_000, 1), 0);
  raw.set(noise(MIB, 2), 3 * MIB);
  raw.set(noise(10_000, 4), 8 * MIB - 5000);
  raw.set(noise(1000, 5), raw.length - 1000);
  writeFileSync('src.raw', raw);
  await make('qemu-img', ['create', '-q', '-f', 'vpc', 'plain.vhd', '13M']);
  await writeTo('plain.vhd', ['write -P 1 5M 64k', 'write -P 2 1000k 100k'], 'vpc');
  const exact = ['-o', 'force_size', 'exact.vhd', '7M'];
  await make('qemu-img', ['create', '-q', '-f', 'vpc', ...exact]);
  await writeTo('exact.vhd', ['write -P 3 6M 1M', 'write -P 4 0 512'], 'vpc');
  const fixed = ['-o', 'subformat=fixed,force_size', 'fixed.vhd', '3M'];
  await make('qemu-img', ['create', '-q', '-f', 'vpc', ...fixed]);
  await writeTo('fixed.vhd', ['write -P 3 0 3M'], 'vpc');
  await make('qemu-img', ['create', '-q', '-f', 'vpc', 'empty.vhd', '0']);
});

afterAll(leaveFolder);

/** Makes time, checksum and identity of a footer zeros, where there is one. */
function maskFooter(bytes: Buffer, at: number): void {
  if (at < 0 || bytes.toString('latin1', at, at + 8) !== 'conectix') return;
  bytes.fill(0, at + 24, at + 28);
  bytes.fill(0, at + 64, at + 84);
}

/** The hash of a file without what is made at random. */
function maskedHash(path: string): string {
  const bytes = readFileSync(path);
  maskFooter(bytes, 0);
  maskFooter(bytes, bytes.length - SECTOR);
  return createHash('sha256').update(bytes).digest('hex');
}

/** Both make a file of that name, the same in every byte but for identity and time. */
async function sameFile(args: readonly string[], name: string): Promise<void> {
  await both(args);
  expect(maskedHash(join('own', name)), args.join(' ')).toBe(maskedHash(join('real', name)));
  const own = readFileSync(join('own', name));
  const at = own.length - SECTOR;
  const uuid = (bytes: Buffer) => bytes.toString('hex', bytes.length - SECTOR + 68, at + 84);
  expect(uuid(own)).not.toBe(uuid(readFileSync(join('real', name))));
  // The checksum is that of this footer.
  const again = Buffer.from(own);
  fixFooter(again, at);
  expect(again.equals(own)).toBe(true);
}

describe.skipIf(!available)('create', () => {
  it.each([
    ...['0', '1000', '5M', '500M', '4G', '33820286464', '127G'],
    ...['136899993600', '2040G'],
  ])('%s', async (size) => {
    fork();
    await sameFile(['create', '-f', 'vpc', 'new.vhd', size], 'new.vhd');
    await sameFile(['create', '-f', 'vpc', '-o', 'force_size=on', 'new.vhd', size], 'new.vhd');
  });

  it.each([
    'subformat=fixed',
    'subformat=fixed,force_size',
    'subformat=dynamic,force_size=off,nocow=off,preallocation=full',
    'subformat=fixed,preallocation=falloc',
  ])('-o %s', async (options) => {
    fork();
    for (const size of ['0', '5M']) {
      await sameFile(['create', '-f', 'vpc', '-o', options, 'new.vhd', size], 'new.vhd');
    }
  });

  it.each([
    [['-o', 'force_size=maybe', 'bad.vhd', '1M']],
    [['-o', 'subformat=differencing', 'bad.vhd', '1M']],
    [['-o', 'subformat=', 'bad.vhd', '1M']],
    [['-o', 'block_size=1M', 'bad.vhd', '1M']],
    [['-o', 'preallocation=metadata', 'bad.vhd', '1M']],
    [['bad.vhd', '2190433320961']],
    [['-o', 'force_size', 'bad.vhd', '2041G']],
    [['-b', '../plain.vhd', '-F', 'vpc', 'bad.vhd']],
    [['bad.vhd']],
  ])('refuses %s', async (args) => {
    fork();
    await both(['create', '-f', 'vpc', ...args]);
  });
});

describe.skipIf(!available)('convert', () => {
  it.each([
    [[], 'src.raw'],
    [['-o', 'force_size'], 'src.raw'],
    [['-o', 'subformat=fixed'], 'src.raw'],
    [['-o', 'subformat=fixed,force_size=on'], 'src.raw'],
    [['-S', '0'], 'src.raw'],
    [[], 'plain.vhd'],
    [[], 'exact.vhd'],
  ])('%s %s makes the same file', async (options, source) => {
    fork('src.raw', 'plain.vhd', 'exact.vhd');
    await sameFile(['convert', '-O', 'vpc', ...options, source, 'new.vhd'], 'new.vhd');
    const format = ['-f', source.endsWith('.raw') ? 'raw' : 'vpc', '-F', 'vpc'];
    const compared = await qemuImg(['compare', ...format, source, join('own', 'new.vhd')]);
    expect(compared.stdout, compared.stderr).toMatch(/Images are identical\.\n$/);
  });

  it('refuses to pack', async () => {
    fork('src.raw');
    await both(['convert', '-c', '-O', 'vpc', 'src.raw', 'new.vhd']);
  });

  it.each(['plain.vhd', 'exact.vhd', 'fixed.vhd', 'empty.vhd'])('%s into raw', async (name) => {
    fork(name);
    for (const format of [[], ['-f', 'vpc']]) {
      await both(['convert', ...format, '-O', 'raw', name, 'new.raw']);
      expect(await hashOf(join('own', 'new.raw'))).toBe(await hashOf(join('real', 'new.raw')));
    }
  });

  it.each(['plain.vhd', 'exact.vhd', 'fixed.vhd'])('into %s that is there', async (name) => {
    fork(name);
    const small = new Uint8Array(3 * MIB);
    small.set(noise(MIB, 6), MIB / 2);
    for (const side of ['real', 'own']) writeFileSync(join(side, 'small.raw'), small);
    await both(['convert', '-n', '-f', 'raw', '-O', 'vpc', 'small.raw', name]);
    const files = [join('real', name), join('own', name)];
    const compared = await qemuImg(['compare', '-f', 'vpc', '-F', 'vpc', ...files]);
    expect(compared.stdout, compared.stderr).toBe('Images are identical.\n');
  });
});

describe.skipIf(!available)('writing in place', () => {
  it.each(['plain.vhd', 'exact.vhd', 'fixed.vhd'])('here and there into %s', async (name) => {
    fork(name);
    const { commands, bytes } = await writeAtRandom('vpc', name);
    await writeTo(join('real', name), commands, 'vpc');
    writeFileSync(join('own', name), bytes);
    expect(await hashOf(join('own', name))).toBe(await hashOf(join('real', name)));
  });

  it('commit into it', async () => {
    const options = ['-b', 'plain.vhd', '-F', 'vpc', 'top.qcow2'];
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...options]);
    await writeTo('top.qcow2', ['write -P 7 900k 2M', 'write -P 8 9M 32k']);
    fork('plain.vhd', 'top.qcow2');
    await both(['commit', 'top.qcow2']);
    // The real program writes several pieces at once: which block gets its place first is chance.
    const [own, real] = [join('own', 'plain.vhd'), join('real', 'plain.vhd')];
    expect(statSync(own).size).toBe(statSync(real).size);
    const { stdout } = await qemuImg(['compare', '-f', 'vpc', '-F', 'vpc', own, real]);
    expect(stdout).toBe('Images are identical.\n');
  });

  it('dd into it', async () => {
    fork('src.raw');
    await sameFile(['dd', '-O', 'vpc', 'if=src.raw', 'of=new.vhd', 'bs=1M', 'count=4'], 'new.vhd');
  });

  it('what is not possible', async () => {
    fork('plain.vhd');
    await both(['resize', 'plain.vhd', '+1M']);
    await both(['amend', '-f', 'vpc', '-o', 'size=1M', 'plain.vhd']);
    await both(['check', '-r', 'all', 'plain.vhd']);
    await both(['commit', 'plain.vhd']);
    await both(['snapshot', '-c', 'a', 'plain.vhd']);
  });
});

describe.skipIf(!available)('what is said of an image', () => {
  it.each(['plain.vhd', 'exact.vhd', 'empty.vhd'])('%s', async (name) => {
    fork(name);
    for (const command of ['info', 'check', 'map']) {
      await both([command, name]);
      await both([command, '--output=json', name]);
    }
    await both(['compare', name, name]);
    await both(['compare', '-s', name, name]);
    await both(['measure', '-O', 'raw', name]);
    await both(['measure', '-O', 'qcow2', name]);
    await both(['measure', '-O', 'vpc', '--size', '1G']);
    await both(['snapshot', '-l', name]);
  });

  it('a fixed one is raw unless it is said', async () => {
    fork('fixed.vhd');
    for (const command of ['info', 'check', 'map']) {
      for (const format of [[], ['-f', 'vpc']]) {
        await both([command, ...format, 'fixed.vhd']);
        await both([command, '--output=json', ...format, 'fixed.vhd']);
      }
    }
  });
});

type Geometry = readonly [number, number, number];

/** Creators, and geometries that are larger and smaller than the disk of 4 MiB. */
const SIZES: readonly (readonly [string, Geometry])[] = [
  ...['vpc ', 'qemu', 'qem2', 'win ', 'd2v ', 'CTXS', 'tap\0', 'tapx', '*img', '\0\0\0\0'].map(
    (creator) => [creator, [120, 4, 17]] as const,
  ),
  ['vpc ', [65535, 16, 255]],
  ['vpc ', [0, 0, 0]],
  ['vpc ', [65535, 255, 255]],
  ['win ', [65535, 255, 255]],
];

describe.skipIf(!available)('which size counts', () => {
  it.each(SIZES)('%j with %j', async (creator, geometry) => {
    const size = 4 * MIB;
    const content = new Uint8Array(size).fill(3);
    const blocks = new Map([[1, { bytes: new Uint8Array(MIB).fill(4) }]]);
    const common = { size, creator, geometry, blockSize: MIB };
    writeFileSync('fixed-size.vhd', buildVhd({ ...common, type: 2, content }).bytes);
    writeFileSync('size.vhd', buildVhd({ ...common, blocks }).bytes);
    fork('fixed-size.vhd', 'size.vhd');
    for (const name of ['fixed-size.vhd', 'size.vhd']) {
      await both(['info', '-f', 'vpc', name]);
      if (geometry[1] < 255) await both(['compare', '-f', 'vpc', '-F', 'vpc', name, name]);
    }
  });
});

describe.skipIf(!available)('force_size_calc', () => {
  it.each(['chs', 'current_size', 'both'])('%s', async (mode) => {
    const common = { size: 4 * MIB, creator: 'win ', geometry: [120, 4, 17] as const };
    writeFileSync('size.vhd', buildVhd({ ...common, blockSize: MIB }).bytes);
    fork('size.vhd', 'src.raw');
    const options = (driver: string, name: string) =>
      `${driver}force_size_calc=${mode},file.filename=${name}`;
    await both(['info', '--image-opts', options('driver=vpc,', 'size.vhd')]);
    await both(['map', '--output=json', '--image-opts', options('driver=vpc,', 'size.vhd')]);
    await both(['info', '--image-opts', options('', 'src.raw')]);
    const file = { driver: 'file', filename: 'size.vhd' };
    const json = JSON.stringify({ driver: 'vpc', force_size_calc: mode, file });
    await both(['info', `json:${json}`]);
  });
});

const base: VhdSpec = {
  size: 4 * MIB,
  blockSize: 65536,
  blocks: new Map([
    [3, { bytes: noise(65536, 1) }],
    [0, { bytes: noise(65536, 2), sectors: [1, 2, 30] }],
    [1, { bytes: noise(65536, 3) }],
  ]),
};

describe.skipIf(!available)('unusual images', () => {
  it.each([
    ['blocks of 64 KiB', {}, true],
    [
      'blocks of 4 KiB',
      { blockSize: 4096, blocks: new Map([[5, { bytes: noise(4096, 1) }]]) },
      false,
    ],
    [
      'blocks of 16 MiB',
      { blockSize: 2 ** 24, blocks: new Map([[0, { bytes: noise(99, 1) }]]) },
      true,
    ],
    ['a type that is not known', { type: 5 as 4 }, false],
  ] as const)('%s', async (_, changes, isWritten) => {
    writeFileSync('odd.vhd', buildVhd({ ...base, ...changes }).bytes);
    fork('odd.vhd');
    await both(['info', 'odd.vhd']);
    await both(['map', '--output=json', 'odd.vhd']);
    await both(['convert', '-O', 'raw', 'odd.vhd', 'new.raw']);
    expect(await hashOf('own/new.raw')).toBe(await hashOf('real/new.raw'));
    if (!isWritten) return;
    // All sectors of a block are in the file once one of them was written.
    const { commands, bytes } = await writeAtRandom('vpc', 'odd.vhd');
    await writeTo('real/odd.vhd', commands, 'vpc');
    writeFileSync('own/odd.vhd', bytes);
    expect(await hashOf('own/odd.vhd')).toBe(await hashOf('real/odd.vhd'));
  });

  it('says of blocks of 2 GiB what the real program says', async () => {
    writeFileSync('odd.vhd', buildVhd({ size: 4 * MIB, blockSize: 2 ** 31 }).bytes);
    fork('odd.vhd');
    await both(['info', 'odd.vhd']);
    await both(['info', '--output=json', 'odd.vhd']);
  });
});

/** Changes of 32-bit numbers; those of the footer get a right checksum. */
const HEADER = 512;
const TABLE = 1536;
const DAMAGES: readonly (readonly [string, Readonly<Record<number, number>>])[] = [
  ['no cookie', { 0: 1 }],
  ['a header elsewhere', { 20: 1024 }],
  ['a header far away', { 16: 0x40000000 }],
  ['a header beyond all', { 16: 0x7fffffff, 20: 0xc0000000 }],
  ['a header before all', { 16: 0xffffffff, 20: 0xffffffff }],
  ['no cookie of the header', { [HEADER]: 1 }],
  ['type fixed', { 60: 2 }],
  ['a disk of 2040 GiB', { 48: 0x1fe, 52: 0 }],
  ['a disk of more', { 48: 0x1fe, 52: 512 }],
  ['a disk of all bits', { 48: 0xffffffff, 52: 0xffffffff }],
  ...[0, 1, 256, 3 * MIB, 0xffffffff].map(
    (size) => [`blocks of ${size} bytes`, { [HEADER + 32]: size }] as const,
  ),
  ...[0, 1, 63, 64, 65, 200, 0x00ffffff, 0x20000000, 0x80000000, 0xffffffff].map(
    (count) => [`${count} entries`, { [HEADER + 28]: count }] as const,
  ),
  ['a table far away', { [HEADER + 16]: 0x40000000 }],
  ['a table beyond all', { [HEADER + 16]: 0x7fffffff }],
  ['a table over the footer', { [HEADER + 20]: 0 }],
  ...[0, 2, 100, 0x01000000, 0xfffffffe].map(
    (sector) => [`a block at sector ${sector}`, { [TABLE]: sector }] as const,
  ),
  ['a block twice', { [TABLE + 8]: 4 }],
];

describe.skipIf(!available)('damage', () => {
  it.each(DAMAGES)('%s', async (_, changes) => {
    const bytes = Buffer.from(buildVhd(base).bytes);
    for (const [at, value] of Object.entries(changes)) bytes.writeUInt32BE(value, Number(at));
    fixFooter(bytes, 0);
    writeFileSync('bad.vhd', bytes);
    fork('bad.vhd');
    const { exitCode } = await both(['info', '-f', 'vpc', 'bad.vhd']);
    await both(['check', '-f', 'vpc', 'bad.vhd']);
    if (exitCode !== 0) return;
    await both(['convert', '-f', 'vpc', '-O', 'raw', 'bad.vhd', 'new.raw']);
    expect(await hashOf('own/new.raw')).toBe(await hashOf('real/new.raw'));
  });

  it('checksums', async () => {
    for (const at of [64, 100, HEADER + 36, 8]) {
      const bytes = readFileSync('plain.vhd');
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      writeFileSync('bad.vhd', bytes);
      fork('bad.vhd');
      await both(['info', 'bad.vhd']);
      await both(['map', 'bad.vhd']);
    }
  });

  it('files that are cut off', async () => {
    const dynamic = readFileSync('plain.vhd');
    const fixed = readFileSync('fixed.vhd');
    for (const bytes of [dynamic, fixed]) {
      for (const cut of [1, 511, 512, 513, MIB, bytes.length - 1, bytes.length]) {
        writeFileSync('bad.vhd', bytes.subarray(0, bytes.length - cut));
        fork('bad.vhd');
        await both(['info', '-f', 'vpc', 'bad.vhd']);
      }
    }
    for (const length of [8, 100, 511, 512, 600, 1536, 1540]) {
      writeFileSync('bad.vhd', dynamic.subarray(0, length));
      fork('bad.vhd');
      await both(['info', 'bad.vhd']);
    }
  });
});
