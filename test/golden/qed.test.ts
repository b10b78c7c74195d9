/** QED images: made, read, checked, repaired and changed as the real program does it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noise } from './make-images.ts';
import { available, hashOf, make, ours, qemuImg } from './programs.ts';
import { both, enterFolder, fork, inOwn, leaveFolder, writeTo } from './side-by-side.ts';

beforeAll(async () => {
  if (!available) return;
  enterFolder('qed');
  // Data, holes, and an end within a cluster.
  const raw = new Uint8Array(9 * 2 ** 20 + 1536);
  for (let at = 0; at < 9 * 2 ** 20; at += 3 * 2 ** 18) raw.set(noise(90_000, at + 1), at);
  raw.set(noise(1000, 5), raw.length - 1000);
  writeFileSync('src.raw', raw);
  await make('qemu-img', ['create', '-q', '-f', 'raw', 'base.raw', '3M']);
  await writeTo('base.raw', ['write -P 9 0 2500k'], 'raw');
  await make('qemu-img', ['create', '-q', '-f', 'qed', '-b', 'base.raw', '-F', 'raw', 'top.qed']);
  const parts = ['write -P 1 5k 3k', 'write -z 128k 128k', 'write -P 2 2400k 300k'];
  await writeTo('top.qed', parts, 'qed');
  await make('qemu-img', ['create', '-q', '-f', 'qed', '-o', 'cluster_size=4k', 'plain.qed', '5M']);
  await writeTo('plain.qed', ['write -P 3 4k 9k', 'write -P 4 1M 64k', 'write -z 2M 64k'], 'qed');
});

afterAll(leaveFolder);

/** Both make a file of that name, the same in every byte. */
async function sameFile(args: readonly string[], name: string): Promise<void> {
  await both(args);
  expect(await hashOf(join('own', name)), args.join(' ')).toBe(await hashOf(join('real', name)));
}

/** Changes numbers of 32 bits, little-endian. */
function patch(from: string, to: string, changes: Readonly<Record<number, number>>): void {
  const bytes = readFileSync(from);
  for (const [at, value] of Object.entries(changes)) bytes.writeUInt32LE(value >>> 0, Number(at));
  writeFileSync(to, bytes);
}

describe.skipIf(!available)('create', () => {
  it.each([
    ['5M'],
    ['-o', 'cluster_size=4096,table_size=2', '1G'],
    ['-o', 'cluster_size=1M,table_size=16', '100G'],
    ['-o', 'table_size=1', '1000'],
    ['-b', '../base.raw', '-F', 'raw'],
    ['-b', '../plain.qed', '-F', 'qed', '7M'],
    ['-o', 'nocow=off,preallocation=off,backing_fmt=raw,backing_file=../base.raw'],
    ['0'],
  ])('%s %s %s %s %s', async (...args) => {
    fork();
    const given = args.filter((one) => one !== undefined);
    const [size] = given.slice(-1);
    const options = /^\d/.test(size ?? '') ? given.slice(0, -1) : given;
    const operands = options.length < given.length ? [size as string] : [];
    await sameFile(['create', '-f', 'qed', ...options, 'new.qed', ...operands], 'new.qed');
  });

  it.each([
    ['-o', 'cluster_size=2048'],
    ['-o', 'cluster_size=5000'],
    ['-o', 'cluster_size=128M'],
    ['-o', 'table_size=3'],
    ['-o', 'table_size=32'],
    ['-o', 'cluster_size=64M,table_size=16'],
    ['-o', 'cluster_size=4k,table_size=1,size=2G'],
    ['-o', 'lazy_refcounts=on'],
    ['-o', 'preallocation=full,table_size=3'],
  ])('refuses %s %s', async (...options) => {
    fork();
    const size = options.join().includes('size=2G') ? [] : ['1M'];
    await both(['create', '-f', 'qed', ...options, 'bad.qed', ...size]);
  });
});

