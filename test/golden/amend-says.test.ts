import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { available, make } from './programs.ts';
import { both, enterFolder, fork, inOwn, leaveFolder, writeTo } from './side-by-side.ts';

beforeAll(async () => {
  if (!available) return;
  enterFolder('amend');
  const create = ['create', '-q', '-f', 'qcow2', '-o'];
  await make('qemu-img', [...create, 'compat=1.1', 'x', '4M']);
  await make('qemu-img', [...create, 'compat=0.10', 'v2', '4M']);
  await make('qemu-img', [...create, 'extended_l2=on', 'extended', '4M']);
  await make('qemu-img', [...create, 'compat=1.1', '-b', 'x', '-F', 'qcow2', 'overlay', '8M']);
  await make('qemu-img', [...create, 'compat=1.1', 'kept', '4M']);
  await writeTo('kept', ['write -P 1 0 1M']);
  await make('qemu-img', ['snapshot', '-c', 'one', 'kept']);
  await make('qemu-img', ['snapshot', '-c', 'two', 'kept']);
  await make('qemu-img', ['resize', '-q', 'kept', '5M']);
  writeFileSync('raw', Buffer.alloc(3_000_000, 'raw'));
});
afterAll(leaveFolder);

describe.skipIf(!available)('amend says', () => {
  it.each([
    '',
    'x',
    '-o compat=1.1',
    '-p -o compat=1.1',
    '-o compat=1.1 x v2',
    '-o compat=1.1 nowhere',
    '-o compat=1.1 raw',
    '-f raw -o compat=1.1 raw',
    '-f foo -o compat=1.1 x',
    '-f foo -o help',
    '-f raw -o help',
    '-t foo -o compat=1.1 x',
    '-t none -o compat=1.1 x',
    '-q -p -o compat=0.10 x',
    '-z -o compat=1.1 x',
    '-o compat=2 x',
    '-o compat=0.42 v2',
    '-o foo=bar x',
    '-o cluster_size=4k x',
    '-o preallocation=full x',
    '-o encryption=on x',
    '-o encrypt.state=active x',
    '-o compat x',
    '-o nocompat x',
    '-o , x',
    '-o size=5X x',
    '-o size=1000 x',
    '-o size=0 x',
    '-o size=9E x',
    '-o size=7E x',
    '-o size=20E x',
    '-o size=1000,compat=3 x',
    '-o refcount_bits=3 x',
    '-o refcount_bits=0 x',
    '-o refcount_bits=128 x',
    '-o refcount_bits=-1 x',
    '-o refcount_bits=4294967304 x',
    '-o refcount_bits=x x',
    '-o refcount_bits=8 v2',
    '-o refcount_bits=8,compat=0.10 x',
    '-o refcount_bits=1 kept',
    '-p -o refcount_bits=1 kept',
    '-o lazy_refcounts=maybe x',
    '-o lazy_refcounts=on v2',
    '-o lazy_refcounts=on,compat=0.10 x',
    '-o data_file=d x',
    '-o data_file= x',
    '-o data_file_raw=on x',
    '-o data_file_raw=off x',
    '-o data_file=d,refcount_bits=3,compat=4 x',
    '-o data_file_raw=on,refcount_bits=3 x',
    '-o backing_file=x,backing_fmt=qcow2 overlay',
    '-o backing_file=x overlay',
    '-o backing_fmt=qcow2 overlay',
    '-o backing_file=,backing_fmt= overlay',
    '-o backing_file=v2,backing_fmt=qcow2 overlay',
    '-o backing_file= x',
    '-o compat=0.10 extended',
    '-o compat=0.10 kept',
    '--force -o compat=1.1 x',
    '--image-opts -o compat=1.1 file.filename=x',
    '--image-opts -f qcow2 -o compat=1.1 x',
    '-U -o compat=1.1 x',
  ])('%s', async (line) => {
    const names = ['x', 'v2', 'extended', 'overlay', 'kept', 'raw'];
    fork(...names);
    const { exitCode } = await both(['amend', ...line.split(' ').filter(Boolean)]);
    if (exitCode === 0) return;
    for (const name of names) {
      expect(readFileSync(`own/${name}`).equals(readFileSync(name)), name).toBe(true);
    }
  });

  it('which options there are', async () => {
    fork('x');
    for (const args of [
      ['-f', 'qcow2', '-o', 'help'],
      ['-o', 'help', 'x'],
      ['-o', '?,size=1', 'x'],
    ]) {
      const { stdout, exitCode } = await inOwn(['amend', ...args]);
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(/^Amend options for 'qcow2':\n( {2}[a-z_.-]+=<[^>]+> +- .*\n){13}$/);
    }
  });
});
