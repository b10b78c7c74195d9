import { copyFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noise } from './make-images.ts';
import { available, expectSame, hashOf, make, ours, qemuImg } from './programs.ts';

let folder = '';
const before = process.cwd();

async function overlay(path: string, backing: string, format: string, size = '1M') {
  const base = ['-b', backing, '-F', format];
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-u', ...base, path, size]);
}

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'chains-'));
  process.chdir(folder);
  mkdirSync('sub');
  writeFileSync(
    'r.raw',
    noise(1_000_000, 1).map((byte) => byte | 1),
  );
  writeFileSync(
    'sub/r.raw',
    noise(1_000_000, 2).map((byte) => byte | 1),
  );
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'base.qcow2', '1M']);
  await make('qemu-io', ['-c', 'write -P 1 0 256k', 'base.qcow2']);
  await make('qemu-img', ['snapshot', '-c', 'before', 'base.qcow2']);
  await overlay('top.qcow2', 'base.qcow2', 'qcow2');
  await make('qemu-io', ['-c', 'write -P 2 128k 256k', 'top.qcow2']);
  await overlay('sub/top.qcow2', '../top.qcow2', 'qcow2', '2M');
  await overlay('sub/on-raw.qcow2', 'r.raw', 'raw');
  await overlay('absolute.qcow2', join(folder, 'sub/r.raw'), 'raw');
  await overlay('with-protocol.qcow2', 'file:r.raw', 'raw');
  await overlay('on-nothing.qcow2', 'nothing', 'raw');
  await overlay('on-on-nothing.qcow2', 'on-nothing.qcow2', 'qcow2');
  await overlay('on-folder.qcow2', 'sub', 'raw');
  await overlay('on-strange.qcow2', 'strange:name', 'qcow2');
  await overlay('on-wrong-format.qcow2', 'r.raw', 'qcow2');
  await overlay('loop-1.qcow2', 'loop-2.qcow2', 'qcow2');
  await overlay('loop-2.qcow2', 'loop-1.qcow2', 'qcow2');
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'damaged.qcow2', '1M']);
  truncateSync('damaged.qcow2', 60);
  await overlay('on-damaged.qcow2', 'damaged.qcow2', 'qcow2');
  copyFileSync('base.qcow2', 'né "q"\u0001😀.qcow2');
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

const SOUND = ['top', 'sub/top', 'sub/../top', 'sub/on-raw', 'absolute', 'with-protocol'];
const BROKEN = ['on-nothing', 'on-on-nothing', 'on-folder', 'on-strange', 'on-wrong-format'];

describe.skipIf(!available)('chains of backing files', () => {
  it.each([...SOUND, ...BROKEN, 'on-damaged'])('%s', async (name) => {
    const path = `${name}.qcow2`;
    await expectSame(['info', path]);
    await expectSame(['info', '--output=json', path]);
    await expectSame(['info', '--backing-chain', path]);
    await expectSame(['info', '--backing-chain', '--output=json', path]);
    await expectSame(['check', path]);
    await expectSame(['map', path]);
    await expectSame(['map', '--output=json', path]);
    await expectSame(['compare', path, 'top.qcow2']);
  });

  it.each(SOUND)('%s copied out', async (name) => {
    await expectSame(['convert', '-O', 'raw', `${name}.qcow2`, 'real.raw']);
    const expected = await hashOf('real.raw');
    await qemuImg(['convert', '-O', 'raw', `${name}.qcow2`, 'real.raw']);
    expect(await hashOf('real.raw')).toBe(expected);
  });

  it('a loop is seen by info', async () => {
    await expectSame(['info', 'loop-1.qcow2']);
    await expectSame(['info', '--backing-chain', 'loop-1.qcow2']);
    await expectSame(['info', '--backing-chain', '--output=json', 'loop-1.qcow2']);
  });

  it('a loop is found at once, not when there are no more files to open', async () => {
    const { stderr, exitCode } = await ours(['map', 'loop-1.qcow2']);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^qemu-img: Could not open 'loop-1.qcow2': Could not open backing file/);
    expect(stderr).toMatch(/Backing file '.*loop-[12].qcow2' creates an infinite loop.\n$/);
  });

  it('names of all kinds come out as they are', async () => {
    const name = 'né "q"\u0001😀.qcow2';
    await expectSame(['info', name]);
    await expectSame(['info', '--output=json', name]);
    await expectSame(['check', '--output=json', name]);
    await expectSame(['map', name]);
  });
});

describe.skipIf(!available)('several sources', () => {
  /** Both programs write to a file of their own, on top of the same content. */
  async function expectSameResult(args: readonly string[], prepare: (path: string) => void) {
    for (const path of ['real.raw', 'own.raw']) prepare(path);
    const real = await qemuImg([...args, 'real.raw']);
    const own = await ours([...args, 'own.raw']);
    expect(own).toEqual(real);
    expect(await hashOf('own.raw')).toBe(await hashOf('real.raw'));
  }
  const nothing = (path: string) => {
    rmSync(path, { force: true });
  };
  const noisy = (size: number) => (path: string) => {
    writeFileSync(path, noise(size, 5));
  };
  const zeros = (size: number) => (path: string) => {
    writeFileSync(path, new Uint8Array(size));
  };

  it.each([
    ['r.raw top.qcow2 base.qcow2', nothing],
    ['top.qcow2 r.raw', nothing],
    ['-S 0 top.qcow2', nothing],
    ['-S 64k top.qcow2', nothing],
    ['-S 512 r.raw', nothing],
    ['-m 1 -W top.qcow2', nothing],
    ['-C top.qcow2', nothing],
    ['top.qcow2', noisy(3_000_000)],
    ['-o preallocation=full top.qcow2', noisy(3_000_000)],
    ['-n top.qcow2', noisy(1024 * 1024)],
    ['-n top.qcow2', noisy(3_000_000)],
    ['-n top.qcow2 r.raw', noisy(3 * 1024 * 1024)],
    ['-n --target-is-zero top.qcow2', zeros(1024 * 1024)],
    ['-n --target-is-zero top.qcow2 base.qcow2', zeros(3 * 1024 * 1024)],
  ])('convert %s', async (line, prepare) => {
    await expectSameResult(['convert', '-O', 'raw', ...line.split(' ')], prepare);
  });
});

describe.skipIf(!available)('snapshots with everything', () => {
  it('are listed with their machine state and times', async () => {
    const path = 'snapshots.qcow2';
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', path, '1M']);
    for (const name of ['short', 'a name that is much longer than its column', 'né']) {
      await make('qemu-img', ['snapshot', '-c', name, path]);
    }
    const { Qcow2Editor } = await import('./qcow2-editor.ts');
    const image = new Qcow2Editor(path);
    const first = image.snapshots;
    image.setEntry(first + 24, 123_456_789_012_345n);
    image.bytes.writeUInt32BE(123_456_789, first + 32);
    image.setEntry(first + 40, 5_000_000_000n);
    image.setEntry(first + 56, 9_876_543_210_123n);
    image.save(path);
    await expectSame(['info', path]);
    await expectSame(['info', '--output=json', path]);
    // Never recorded: all ones.
    image.setEntry(first + 56, 2n ** 64n - 1n);
    image.save(path);
    await expectSame(['info', path]);
    await expectSame(['info', '--output=json', path]);
  });
});
