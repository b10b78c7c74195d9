import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { available, make, qemuImg } from './programs.ts';
import { both, enterFolder, fork, inOwn, leaveFolder, writeTo } from './side-by-side.ts';

beforeEach(() => {
  if (available) enterFolder('data-file');
});
afterEach(leaveFolder);

/** The image is the same to the byte; the data file begins with the same bytes. */
function expectSameFiles(size: number, isRaw: boolean): void {
  expect(readFileSync('own/x').equals(readFileSync('real/x'))).toBe(true);
  const [real, own] = [readFileSync('real/d'), readFileSync('own/d')];
  expect(own.subarray(0, size).equals(real.subarray(0, size))).toBe(true);
  expect(own.length).toBeGreaterThanOrEqual(size);
  // The real program's may end with a cluster; as a raw disk it would be too long.
  if (isRaw) expect(own.length).toBe(size);
}

describe.skipIf(!available)('create with a data file', () => {
  it.each([
    'data_file=d',
    'data_file=d,data_file_raw=on',
    'data_file=d,data_file_raw=on,cluster_size=512',
    'data_file=d,data_file_raw=on,extended_l2=on,cluster_size=16k',
    'data_file=d,preallocation=metadata',
    'data_file=d,preallocation=full,cluster_size=4k',
    'data_file=d,data_file_raw=on,preallocation=falloc',
    'data_file=./d,lazy_refcounts=on',
  ])('%s', async (options) => {
    const size = 3 * 1024 * 1024 + 512;
    writeFileSync('d', 'what was there');
    fork('d');
    await both(['create', '-f', 'qcow2', '-o', options, 'x', String(size)]);
    expectSameFiles(size, options.includes('raw'));
    // What the real program writes into it is there, and nothing else.
    process.chdir('own');
    await writeTo('x', ['write -P 1 0 100k', 'write -P 2 1M 70k', 'write -P 3 3M 512']);
    const { exitCode, stdout } = await qemuImg(['check', 'x']);
    expect(exitCode, stdout).toBe(0);
    await make('qemu-img', ['convert', '-O', 'raw', 'x', 'copy']);
    expect(readFileSync('copy').equals(readFileSync('d').subarray(0, size))).toBe(true);
    process.chdir('..');
  });

  it.each([
    'data_file_raw=on',
    'data_file_raw=off',
    'data_file=d,compat=0.10',
    'data_file=d,data_file_raw=on,compat=0.10',
    'data_file=',
    'data_file=/nowhere/d',
    'data_file=foo:d',
    'data_file=d,data_file_raw=maybe',
  ])('says no, or not: %s', async (options) => {
    fork();
    const { exitCode } = await both(['create', '-f', 'qcow2', '-o', options, 'x', '1M']);
    if (exitCode !== 0) expect(existsSync('own/x')).toBe(false);
  });

  it('says no to a base below a raw disk, and to the image itself', async () => {
    await make('qemu-img', ['create', '-q', '-f', 'raw', 'base', '1M']);
    fork('base');
    const raw = 'data_file=d,data_file_raw=on';
    await both(['create', '-f', 'qcow2', '-o', raw, '-b', 'base', '-F', 'raw', 'x']);
    for (const name of ['x', './x', 'file:x']) {
      const { exitCode } = await inOwn([
        'create',
        '-f',
        'qcow2',
        '-o',
        `data_file=${name}`,
        'x',
        '1M',
      ]);
      expect(exitCode).toBe(1);
    }
  });
});

describe.skipIf(!available)('convert with a data file', () => {
  const SIZE = 3_000_320;

  beforeEach(async () => {
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'source', String(SIZE)]);
    await writeTo('source', ['write -P 1 4k 100k', 'write -P 2 1M 70k', 'write -P 3 2999296 1k']);
  });

  it.each([
    'data_file=d',
    'data_file=d,data_file_raw=on',
    'data_file=d,cluster_size=512',
    'data_file=d,data_file_raw=on,cluster_size=4k,refcount_bits=8',
    'data_file=d,extended_l2=on',
    'data_file=d,extended_l2=on,data_file_raw=on',
    'data_file=d,preallocation=metadata',
  ])('%s', async (options) => {
    fork('source');
    await both(['convert', '-O', 'qcow2', '-o', options, 'source', 'x']);
    expectSameFiles(SIZE, options.includes('raw'));
    process.chdir('own');
    const compared = await qemuImg(['compare', 'source', 'x']);
    expect(compared.stdout).toBe('Images are identical.\n');
    process.chdir('..');
  });

  it('over a base, and packed', async () => {
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'base', '2M']);
    await writeTo('base', ['write -P 1 0 500k']);
    fork('source', 'base');
    const over = ['-B', 'base', '-F', 'qcow2'];
    await both(['convert', '-O', 'qcow2', '-o', 'data_file=d', ...over, 'source', 'x']);
    process.chdir('own');
    const compared = await qemuImg(['compare', 'source', 'x']);
    expect(compared.stdout).toBe('Images are identical.\n');
    const { exitCode, stdout } = await qemuImg(['check', 'x']);
    expect(exitCode, stdout).toBe(0);
    process.chdir('..');
    const packed = await both(['convert', '-c', '-O', 'qcow2', '-o', 'data_file=d', 'source', 'y']);
    expect(packed.exitCode).toBe(1);
    expect(statSync('own/base').size).toBe(statSync('base').size);
  });

  it('and the result grows', async () => {
    fork('source');
    const options = 'data_file=d,data_file_raw=on';
    await both(['convert', '-O', 'qcow2', '-o', options, 'source', 'x']);
    process.chdir('own');
    await make('qemu-img', ['resize', '-q', 'x', '4M']);
    expect((await qemuImg(['check', 'x'])).exitCode).toBe(0);
    process.chdir('..');
  });
});
