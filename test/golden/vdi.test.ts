/** VDIs: made, read, checked and changed as the real program does it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noise } from './make-images.ts';
import { available, hashOf, make, qemuImg } from './programs.ts';
import { writeAtRandom } from './random-writes.ts';
import { both, enterFolder, fork, leaveFolder, writeTo } from './side-by-side.ts';

/** Where the identifiers of the image and of its last change are. */
const UUIDS = { from: 392, to: 424 };

beforeAll(async () => {
  if (!available) return;
  enterFolder('vdi');
  // Data and holes that end within blocks, and a size that is no multiple of a block.
  const raw = new Uint8Array(9 * 2 ** 20 + 1536);
  raw.set(noise(70_000, 1), 0);
  raw.set(noise(2 ** 20, 2), 3 * 2 ** 20);
  raw.set(noise(4096, 3), 5 * 2 ** 20 + 4096);
  raw.set(noise(10_000, 4), 8 * 2 ** 20 - 5000);
  raw.set(noise(1000, 5), raw.length - 1000);
  writeFileSync('src.raw', raw);
  await make('qemu-img', ['create', '-q', '-f', 'vdi', 'plain.vdi', '7M']);
  await writeTo('plain.vdi', ['write -P 1 5M 64k', 'write -P 2 1000k 100k'], 'vdi');
  await make('qemu-img', ['create', '-q', '-f', 'vdi', '-o', 'static=on', 'static.vdi', '3M']);
  await writeTo('static.vdi', ['write -P 3 0 3M'], 'vdi');
  await make('qemu-img', ['create', '-q', '-f', 'vdi', 'empty.vdi', '0']);
});

afterAll(leaveFolder);

/** The hash of a file without what is made at random. */
function maskedHash(path: string): string {
  const bytes = readFileSync(path);
  bytes.fill(0, UUIDS.from, UUIDS.to);
  return createHash('sha256').update(bytes).digest('hex');
}

/** Both make a file of that name, the same in every byte but for the identifiers. */
async function sameFile(args: readonly string[], name: string): Promise<void> {
  await both(args);
  expect(maskedHash(join('own', name)), args.join(' ')).toBe(maskedHash(join('real', name)));
  const [real, own] = ['real', 'own'].map((side) =>
    readFileSync(join(side, name)).subarray(UUIDS.from, UUIDS.to),
  );
  expect(own?.equals(real ?? Buffer.alloc(0))).toBe(false);
}

describe.skipIf(!available)('create', () => {
  it.each([
    [['5M']],
    [['-o', 'static=on', '5M']],
    [['-o', 'static=off,preallocation=off,nocow=off', '1000']],
    [['-o', 'static,preallocation=full', '2M']],
    [['-o', 'preallocation=falloc', '300G']],
    [['0']],
  ])('%s', async (args) => {
    fork();
    const [size = '', ...options] = [...args].reverse();
    await sameFile(['create', '-f', 'vdi', ...options.reverse(), 'new.vdi', size], 'new.vdi');
  });

  it.each([
    [['-o', 'static=maybe', 'bad.vdi', '1M']],
    [['-o', 'cluster_size=1M', 'bad.vdi', '1M']],
    [['-o', 'preallocation=metadata', 'bad.vdi', '1M']],
    [['-o', 'preallocation=much', 'bad.vdi', '1M']],
    [['bad.vdi', '512T']],
    [['-b', '../plain.vdi', '-F', 'vdi', 'bad.vdi']],
    [['bad.vdi']],
  ])('refuses %s', async (args) => {
    fork();
    await both(['create', '-f', 'vdi', ...args]);
  });
});

describe.skipIf(!available)('convert', () => {
  it.each([
    [[], 'src.raw'],
    [['-o', 'static=on'], 'src.raw'],
    [['-S', '0'], 'src.raw'],
    [[], 'plain.vdi'],
    [[], 'static.vdi'],
  ])('%s %s makes the same file', async (options, source) => {
    fork('src.raw', 'plain.vdi', 'static.vdi');
    await sameFile(['convert', '-O', 'vdi', ...options, source, 'new.vdi'], 'new.vdi');
    const compared = await qemuImg(['compare', source, join('own', 'new.vdi')]);
    expect(compared.stdout, compared.stderr).toBe('Images are identical.\n');
  });

  it('refuses to pack', async () => {
    fork('src.raw');
    await both(['convert', '-c', '-O', 'vdi', 'src.raw', 'new.vdi']);
  });

  it.each(['plain.vdi', 'static.vdi', 'empty.vdi'])('%s into raw', async (name) => {
    fork(name);
    await both(['convert', '-O', 'raw', name, 'new.raw']);
    expect(await hashOf(join('own', 'new.raw'))).toBe(await hashOf(join('real', 'new.raw')));
  });

  it.each(['plain.vdi', 'static.vdi'])('into %s that is there', async (name) => {
    fork(name);
    const small = new Uint8Array(3 * 2 ** 20);
    small.set(noise(2 ** 20, 6), 2 ** 19);
    for (const side of ['real', 'own']) writeFileSync(join(side, 'small.raw'), small);
    await both(['convert', '-n', '-O', 'vdi', 'small.raw', name]);
    const compared = await qemuImg(['compare', join('real', name), join('own', name)]);
    expect(compared.stdout, compared.stderr).toBe('Images are identical.\n');
    const { exitCode, stdout, stderr } = await qemuImg(['check', join('own', name)]);
    expect(exitCode, stdout + stderr).toBe(0);
    // Images that were made over the old content must not take it for the same.
    const [old, own] = [name, join('own', name)].map((path) => readFileSync(path));
    expect(own?.subarray(392, 408).equals(old?.subarray(392, 408) ?? Buffer.alloc(0))).toBe(true);
    expect(own?.subarray(408, 424).equals(old?.subarray(408, 424) ?? Buffer.alloc(0))).toBe(false);
  });
});

