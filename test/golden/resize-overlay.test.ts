import { afterEach, beforeEach, describe, it } from 'vitest';
import { available, make } from './programs.ts';
import { both, enterFolder, expectSameImage, fork, leaveFolder, writeTo } from './side-by-side.ts';

beforeEach(() => {
  if (available) enterFolder('resize');
});
afterEach(leaveFolder);

const create = (name: string, size: string, options = 'compat=1.1', more: string[] = []) =>
  make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, ...more, name, size]);

describe.skipIf(!available)('resize of an overlay', () => {
  const CHANGES = [
    ['+512'],
    ['+10k'],
    ['5M'],
    ['9M'],
    ['--preallocation=metadata', '5M'],
    ['--preallocation=falloc', '5M'],
    ['--shrink', '1M'],
  ];

  describe.each(['compat=1.1', 'extended_l2=on', 'compat=0.10', 'cluster_size=1k'])(
    '%s',
    (options) => {
      it.each(CHANGES)('whose base is longer: %s %s', async (...change) => {
        await create('base', '8M');
        await writeTo('base', ['write -P 7 0 8M']);
        await create('x', '1180160', options, ['-b', 'base', '-F', 'qcow2']);
        await writeTo('x', ['write -P 1 0 100k']);
        fork('base', 'x');
        const args = ['resize', ...change.slice(0, -1), 'x', change.at(-1) ?? ''];
        const { exitCode } = await both(args);
        if (exitCode === 0) await expectSameImage('x');
      });
    },
  );

  it('whose last cluster is packed, shared or zeros', async () => {
    await create('base', '4M');
    await writeTo('base', ['write -P 7 0 4M']);
    for (const last of ['write -c -P 1 1M 64k', 'write -P 1 1M 60k', 'write -z 1M 64k']) {
      const { name } = { name: `x${String(last.length)}` };
      await create(name, '2M', 'compat=1.1', ['-b', 'base', '-F', 'qcow2']);
      await writeTo(name, [last]);
      await make('qemu-img', ['snapshot', '-c', 's', name]);
      await make('qemu-img', ['resize', '-q', '--shrink', name, '1083392']);
      fork('base', name);
      await both(['resize', name, '3M']);
      await expectSameImage(name);
    }
  });
});
