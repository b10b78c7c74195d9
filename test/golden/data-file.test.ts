/** External data files: what the real program reads of them, and where it refuses. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { available, expectSame, hashOf, make, ours } from './programs.ts';
import { COMPRESSED, Qcow2Editor } from './qcow2-editor.ts';

let folder = '';
const before = process.cwd();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'data-file-'));
  process.chdir(folder);
});

afterEach(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

async function create(options: string, path = 'image.qcow2', data = 'data'): Promise<void> {
  const all = `data_file=${data}${options === '' ? '' : `,${options}`}`;
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', all, path, '4M']);
}

async function write(...commands: string[]): Promise<void> {
  await make('qemu-io', [...commands.flatMap((command) => ['-c', command]), 'image.qcow2']);
}

async function expectSameContent(path = 'image.qcow2'): Promise<void> {
  await make('qemu-img', ['convert', '-O', 'raw', path, 'theirs']);
  expect(await ours(['convert', '-O', 'raw', path, 'mine'])).toMatchObject({ exitCode: 0 });
  expect(await hashOf('mine')).toBe(await hashOf('theirs'));
}

async function expectSameEverywhere(path = 'image.qcow2'): Promise<void> {
  for (const command of ['info', 'check', 'map']) {
    await expectSame([command, path]);
    await expectSame([command, '--output=json', path]);
  }
}

describe.skipIf(!available)('an external data file', () => {
  it.each([
    '',
    'cluster_size=512',
    'cluster_size=2M',
    'extended_l2=on',
    'extended_l2=on,cluster_size=16k',
    'lazy_refcounts=on,refcount_bits=1',
  ])('is read (%s)', async (options) => {
    await create(options);
    // What a part of a cluster leaves is a hole, and only the file system knows of it.
    await write('write -P 1 0 2M', 'write -z 1M 64k', 'discard 256k 64k', 'write -P 7 2M 2M');
    await expectSameEverywhere();
    await expectSameContent();
    await expectSame(['compare', 'image.qcow2', 'theirs']);
  });

  it('is read where it is raw too', async () => {
    await create('data_file_raw=on');
    await write('write -P 1 0 4M', 'write -z 1M 64k', 'discard 2M 64k');
    await expectSameContent();
    await expectSame(['check', 'image.qcow2']);
    await expectSame(['info', 'image.qcow2']);
  });

  it('may be shorter than the disk', async () => {
    await create('');
    await write('write -P 5 0 4M');
    truncateSync('data', 1_000_000);
    await expectSameContent();
  });

  it('is looked for where the command runs, and not beside the image', async () => {
    mkdirSync('sub');
    await create('', 'sub/image.qcow2', 'data');
    await make('qemu-io', ['-c', 'write -P 3 0 1M', 'sub/image.qcow2']);
    await expectSameContent('sub/image.qcow2');
    await expectSameEverywhere('sub/image.qcow2');
    renameSync('data', 'sub/data');
    await expectSame(['map', 'sub/image.qcow2']);
  });

  it('belongs to a backing image too', async () => {
    await create('');
    await write('write -P 5 0 1M');
    const base = ['-b', 'image.qcow2', '-F', 'qcow2'];
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...base, 'top.qcow2']);
    await make('qemu-io', ['-c', 'write -P 6 64k 64k', 'top.qcow2']);
    await expectSameEverywhere('top.qcow2');
    await expectSameContent('top.qcow2');
    renameSync('data', 'elsewhere');
    for (const command of ['info', 'check', 'map']) await expectSame([command, 'top.qcow2']);
  });

  it('is missed where it is needed', async () => {
    await create('');
    await write('write -P 1 0 1M');
    renameSync('data', 'elsewhere');
    for (const command of ['info', 'check', 'map']) await expectSame([command, 'image.qcow2']);
    await expectSame(['convert', '-O', 'raw', 'image.qcow2', 'out']);
    await expectSame(['compare', 'image.qcow2', 'elsewhere']);
  });
});

describe.skipIf(!available)('a damaged image with an external data file', () => {
  it.each([
    ['another place', (entry: bigint) => entry + 0x10000n],
    ['no whole cluster', (entry: bigint) => entry + 0x200n],
    ['compressed data', (entry: bigint) => entry | COMPRESSED],
  ])('whose entry claims %s', async (_, damage) => {
    await create('cluster_size=64k');
    await write('write -P 1 0 1M');
    const image = new Qcow2Editor('image.qcow2');
    const at = image.l2(3);
    image.change(at, damage);
    image.save('image.qcow2');
    await expectSame(['check', 'image.qcow2']);
    await expectSame(['map', '--output=json', 'image.qcow2']);
    await expectSame(['convert', '-O', 'raw', 'image.qcow2', 'out']);
  });
});
