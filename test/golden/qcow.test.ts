/** qcow images of version 1: made, read and changed as the real program does it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { secrets } from './luks.ts';
import { noise } from './make-images.ts';
import { available, hashOf, make, qemuImg } from './programs.ts';
import { both, enterFolder, fork, inOwn, leaveFolder, writeTo } from './side-by-side.ts';

const ALL = secrets('a passphrase', 'another');
const AES = 'encrypt.format=aes,encrypt.key-secret=s0';

beforeAll(async () => {
  if (!available) return;
  enterFolder('qcow');
  // Data, holes, what packs and what does not, and an end within a cluster.
  const raw = new Uint8Array(5 * 2 ** 20 + 1536);
  for (let at = 0; at < 5 * 2 ** 20; at += 3 * 2 ** 18) {
    raw.set(noise(90_000, at + 1), at);
    raw.fill(at / 2 ** 18 + 1, at + 100_000, at + 150_000);
  }
  raw.set(noise(1000, 5), raw.length - 1000);
  writeFileSync('src.raw', raw);
  await make('qemu-img', ['create', '-q', '-f', 'raw', 'base.raw', '3M']);
  await writeTo('base.raw', ['write -P 9 0 2500k'], 'raw');
  await make('qemu-img', ['create', '-q', '-f', 'qcow', '-b', 'base.raw', '-F', 'raw', 'top.qcow']);
  await writeTo('top.qcow', ['write -P 1 5k 3k', 'write -P 2 2400k 300k'], 'qcow');
  await make('qemu-img', ['create', '-q', '-f', 'qcow', 'plain.qcow', '5M']);
  const packed = ['write -c -P 5 1M 4k', 'write -c -P 6 1028k 4k', 'write -c -P 7 1032k 4k'];
  const parts = ['write -P 3 4k 9k', 'write -P 4 3M 64k', ...packed, 'write -P 8 1030k 3k'];
  await writeTo('plain.qcow', parts, 'qcow');
  const create = ['create', '-q', '-f', 'qcow', ...ALL, '-o', AES, 'aes.qcow', '3M'];
  await make('qemu-img', create);
  const commands = ['-c', 'write -P 3 5k 9k', '-c', 'write -P 4 1M 64k'];
  await make('qemu-io', [...commands, ...ALL, ...node('aes.qcow')]);
});

afterAll(leaveFolder);

function node(name: string, secret = 's0'): string[] {
  return ['--image-opts', `driver=qcow,encrypt.key-secret=${secret},file.filename=${name}`];
}

async function expectSameFile(name: string): Promise<void> {
  expect(await hashOf(join('own', name)), name).toBe(await hashOf(join('real', name)));
}

describe.skipIf(!available)('create', () => {
  it.each([
    ['5M'],
    ['1000'],
    ['1T'],
    ['-b', '../base.raw', '-F', 'raw'],
    ['-b', '../plain.qcow', '-F', 'qcow', '7M'],
    ['-o', AES, '10M'],
    ['-o', 'encryption=on,encrypt.key-secret=s0', '10M'],
    ['-o', 'encryption=off,nocow=off,preallocation=falloc', '10M'],
    ['-o', `${AES},backing_fmt=raw,backing_file=../base.raw`],
  ])('%s %s %s %s %s', async (...args) => {
    fork();
    const given = args.filter((one) => one !== undefined);
    const hasSize = /^\d/.test(given.at(-1) ?? '');
    const options = hasSize ? given.slice(0, -1) : given;
    await both([
      ...['create', ...ALL, '-f', 'qcow', ...options, 'new.qcow'],
      ...given.slice(options.length),
    ]);
    await expectSameFile('new.qcow');
  });

  it.each([
    ['0'],
    ['-o', 'encrypt.format=luks', '1M'],
    ['-o', 'encrypt.format=luks,encrypt.key-secret=s0', '1M'],
    ['-o', 'encrypt.format=foo', '1M'],
    ['-o', 'encrypt.key-secret=s0', '1M'],
    ['-o', 'encrypt.format=aes', '1M'],
    ['-o', 'encrypt.format=aes,encrypt.key-secret=s7', '1M'],
    ['-o', `encryption=on,${AES}`, '1M'],
    ['-o', 'cluster_size=64k', '1M'],
    ['-u', '-b', 'x', '-F', 'foo', '1M'],
  ])('refuses %s %s %s %s', async (...args) => {
    fork();
    const given = args.filter((one) => one !== undefined);
    const options = ['create', ...ALL, '-f', 'qcow', ...given.slice(0, -1)];
    await both([...options, 'bad.qcow', given.at(-1) as string]);
  });
});

describe.skipIf(!available)('convert', () => {
  it.each([
    [[], 'src.raw'],
    [['-S', '0'], 'src.raw'],
    [['-o', AES], 'src.raw'],
    [['-B', '../base.raw', '-F', 'raw'], 'top.qcow'],
    [['-B', '../base.raw', '-F', 'raw', '-o', AES], 'top.qcow'],
    [[], 'plain.qcow'],
  ])('%s %s makes the same file', async (options, source) => {
    fork('src.raw', 'top.qcow', 'plain.qcow', 'base.raw');
    await both(['convert', ...ALL, '-O', 'qcow', ...options, source, 'new.qcow']);
    await expectSameFile('new.qcow');
  });

  it.each(['src.raw', 'plain.qcow'])('-c %s makes the same file, and succeeds', async (source) => {
    fork('src.raw', 'plain.qcow');
    const args = ['convert', '-c', '-O', 'qcow', source, 'new.qcow'];
    // The real program fails at the very end, when everything is written.
    expect((await qemuImg(args, 'real')).exitCode).toBe(1);
    expect(await inOwn(args)).toEqual({ stdout: '', stderr: '', exitCode: 0 });
    await expectSameFile('new.qcow');
    await both(['compare', source, 'new.qcow']);
    await both(['map', '--output=json', 'new.qcow']);
  });

  it('reads what there is', async () => {
    fork('top.qcow', 'plain.qcow', 'aes.qcow', 'base.raw');
    for (const name of [['top.qcow'], ['plain.qcow'], [...ALL, ...node('aes.qcow')]]) {
      await both(['convert', ...name, '-O', 'raw', 'new.raw']);
      await expectSameFile('new.raw');
    }
    await both(['convert', ...ALL, ...node('aes.qcow', 's1'), '-O', 'raw', 'noise.raw']);
    await expectSameFile('noise.raw');
  });

  it.each(['plain.qcow', 'aes.qcow'])('into %s as it is', async (name) => {
    fork(name);
    for (const side of ['real', 'own']) {
      const content = new Uint8Array(3 * 2 ** 20);
      content.set(noise(700_000, 3), 800_000);
      writeFileSync(join(side, 'small.raw'), content);
    }
    const secret = name === 'aes.qcow' ? ',encrypt.key-secret=s0' : '';
    const target = `driver=qcow,file.filename=${name}${secret}`;
    await both(['convert', '-n', ...ALL, '--target-image-opts', 'small.raw', target]);
    for (const side of ['real', 'own']) {
      process.chdir(side);
      const args = ['convert', ...ALL, '--image-opts', target, '-O', 'raw', 'back.raw'];
      expect(await qemuImg(args)).toEqual({ stdout: '', stderr: '', exitCode: 0 });
      process.chdir('..');
    }
    await expectSameFile('back.raw');
  });
});

describe.skipIf(!available)('what is said of an image', () => {
  it.each(['top.qcow', 'plain.qcow', 'aes.qcow'])('%s', async (name) => {
    fork(name, 'base.raw');
    for (const command of ['info', 'check', 'map']) {
      await both([command, name]);
      await both([command, '--output=json', name]);
      if (name !== 'aes.qcow') continue;
      await both([command, ...ALL, ...node(name)]);
      await both([command, '--output=json', ...ALL, ...node(name)]);
    }
    await both(['measure', '-O', 'qcow2', name]);
    await both(['snapshot', '-l', name]);
    await both(['compare', name, 'base.raw']);
  });

  it('secrets for images that need none', async () => {
    fork('plain.qcow');
    await both(['info', ...ALL, ...node('plain.qcow')]);
    const aes = 'driver=qcow,encrypt.format=aes,file.filename=plain.qcow';
    await both(['info', ...ALL, '--image-opts', aes]);
  });
});

describe.skipIf(!available)('damaged', () => {
  it.each<[string, Record<number, number>]>([
    ['magic', { 0: 1 }],
    ['version', { 4: 2 }],
    ['another version', { 4: 9 }],
    ['no size', { 24: 0, 28: 1 }],
    ['a disk too large', { 24: 0xfffffff0 }],
    ['a large disk', { 24: 0x00100000 }],
    ['cluster size', { 32: 0x08090000 }],
    ['clusters too large', { 32: 0x11090000 }],
    ['table size', { 32: 0x0c050000 }],
    ['tables too large', { 32: 0x0c0e0000 }],
    ['encryption', { 36: 2 }],
    ['a long name', { 12: 48, 16: 1024 }],
  ])('%s', async (what, changes) => {
    const bytes = readFileSync('plain.qcow');
    for (const [at, value] of Object.entries(changes)) bytes.writeUInt32BE(value >>> 0, Number(at));
    writeFileSync('bad.qcow', bytes);
    fork('bad.qcow');
    const args = ['info', '-f', 'qcow', 'bad.qcow'];
    // More than 8 TiB are not opened here.
    if (what === 'a large disk') expect((await inOwn(args)).exitCode).toBe(1);
    else await both(args);
  });

  it.each<[string, (l1: number, l2: number) => Record<number, number>]>([
    ['an L2 table behind the end', (l1) => ({ [l1 + 4]: 0x7fff0000 })],
    ['an L2 table nowhere', (l1) => ({ [l1]: 0xff000000 })],
    ['data between sectors', (_, l2) => ({ [l2 + 12]: 1234 })],
    ['data behind the end', (_, l2) => ({ [l2 + 12]: 0x7fff0000 })],
    ['packed noise', (_, l2) => ({ [l2 + 8]: 0x80500000, [l2 + 12]: 0 })],
  ])('%s', async (_, changes) => {
    const bytes = readFileSync('plain.qcow');
    const l1 = bytes.readUInt32BE(44);
    const l2 = bytes.readUInt32BE(l1 + 4);
    for (const [at, value] of Object.entries(changes(l1, l2))) {
      bytes.writeUInt32BE(value >>> 0, Number(at));
    }
    writeFileSync('bad.qcow', bytes);
    fork('bad.qcow');
    const args = ['convert', '-O', 'raw', 'bad.qcow', 'bad.raw'];
    const real = await qemuImg(args, 'real');
    expect((await inOwn(args)).exitCode).toBe(real.exitCode);
    if (real.exitCode === 0) await expectSameFile('bad.raw');
  });
});

describe.skipIf(!available)('changes', () => {
  it('commit', async () => {
    fork('top.qcow', 'base.raw');
    await both(['commit', 'top.qcow']);
    await expectSameFile('base.raw');
    await expectSameFile('top.qcow');
  });

  it('commit into it', async () => {
    fork('plain.qcow');
    const create = ['create', '-q', '-f', 'qcow2', '-b', 'plain.qcow', '-F', 'qcow', 'top.qcow2'];
    await both(create);
    for (const side of ['real', 'own']) {
      const parts = ['write -P 7 4000 70000', 'write -P 8 2M 5k', 'write -P 1 1029k 2k'];
      await writeTo(join(side, 'top.qcow2'), parts);
    }
    await both(['commit', '-q', 'top.qcow2']);
    const compared = await qemuImg(['compare', 'real/plain.qcow', 'own/plain.qcow']);
    expect(compared.stdout).toBe('Images are identical.\n');
  });

  it('what is not possible', async () => {
    fork('plain.qcow', 'top.qcow', 'base.raw');
    await both(['snapshot', '-c', 'a', 'plain.qcow']);
    await both(['amend', '-o', 'size=10M', 'plain.qcow']);
    await both(['resize', 'plain.qcow', '10M']);
    await both(['rebase', '-u', '-b', '', 'top.qcow']);
    await both(['check', '-r', 'all', 'plain.qcow']);
    await both(['convert', '-c', ...ALL, '-O', 'qcow', '-o', AES, 'plain.qcow', 'new.qcow']);
    await both(['measure', '-O', 'qcow', 'plain.qcow']);
  });
});