describe.skipIf(!available)('convert', () => {
  it.each([
    [[], 'src.raw'],
    [['-o', 'cluster_size=4k'], 'src.raw'],
    [['-o', 'cluster_size=1M,table_size=2'], 'src.raw'],
    [['-S', '0'], 'src.raw'],
    [['-B', '../base.raw', '-F', 'raw'], 'top.qed'],
    [[], 'top.qed'],
    [['-o', 'cluster_size=8k'], 'plain.qed'],
  ])('%s %s makes the same file', async (options, source) => {
    fork('src.raw', 'top.qed', 'plain.qed', 'base.raw');
    await sameFile(['convert', '-O', 'qed', ...options, source, 'new.qed'], 'new.qed');
  });

  it('reads what it has made', async () => {
    fork('src.raw', 'top.qed', 'base.raw');
    for (const name of ['src.raw', 'top.qed']) {
      await sameFile(['convert', '-O', 'raw', name, 'new.raw'], 'new.raw');
    }
  });

  it('into an image that is there', async () => {
    fork('plain.qed', 'src.raw', 'base.raw');
    for (const side of ['real', 'own'])
      writeFileSync(join(side, 'small.raw'), noise(3 * 2 ** 20, 3));
    await both(['convert', '-n', '-O', 'qed', 'small.raw', 'plain.qed']);
    const compared = await qemuImg(['compare', 'real/plain.qed', 'own/plain.qed']);
    expect(compared.stdout).toBe('Images are identical.\n');
    const { exitCode, stdout } = await qemuImg(['check', 'own/plain.qed']);
    expect(exitCode, stdout).toBe(0);
  });
});

describe.skipIf(!available)('what is said of an image', () => {
  it.each(['top.qed', 'plain.qed'])('%s', async (name) => {
    fork(name, 'base.raw');
    for (const command of ['info', 'check', 'map']) {
      await both([command, name]);
      await both([command, '--output=json', name]);
    }
    await both(['compare', name, 'base.raw']);
    await both(['compare', '-s', name, name]);
    await both(['measure', '-O', 'qcow2', name]);
    await both(['snapshot', '-l', name]);
  });
});

/** Where things are in `plain.qed`: the header, its L1 table, its first L2 table. */
const CLUSTER = 4096;
const L1 = CLUSTER;

function l2Of(name: string): number {
  return readFileSync(name).readUInt32LE(L1);
}

describe.skipIf(!available)('damaged', () => {
  it.each([
    ['magic', { 0: 1 }],
    ['features', { 16: 0xff }],
    ['cluster size', { 4: 5000 }],
    ['table size', { 8: 5 }],
    ['one table', { 8: 1 }],
    ['header size', { 12: 0xffffffff }],
    ['L1 table', { 40: 5000 }],
    ['L1 table behind the end', { 40: 0x10000000 }],
    ['disk size', { 48: 1000 }],
    ['a disk too large', { 52: 0x70000000 }],
    ['the name', { 16: 1, 56: 60000, 60: 10 }],
    ['a long name', { 16: 1, 12: 3, 56: 64, 60: 5000 }],
  ])('%s', async (_, changes) => {
    patch('plain.qed', 'bad.qed', changes);
    fork('bad.qed');
    await both(['info', '-f', 'qed', 'bad.qed']);
    await both(['check', '-f', 'qed', 'bad.qed']);
  });

  const wounds: readonly [string, (l2: number) => Record<number, number>][] = [
    ['an L1 entry outside', () => ({ [L1 + 16]: 0x70000000 })],
    ['an L1 entry between clusters', () => ({ [L1 + 16]: 0x1234 })],
    ['an L1 entry twice', (l2) => ({ [L1 + 16]: l2 })],
    ['an L2 entry outside', (l2) => ({ [l2 + 8]: 0x70000000 })],
    ['an L2 entry between clusters', (l2) => ({ [l2 + 8]: 3 })],
    ['an L2 entry twice', (l2) => ({ [l2]: l2 + 8 * CLUSTER, [l2 + 80]: l2 + 8 * CLUSTER })],
    ['a leak', (l2) => ({ [l2 + 8]: 0 })],
    ['the flag', () => ({ 16: 2 })],
    ['the flag and more', (l2) => ({ 16: 2, [l2 + 8]: 0x70000000, [l2 + 2048]: 0 })],
  ];

  it.each(wounds)('%s: check and repair', async (_, changes) => {
    patch('plain.qed', 'bad.qed', changes(l2Of('plain.qed')));
    fork('bad.qed');
    await both(['check', 'bad.qed']);
    await both(['check', '--output=json', 'bad.qed']);
    await both(['info', 'bad.qed']);
    // The real program says «Invalid argument» of what it cannot read.
    const args = ['convert', '-O', 'raw', 'bad.qed', 'bad.raw'];
    expect((await inOwn(args)).exitCode).toBe((await qemuImg(args, 'real')).exitCode);
    await both(['check', '-r', 'leaks', 'bad.qed']);
    await sameFile(['check', '-r', 'all', 'bad.qed'], 'bad.qed');
    await both(['check', 'bad.qed']);
  });
});

