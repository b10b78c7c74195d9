import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { available, make, makeEncrypted, qemuImg } from './programs.ts';
import { both, enterFolder, expectSameImage, fork, leaveFolder, writeTo } from './side-by-side.ts';

beforeEach(() => {
  if (available) enterFolder('amend');
});
afterEach(leaveFolder);

const create = (name: string, size: string, options = 'compat=1.1', more: string[] = []) =>
  make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, ...more, name, size]);

const snapshot = (name: string, label: string) => make('qemu-img', ['snapshot', '-c', label, name]);

/** What each program reads of a snapshot. */
async function expectSameSnapshot(name: string, label: string): Promise<void> {
  for (const side of ['real', 'own']) {
    await make('qemu-img', [
      'convert',
      '-l',
      label,
      '-O',
      'raw',
      `${side}/${name}`,
      `${side}-copy`,
    ]);
  }
  expect(readFileSync('own-copy').equals(readFileSync('real-copy'))).toBe(true);
}

describe.skipIf(!available)('amend', () => {
  const CHANGES = [
    'compat=0.10',
    'compat=v2,refcount_bits=16',
    'compat=1.1,lazy_refcounts=on',
    'compat=v3,refcount_bits=1',
    'compat=1.1,refcount_bits=2',
    'compat=1.1,refcount_bits=64,size=9M',
    'lazy_refcounts=on',
    'lazy_refcounts=off,size=1M',
    'refcount_bits=8',
    'size=6M,compat=0.10,lazy_refcounts=off',
  ];

  describe.each([
    'cluster_size=4k',
    'compat=0.10,cluster_size=4k',
    'cluster_size=512',
    'extended_l2=on,cluster_size=16k,refcount_bits=32',
    'compression_type=zstd,lazy_refcounts=on,cluster_size=8k',
  ])('an image with %s', (options) => {
    it.each(CHANGES)('to %s', async (change) => {
      await create('x', '4M', options);
      const isV2 = options.startsWith('compat=0.10');
      const zeros = isV2 ? [] : ['write -z 200k 500k', 'write -P 5 1M 1M', 'write -z 1M 512k'];
      await writeTo('x', ['write -P 1 0 300k', ...zeros, 'write -P 3 3M 100k']);
      fork('x');
      const { exitCode } = await both(['amend', '-p', '-o', change, 'x']);
      if (exitCode === 0) await expectSameImage('x');
      else expect(readFileSync('own/x').equals(readFileSync('x'))).toBe(true);
    });
  });

  it('keeps zeros that hide a backing file in version 2', async () => {
    await create('base', '4M');
    await writeTo('base', ['write -P 7 0 4M']);
    await create('x', '4M', 'compat=1.1', ['-b', 'base', '-F', 'qcow2']);
    await writeTo('x', ['write -P 1 0 1M', 'write -z 512k 2M', 'write -z -u 3M 64k']);
    fork('base', 'x');
    await both(['amend', '-o', 'compat=0.10', 'x']);
    await expectSameImage('x');
  });

  it('does not lose what a snapshot holds where the disk has zeros now', async () => {
    for (const backing of [[], ['-b', 'base', '-F', 'qcow2']]) {
      await create('base', '4M');
      await writeTo('base', ['write -P 7 0 4M']);
      await create('x', '4M', 'cluster_size=4k', backing);
      await writeTo('x', ['write -P 1 0 1M', 'write -z 2M 64k']);
      await snapshot('x', 'one');
      await writeTo('x', ['write -z 256k 256k', 'write -P 3 2M 4k']);
      await snapshot('x', 'two');
      await writeTo('x', ['write -P 4 900k 200k']);
      await make('qemu-img', ['convert', '-l', 'one', '-O', 'raw', 'x', 'one-before']);
      await make('qemu-img', ['convert', '-l', 'two', '-O', 'raw', 'x', 'two-before']);
      await make('qemu-img', ['convert', '-O', 'raw', 'x', 'before']);
      fork('base', 'x');
      // The real program makes zeros of clusters that the snapshot still needs.
      await both(['amend', '-o', 'compat=0.10', 'x']);
      const { exitCode, stdout } = await qemuImg(['check', 'x'], 'own');
      expect(exitCode, stdout).toBe(0);
      await make('qemu-img', ['convert', '-O', 'raw', 'own/x', 'after']);
      expect(readFileSync('after').equals(readFileSync('before'))).toBe(true);
      for (const label of ['one', 'two']) {
        await make('qemu-img', ['convert', '-l', label, '-O', 'raw', 'own/x', 'after']);
        expect(readFileSync('after').equals(readFileSync(`${label}-before`))).toBe(true);
      }
    }
  });

  it('gives the snapshots of version 2 what version 3 demands', async () => {
    await create('x', '4M', 'compat=0.10,cluster_size=4k');
    await writeTo('x', ['write -P 1 0 1M']);
    await snapshot('x', 'one');
    await writeTo('x', ['write -P 2 0 1M']);
    await snapshot('x', 'two');
    fork('x');
    for (const change of [
      'compat=1.1',
      'refcount_bits=2',
      'size=5M',
      'size=4M',
      'refcount_bits=1',
    ]) {
      await both(['amend', '-o', change, 'x']);
      await expectSameImage('x');
      await expectSameSnapshot('x', 'one');
      await expectSameSnapshot('x', 'two');
    }
    await both(['amend', '-o', 'refcount_bits=16', 'x']);
    await both(['amend', '-o', 'size=3M', 'x']);
    await both(['amend', '-o', 'compat=0.10', 'x']);
    await expectSameImage('x');
  });

  it('changes refcounts of images with many blocks, wider and narrower', async () => {
    await create('x', '40M', 'cluster_size=512');
    await writeTo('x', ['write -P 1 0 3M', 'write -P 2 20M 2M', 'write -P 3 39M 1M']);
    fork('x');
    for (const bits of ['64', '8', '1', '32', '4', '16']) {
      await both(['amend', '-p', '-o', `refcount_bits=${bits}`, 'x']);
      await expectSameImage('x');
    }
  });

  it('packed images', async () => {
    await create('plain', '3M');
    await writeTo('plain', ['write -P 1 0 2M']);
    for (const type of ['zlib', 'zstd']) {
      const options = ['-o', `compression_type=${type}`];
      await make('qemu-img', ['convert', '-c', ...options, '-O', 'qcow2', 'plain', type]);
      fork(type);
      const { exitCode } = await both(['amend', '-o', 'compat=0.10', type]);
      expect(exitCode).toBe(type === 'zlib' ? 0 : 1);
      if (exitCode === 0) await expectSameImage(type);
    }
  });

  it.each(['data_file=d', 'data_file=d,data_file_raw=on'])('images with %s', async (options) => {
    fork();
    for (const side of ['real', 'own']) {
      process.chdir(side);
      await create('x', '1M', options);
      await writeTo('x', ['write -P 1 0 100k', 'write -P 2 512k 100k']);
      process.chdir('..');
    }
    for (const change of [
      'refcount_bits=8',
      'data_file_raw=off',
      'data_file_raw=on',
      'size=2M',
      'compat=0.10',
      'data_file=./d',
      'data_file=',
    ]) {
      await both(['amend', '-o', change, 'x']);
      const [real, own] = await Promise.all(
        ['real', 'own'].map((side) => qemuImg(['info', '--output=json', 'x'], side)),
      );
      const parsed = [real, own].map((one) => JSON.parse(one?.stdout ?? '') as object);
      expect({ ...parsed[1], 'actual-size': 0 }).toEqual({ ...parsed[0], 'actual-size': 0 });
    }
  });

  it('takes bitmaps away that version 2 cannot keep', async () => {
    await create('x', '4M');
    await make('qemu-img', ['bitmap', '--add', 'x', 'b']);
    await writeTo('x', ['write -P 1 0 1M']);
    fork('x');
    await both(['amend', '-o', 'refcount_bits=8', 'x']);
    await expectSameImage('x');
    await both(['amend', '-o', 'refcount_bits=16,compat=0.10', 'x']);
    await expectSameImage('x', { isAsLong: false });
  });

  it('encrypted images', async () => {
    const secret = ['--object', 'secret,id=s,data=pass'];
    await makeEncrypted([
      ...['create', '-q', '-f', 'qcow2', ...secret, '-o', 'encrypt.iter-time=10'],
      ...['-o', 'encrypt.format=luks,encrypt.key-secret=s', 'x', '3M'],
    ]);
    fork('x');
    const image = 'driver=qcow2,file.filename=x,encrypt.key-secret=s';
    for (const change of [
      'refcount_bits=8',
      'refcount_bits=16,compat=0.10',
      'compat=1.1,size=4M',
    ]) {
      await both(['amend', ...secret, '--image-opts', '-o', change, image]);
      for (const side of ['real', 'own']) {
        const checked = await qemuImg(['check', ...secret, '--image-opts', image], side);
        expect(checked.exitCode, checked.stdout + checked.stderr).toBe(0);
      }
    }
    await both(['amend', '-o', 'size=5M', 'x']);
  });
});
