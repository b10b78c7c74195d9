import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { available, make, ours, qemuImg } from './programs.ts';

let folder = '';
const before = process.cwd();

beforeEach(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'create-'));
  process.chdir(folder);
  for (const side of ['real', 'own']) {
    mkdirSync(join(side, 'sub'), { recursive: true });
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', `${side}/base`, '3M']);
    await make('qemu-img', ['create', '-q', '-f', 'raw', `${side}/base.raw`, '1M']);
    writeFileSync(`${side}/there`, 'something that was there');
  }
});

afterEach(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

/** Both make it, each in a folder of its own; words, exit code and bytes are the same. */
async function expectSameFile(args: readonly string[], target: string): Promise<void> {
  const real = await qemuImg(['create', ...args], 'real');
  process.chdir('own');
  const own = await ours(['create', ...args]);
  process.chdir('..');
  expect(own, `create ${args.join(' ')}`).toEqual(real);
  const [a, b] = ['own', 'real'].map((side) => join(side, target));
  expect(existsSync(a as string)).toBe(existsSync(b as string));
  if (real.exitCode !== 0 || !existsSync(b as string)) return;
  expect(readFileSync(a as string).equals(readFileSync(b as string))).toBe(true);
}

describe.skipIf(!available)('create makes', () => {
  it.each([
    '-f qcow2 x 1M',
    '-q -f qcow2 x 1M',
    'x 1M',
    '-f raw x 1000',
    '-f raw x 0',
    '-f raw -o preallocation=full x 1M',
    '-f raw -o preallocation=falloc,size=1M x',
    '-f qcow2 there 1000',
    '-f qcow2 -o size=3M x',
    '-f qcow2 -o cluster_size=512,refcount_bits=64 x 100M',
    '-f qcow2 -o cluster_size=4k -o lazy_refcounts=on x 1M',
    '-f qcow2 -o compat=0.10 x 1M',
    '-f qcow2 -o compat=v3,extended_l2=on,compression_type=zstd x 1M',
    '-f qcow2 -o preallocation=metadata x 10M',
    '-f qcow2 -o preallocation=falloc x 3M',
    '-f qcow2 -o preallocation=full,cluster_size=2M x 3M',
    '-f qcow2 -b base -F qcow2 x',
    '-f qcow2 -b base -F qcow2 x 10M',
    '-f qcow2 -o backing_file=base.raw,backing_fmt=raw x 512k',
    '-f qcow2 -b ../base -F qcow2 sub/x',
    '-f qcow2 -u -b nowhere -F raw x 1M',
    '-f qcow2 -o extended_l2=on,preallocation=metadata -b base -F qcow2 x',
  ])('%s', async (line) => {
    const args = line.split(' ');
    const target = args.findLast((word) => /^(?:sub\/)?(?:x|there)$/.test(word)) ?? '';
    await expectSameFile(args, target);
  });

  it('a file whose options have spaces and commas', async () => {
    const options = "backing_file=a b'c,,d,backing_fmt=raw";
    await expectSameFile(['-f', 'qcow2', '-u', '-o', options, 'x y', '1M'], 'x y');
  });
});

describe.skipIf(!available)('create refuses', () => {
  it.each([
    '',
    '-f qcow2',
    '-f qcow2 x',
    '-f qcow2 x 1X',
    '-f qcow2 x 9E',
    '-f qcow2 x 1M 2M',
    '-f qcow2 -U x 1M',
    '-f foo x 1M',
    '-f bochs x 1M',
    '-f qcow2 -o size=3M x 2M',
    '-f qcow2 -o foo=bar x 1M',
    '-f qcow2 -o cluster_size=1000 x 1M',
    '-f qcow2 -o cluster_size=4M x 1M',
    '-f qcow2 -o cluster_size=0 x 1M',
    '-f qcow2 -o refcount_bits=3 x 1M',
    '-f qcow2 -o refcount_bits=x x 1M',
    '-f qcow2 -o compat=0.10,refcount_bits=8 x 1M',
    '-f qcow2 -o compat=0.10,lazy_refcounts=on x 1M',
    '-f qcow2 -o compat=0.10,extended_l2=on x 1M',
    '-f qcow2 -o compat=0.10,compression_type=zstd x 1M',
    '-f qcow2 -o compat=2 x 1M',
    '-f qcow2 -o preallocation=x x 1M',
    '-f qcow2 -o compression_type=lz x 1M',
    '-f qcow2 -o lazy_refcounts=maybe x 1M',
    '-f qcow2 -o extended_l2=on,cluster_size=8k x 1M',
    '-f qcow2 -o preallocation=metadata -b base -F qcow2 x',
    '-f qcow2 -b base x',
    '-f qcow2 -b base.raw x 1M',
    '-f qcow2 -b base.raw -F qcow2 x',
    '-f qcow2 -b base -F foo x',
    '-f qcow2 -b nowhere -F raw x 1M',
    '-f qcow2 -b base.raw -F raw sub/x',
    '-f qcow2 -u -b nowhere -F raw x',
    '-f qcow2 -u -b nowhere x 1M',
    '-f qcow -u -b base.raw x 1M',
    '-f vmdk -u -b base.raw x 1M',
    '-f qcow2 -F raw x 1M',
    '-f qcow2 -b x -F qcow2 x',
    '-f raw -b base -F qcow2 x 1M',
    '-f raw -F qcow2 x 1M',
    '-f raw -o preallocation=metadata x 1M',
    '-f raw -o preallocation=x x 1M',
    '-f qcow2 /nowhere/x 1M',
    '-f raw sub 1M',
    '-f qcow2 x 100P',
  ])('%s', async (line) => {
    await expectSameFile(line.split(' ').filter(Boolean), 'x');
  });

  it('a file without a name, and a backing file without one', async () => {
    await expectSameFile(['-f', 'qcow2', '', '1M'], 'x');
    await expectSameFile(['-f', 'qcow2', '-b', '', 'x', '1M'], 'x');
  });
});
