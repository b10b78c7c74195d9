/** `convert -O qcow2` as a command: words, exit codes, and that the file is the same. */
import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { available, make, ours, qemuImg } from './programs.ts';

let folder = '';
const before = process.cwd();

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'convert-'));
  process.chdir(folder);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'a', '4M']);
  await make('qemu-io', ['-c', 'write -P 1 0 1M', '-c', 'write -P 2 2M 100k', 'a']);
  await make('qemu-img', ['snapshot', '-c', 'before', 'a']);
  await make('qemu-io', ['-c', 'write -P 3 64k 1M', 'a']);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'b', '1000k']);
  await make('qemu-io', ['-c', 'write -c -P 7 64k 128k', '-c', 'write -P 9 999k 1k', 'b']);
  await make('qemu-img', ['convert', '-c', '-O', 'qcow2', 'a', 'cut']);
  truncateSync('cut', 262144 + 65536);
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

async function expectSame(line: string): Promise<void> {
  const args = line.split(' ');
  const real = await qemuImg(['convert', ...args, 'out.real']);
  const own = await ours(['convert', ...args, 'out.mine']);
  const named = (text: string) => text.replaceAll('out.mine', 'out.real');
  expect({ ...own, stderr: named(own.stderr), stdout: named(own.stdout) }, line).toEqual(real);
  if (real.exitCode !== 0) return;
  expect(readFileSync('out.mine').equals(readFileSync('out.real'))).toBe(true);
}

describe.skipIf(!available)('convert to qcow2', () => {
  it.each([
    '-O qcow2 a',
    '-O qcow2 -o cluster_size=4k,compat=0.10 a',
    '-c -O qcow2 a',
    '-c -O qcow2 b',
    '-O qcow2 -S 0 b',
    '-O qcow2 a b',
    '-O qcow2 b a b',
    '-c -O qcow2 b a b',
    '-c -O qcow2 -o cluster_size=2M b a',
    '-l before -O qcow2 a',
    '-O qcow2 -o preallocation=metadata a',
    '-O qcow2 -o preallocation=full b',
    '-O qcow2 -o size=1G a',
    '-m 16 -O qcow2 b',
  ])('%s', expectSame);

  it.each([
    '-O qcow2 nowhere',
    '-O qcow2 -o foo=bar a',
    '-O qcow2 -o cluster_size=1000 a',
    '-O qcow2 -o compat=2 a',
    '-O qcow2 -o backing_fmt=raw a',
    '-O qcow2 -o preallocation=x a',
    '-c -O qcow2 -o preallocation=metadata a',
    '-O qcow2 -F qcow2 a',
    '-O bochs a',
    '-O nothing a',
    '-m 1 -O qcow2 cut',
    '-m 1 -c -O qcow2 cut',
  ])('refused: %s', expectSame);
});
