import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { available, expectSame, make } from './programs.ts';

let folder = '';

/** Ways to keep a disk; `base` and `short` are what others are based on. All end with `size`. */
const IMAGES: readonly { name: string; options?: string[]; size?: string; write: string[] }[] = [
  { name: 'empty', write: [] },
  { name: 'zero', write: ['write -z -u 0 1M'] },
  { name: 'zero-with-place', write: ['write -P 1 0 1M', 'write -z 0 1M'] },
  { name: 'written-zeros', write: ['write -P 0 0 1M'] },
  { name: 'data', write: ['write -P 1 0 1M'] },
  { name: 'scattered', write: ['write -P 1 512k 64k', 'write -P 1 0 1M'] },
  { name: 'packed', write: Array.from({ length: 16 }, (_, i) => `write -c -P 1 ${i * 64}k 64k`) },
  { name: 'clusters-of-4k', options: ['-o', 'cluster_size=4k'], write: ['write -P 1 0 1M'] },
  { name: 'clusters-of-512', options: ['-o', 'cluster_size=512'], write: ['write -P 1 0 1M'] },
  { name: 'clusters-of-2M', options: ['-o', 'cluster_size=2M'], write: ['write -P 1 0 1M'] },
  { name: 'base', size: '512k', write: ['write -P 1 0 512k'] },
  { name: 'short', size: '512k', write: [] },
  { name: 'half', write: ['write -P 1 0 512k'] },
  { name: 'on-base', options: ['-b', 'base', '-F', 'qcow2'], write: [] },
  { name: 'on-short', options: ['-b', 'short', '-F', 'qcow2'], write: [] },
  { name: 'on-data', options: ['-b', 'data', '-F', 'qcow2'], write: [] },
  { name: 'partly-on-data', options: ['-b', 'data', '-F', 'qcow2'], write: ['write -P 1 0 64k'] },
  { name: 'larger', size: '2M', write: ['write -P 1 0 1M'] },
  { name: 'larger-and-different', size: '2M', write: ['write -P 1 0 1M', 'write -P 1 1537k 1k'] },
  { name: 'different', write: ['write -P 1 0 1M', 'write -P 2 700k 1k'] },
];
const NAMES = [...IMAGES.map(({ name }) => name), 'raw'];

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'compare-'));
  for (const { name, options = [], size = '1M', write } of IMAGES) {
    const path = join(folder, name);
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, path, size]);
    if (write.length === 0) continue;
    await make('qemu-io', [...write.flatMap((command) => ['-c', command]), path]);
  }
  await make('qemu-img', ['convert', '-O', 'raw', join(folder, 'data'), join(folder, 'raw')]);
});

afterAll(() => {
  if (folder !== '') rmSync(folder, { recursive: true });
});

describe.skipIf(!available)('compare', () => {
  it.each(NAMES)('%s with every other', async (name) => {
    for (const other of NAMES) {
      await expectSame(['compare', join(folder, name), join(folder, other)]);
      await expectSame(['compare', '-s', join(folder, name), join(folder, other)]);
    }
  });

  it('says nothing when asked to be quiet', async () => {
    await expectSame(['compare', '-q', join(folder, 'data'), join(folder, 'raw')]);
    await expectSame(['compare', '-q', '-p', join(folder, 'data'), join(folder, 'empty')]);
  });
});
