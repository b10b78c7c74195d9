import { afterEach, beforeEach, describe, it } from 'vitest';
import { available, make } from './programs.ts';
import { both, enterFolder, expectSameImage, fork, leaveFolder, writeTo } from './side-by-side.ts';

beforeEach(() => {
  if (available) enterFolder('resize');
});
afterEach(leaveFolder);

const CONTENT = ['write -P 1 0 100k', 'write -P 2 700k 300k', 'write -z 300k 128k'];
const MIB = 1024 * 1024;
const OPTIONS = [
  '',
  'compat=0.10',
  'cluster_size=512,refcount_bits=1',
  'cluster_size=4k,refcount_bits=64',
  'cluster_size=2M,refcount_bits=8',
  'extended_l2=on',
  'extended_l2=on,cluster_size=16k,refcount_bits=32',
  'lazy_refcounts=on,compression_type=zstd',
];

describe.skipIf(!available)('resize of qcow2', () => {
  const size = 3 * MIB + 5 * 512;

  describe.each(OPTIONS)('%s', (options) => {
    const args = ['create', '-q', '-f', 'qcow2', '-o', options || 'compat=1.1', 'x', String(size)];
    const CHANGES = [
      ['+100M'],
      ['+512'],
      ['--preallocation=metadata', '20M'],
      ['--preallocation=falloc', '9M'],
      ['--preallocation=full', '+5M'],
      ['--shrink', '2M'],
      ['--shrink', '--', '-40k'],
      ['--shrink', '--preallocation=off', '512'],
    ];

    it.each(CHANGES)('%s %s %s', async (...change) => {
      await make('qemu-img', args);
      await writeTo('x', [...CONTENT, `write -P 3 ${Math.floor(size / 512) * 512 - 40960} 40k`]);
      fork('x');
      await both(['resize', ...change.slice(0, -1), 'x', change.at(-1) ?? '']);
      await expectSameImage('x');
    });
  });
});
