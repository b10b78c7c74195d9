import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { available, make, qemuImg } from './programs.ts';
import { both, enterFolder, fork, inOwn, leaveFolder } from './side-by-side.ts';

beforeAll(async () => {
  if (!available) return;
  enterFolder('resize');
  await create('x', '4M');
  await create('v2', '4M', 'compat=0.10');
  await make('qemu-img', ['snapshot', '-c', 's', 'v2']);
  writeFileSync('raw', Buffer.alloc(3_000_000, 'raw'));
});
afterAll(leaveFolder);

const create = (name: string, size: string, options = 'compat=1.1') =>
  make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, name, size]);

describe.skipIf(!available)('resize says', () => {
  it.each([
    '',
    'x',
    'x 1M 2M',
    'nowhere 1M',
    '-f foo x 1M',
    '-f raw --image-opts x 1M',
    '--preallocation=some x 9M',
    '--preallocation=falloc x 1M',
    '--preallocation=falloc x 4M',
    'x 1M',
    'x 4M',
    'x 0',
    'x -4M',
    'x -5M',
    'x 1000',
    'x 5M',
    '-q x 5M',
    'x 5X',
    'x abc',
    'x 0x10M',
    'x 9E',
    'x 7E',
    'x 20E',
    'x +8E',
    'x 8191P',
    'raw 9M',
    '-q raw 9M',
    'raw 7E',
    '-z x 9M',
    'v2 9M',
    'x --shrink 1M',
    '--image-opts file.filename=x 9M',
    '--image-opts driver=raw,file.filename=raw,size=1M 9M',
    'json:{"driver":"raw","file":"raw"} 9M',
    'json:{"driver":"raw","file":{"driver":"file","filename":"raw"}} 9M',
    '-U x 9M',
  ])('%s', async (line) => {
    fork('x', 'v2', 'raw');
    const { exitCode } = await both(['resize', ...line.split(' ').filter(Boolean)]);
    if (exitCode === 0) return;
    for (const name of ['x', 'v2', 'raw']) {
      expect(readFileSync(`own/${name}`).equals(readFileSync(name))).toBe(true);
    }
  });
});

describe.skipIf(!available)('before a disk gets smaller', () => {
  it('the partitions that are cut are named, beside all that the real program says', async () => {
    const disk = Buffer.alloc(3_000_320);
    disk.set([0x83, 0, 0, 0, 0, 8, 0, 0, 0, 4, 0, 0], 450);
    disk.set([0x83, 0, 0, 0, 0, 14, 0, 0, 0, 4, 0, 0], 466);
    disk.set([0x55, 0xaa], 510);
    writeFileSync('disk', disk);
    fork('disk');
    for (const options of [[], ['--shrink']]) {
      const args = ['resize', '-f', 'raw', ...options, 'disk', '1500k'];
      const [real, own] = [await qemuImg(args, 'real'), await inOwn(args)];
      expect(own.exitCode).toBe(real.exitCode);
      expect(own.stdout).toBe(real.stdout);
      expect(own.stderr).toBe(
        `${real.stderr}` +
          'qemu-img: note: partition 1 (bytes 1048576 to 1572864, 512 KiB) loses its end\n' +
          'qemu-img: note: partition 2 (bytes 1835008 to 2359296, 512 KiB) is lost\n',
      );
    }
  });
});

describe.skipIf(!available)('--undo brings back', () => {
  it('what was resized or amended', async () => {
    const changes = [
      ['resize', '--shrink', '--undo', 'undo', 'kept', '1M'],
      ['resize', '--preallocation=full', '--undo', 'undo', 'kept', '9M'],
      ['amend', '-o', 'refcount_bits=8', '--undo', 'undo', 'kept'],
    ];
    await create('kept', '4M');
    await make('qemu-io', ['-f', 'qcow2', '-c', 'write -P 1 0 4M', 'kept']);
    for (const args of changes) {
      fork('kept');
      rmSync('own/undo', { force: true });
      expect((await inOwn(args)).exitCode).toBe(0);
      expect(readFileSync('own/kept').equals(readFileSync('kept'))).toBe(false);
      const undone = await inOwn(['undo', 'kept', 'undo']);
      expect(undone.exitCode, undone.stderr).toBe(0);
      expect(readFileSync('own/kept').equals(readFileSync('kept'))).toBe(true);
    }
  });
});