describe.skipIf(!available)('writing in place', () => {
  it.each(['plain.vdi', 'static.vdi'])('here and there into %s', async (name) => {
    fork(name);
    const { commands, bytes } = await writeAtRandom('vdi', name);
    await writeTo(join('real', name), commands, 'vdi');
    writeFileSync(join('own', name), bytes);
    expect(maskedHash(join('own', name))).toBe(maskedHash(join('real', name)));
  });

  it('commit into it', async () => {
    const options = ['-b', 'plain.vdi', '-F', 'vdi', 'top.qcow2'];
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...options]);
    await writeTo('top.qcow2', ['write -P 7 900k 2M', 'write -z 5M 32k']);
    fork('plain.vdi', 'top.qcow2');
    await both(['commit', 'top.qcow2']);
    const compared = await qemuImg(['compare', 'real/plain.vdi', 'own/plain.vdi']);
    expect(compared.stdout, compared.stderr).toBe('Images are identical.\n');
    await both(['check', 'plain.vdi']);
  });

  it('dd into it', async () => {
    fork('src.raw');
    await sameFile(['dd', '-O', 'vdi', 'if=src.raw', 'of=new.vdi', 'bs=1M', 'count=4'], 'new.vdi');
  });

  it('resize is refused', async () => {
    fork('plain.vdi');
    await both(['resize', '-f', 'vdi', 'plain.vdi', '+1M']);
  });
});

describe.skipIf(!available)('what is said of an image', () => {
  it.each(['plain.vdi', 'empty.vdi'])('%s', async (name) => {
    fork(name);
    for (const command of ['info', 'check', 'map']) {
      await both([command, name]);
      await both([command, '--output=json', name]);
    }
    await both(['compare', name, name]);
    await both(['compare', '-s', name, name]);
    await both(['measure', '-O', 'raw', name]);
    await both(['measure', '-O', 'qcow2', name]);
    await both(['measure', '-O', 'vdi', '--size', '1G']);
    await both(['snapshot', '-l', name]);
    await both(['check', '-r', 'all', name]);
    await both(['check', '-r', 'leaks', name]);
  });

  it('of a static one', async () => {
    fork('static.vdi');
    for (const command of ['info', 'check']) {
      await both([command, 'static.vdi']);
      await both([command, '--output=json', 'static.vdi']);
    }
  });
});

/** Numbers in the header of the image that is damaged, 32 bits each. */
const MAP = 512;
const DAMAGES: readonly [string, Readonly<Record<number, number>>][] = [
  ['signature', { 64: 0x12345678 }],
  ['version 1.2', { 68: 0x00010002 }],
  ['version 0.1', { 68: 1 }],
  ['map at an odd place', { 340: 513 }],
  ['data at an odd place', { 344: 1025 }],
  ['sectors of 4096 bytes', { 360: 4096 }],
  ['blocks of 2 MiB', { 376: 2 ** 21 }],
  ['blocks of 0 bytes', { 376: 0 }],
  ['disk of another size', { 368: 7 * 2 ** 20 - 300 }],
  ['disk larger than its map', { 368: 8 * 2 ** 20 }],
  ['disk larger than any', { 372: 0x00200000 }],
  ['disk larger than any and no signature', { 372: 0x00200000, 64: 0 }],
  ['a parent', { 424: 1 }],
  ['the modification of a parent', { 452: 7 }],
  ['unknown type', { 76: 9 }],
  ['undo', { 76: 3 }],
  ['counter too low', { 388: 1 }],
  ['counter too high', { 388: 7 }],
  ['one block twice', { [MAP]: 1 }],
  ['one block three times', { [MAP]: 1, [MAP + 8]: 1, 388: 5 }],
  ['block that cannot be', { [MAP]: 7 }],
  ['block far away', { [MAP]: 0xfffffffd }],
  ['discarded block', { [MAP]: 0xfffffffe }],
  ['data in the header', { 344: 0 }],
];

describe.skipIf(!available)('damage', () => {
  it.each(DAMAGES)('%s', async (_, changes) => {
    const bytes = readFileSync('plain.vdi');
    for (const [at, value] of Object.entries(changes)) bytes.writeUInt32LE(value >>> 0, Number(at));
    writeFileSync('bad.vdi', bytes);
    fork('bad.vdi');
    for (const command of ['info', 'check']) {
      await both([command, '-f', 'vdi', 'bad.vdi']);
      await both([command, '--output=json', 'bad.vdi']);
    }
  });

  it('reading goes on where a block is in the map twice', async () => {
    const bytes = readFileSync('plain.vdi');
    bytes.writeUInt32LE(1, MAP);
    writeFileSync('bad.vdi', bytes);
    fork('bad.vdi');
    await both(['convert', '-O', 'raw', 'bad.vdi', 'new.raw']);
    expect(await hashOf('own/new.raw')).toBe(await hashOf('real/new.raw'));
    await both(['map', 'bad.vdi']);
  });
});