describe.skipIf(!available)('changes', () => {
  it('resize', async () => {
    fork('plain.qed');
    await sameFile(['resize', 'plain.qed', '+3M'], 'plain.qed');
    await sameFile(['resize', 'plain.qed', '20G'], 'plain.qed');
    await both(['resize', '--shrink', 'plain.qed', '1M']);
    await both(['resize', 'plain.qed', '1000T']);
    await both(['resize', '--preallocation=metadata', 'plain.qed', '+1M']);
    await both(['resize', '--preallocation=full', 'plain.qed', '+1M']);
  });

  it('rebase', async () => {
    fork('top.qed', 'base.raw', 'plain.qed');
    await sameFile(['rebase', '-u', '-b', 'plain.qed', '-F', 'qed', 'top.qed'], 'top.qed');
    await sameFile(['rebase', '-u', '-b', '', 'top.qed'], 'top.qed');
    await sameFile(['rebase', '-u', '-b', 'base.raw', '-F', 'raw', 'top.qed'], 'top.qed');
    await both(['convert', '-O', 'raw', 'top.qed', 'top.raw']);
    expect(await hashOf('own/top.raw')).toBe(await hashOf('real/top.raw'));
  });

  it.each([
    ['to another image', ['-b', 'plain.qed', '-F', 'qed']],
    ['to nothing', ['-b', '']],
    ['to a shorter one', ['-b', 'short.raw', '-F', 'raw']],
  ])('safe rebase %s', async (_, how) => {
    writeFileSync('short.raw', Buffer.alloc(700_000, 3));
    fork('top.qed', 'base.raw', 'plain.qed', 'short.raw');
    await both(['convert', '-O', 'raw', 'top.qed', 'before.raw']);
    await both(['rebase', ...how, 'top.qed']);
    await both(['info', 'top.qed']);
    await both(['check', 'top.qed']);
    for (const side of ['real', 'own']) {
      const args = ['convert', '-O', 'raw', 'top.qed', 'after.raw'];
      expect((await qemuImg(args, side)).exitCode).toBe(0);
      expect(await hashOf(`${side}/after.raw`), side).toBe(await hashOf('own/before.raw'));
    }
  });

  it('commit', async () => {
    fork('top.qed', 'base.raw', 'plain.qed');
    await both(['commit', 'top.qed']);
    expect(await hashOf('own/base.raw')).toBe(await hashOf('real/base.raw'));
    expect(await hashOf('own/top.qed')).toBe(await hashOf('real/top.qed'));
  });

  it('commit into it', async () => {
    fork('plain.qed');
    const create = ['create', '-q', '-f', 'qcow2', '-b', 'plain.qed', '-F', 'qed', 'top.qcow2'];
    await both(create);
    for (const side of ['real', 'own']) {
      const parts = ['write -P 7 4000 70000', 'write -P 8 3M 5k', 'write -z 4k 4k'];
      await writeTo(join(side, 'top.qcow2'), parts);
    }
    await both(['commit', '-q', 'top.qcow2']);
    const compared = await qemuImg(['compare', 'real/plain.qed', 'own/plain.qed']);
    expect(compared.stdout).toBe('Images are identical.\n');
    const { exitCode, stdout } = await qemuImg(['check', 'own/plain.qed']);
    expect(exitCode, stdout).toBe(0);
  });

  it('what is not possible', async () => {
    fork('plain.qed');
    await both(['snapshot', '-c', 'a', 'plain.qed']);
    await both(['amend', '-o', 'size=10M', 'plain.qed']);
    await both(['convert', '-c', '-O', 'qed', 'plain.qed', 'new.qed']);
    await both(['measure', '-O', 'qed', 'plain.qed']);
  });
});

describe.skipIf(!available)('in small clusters', () => {
  it('files with more clusters than a cluster has bytes have no leaks', async () => {
    await make('qemu-img', [
      'create',
      '-q',
      '-f',
      'qed',
      '-o',
      'cluster_size=4k',
      'many.qed',
      '20M',
    ]);
    await writeTo('many.qed', ['write -P 1 0 20M'], 'qed');
    // The real program counts clusters by another number than their size, and finds leaks.
    const { exitCode, stdout } = await ours(['check', 'many.qed']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('5120/5120 = 100.00% allocated');
  });
});
