/** What persistent bitmaps mark: the real qemu-nbd exports it, qemu-img map shows what it exports. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { marksOfReal, type Marked } from './marks.ts';
import { available, make, ours } from './programs.ts';
import { Qcow2Editor } from './qcow2-editor.ts';

let folder = '';
let path = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bitmaps-'));
  path = join(folder, 'image.qcow2');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

async function create(size: string, options: string): Promise<void> {
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, path, size]);
}

async function write(...commands: string[]): Promise<void> {
  await make('qemu-io', [...commands.flatMap((command) => ['-c', command]), path]);
}

async function marksOfOurs(bitmap: string, ...more: string[]): Promise<Marked[]> {
  const args = ['map', '--bitmap', bitmap, '--output=json', ...more, path];
  const { stdout, stderr, exitCode } = await ours(args);
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
  return JSON.parse(stdout) as Marked[];
}

describe.skipIf(!available)('the ranges that a bitmap marks', () => {
  it.each([
    ['4M', 'cluster_size=64k', 65536],
    ['4M', 'cluster_size=512', 512],
    ['100M', 'cluster_size=512', 4096],
    ['1G', 'cluster_size=4k', 512],
    ['3000001k', 'cluster_size=2M', 2 ** 31],
    ['100000k', 'extended_l2=on', 32768],
  ])('%s, %s, %d bytes a bit', async (size, options, granularity) => {
    await create(size, options);
    const add = ['bitmap', '--add', '-g', String(granularity), path];
    await make('qemu-img', [...add, 'some']);
    await write(
      'write 0 512',
      'write 1M 64k',
      'write 1536k 512',
      'write -z 2M 1M',
      'discard 3M 64k',
    );
    await make('qemu-img', [...add, 'none']);
    for (const bitmap of ['some', 'none']) {
      expect(await marksOfOurs(bitmap)).toEqual(await marksOfReal(folder, path, bitmap));
    }
  });

  it('of a whole part of ones, and of one whole disk', async () => {
    await create('64M', 'cluster_size=512');
    await make('qemu-img', ['bitmap', '--add', '-g', '512', path, 'all']);
    await write('write -z 0 64M', 'write 0 64k');
    const marked = await marksOfReal(folder, path, 'all');
    expect(marked).toEqual([{ start: 0, length: 64 * 1024 * 1024 }]);
    expect(await marksOfOurs('all')).toEqual(marked);
    const part = ['--start-offset', '1M', '--max-length', '4k'];
    expect(await marksOfOurs('all', ...part)).toEqual([{ start: 1 << 20, length: 4096 }]);
    const text = await ours(['map', '--bitmap', 'all', path]);
    expect(text.stdout).toBe('Offset          Length\n0               0x4000000\n');
  });

  it('cannot be had where there is no such bitmap', async () => {
    await create('1M', 'cluster_size=64k');
    const answer = await ours(['map', '--bitmap', 'b', path]);
    expect(answer).toEqual({
      stdout: '',
      stderr: "qemu-img: Bitmap 'b' not found\n",
      exitCode: 1,
    });
  });

  it('comes with a warning when it was not saved cleanly, with an error when it is damaged', async () => {
    await create('1M', 'cluster_size=64k');
    await make('qemu-img', ['bitmap', '--add', path, 'b']);
    await write('write 0 64k');
    const image = new Qcow2Editor(path);
    const extension = image.bytes.indexOf('23852875', 'hex');
    const directory = Number(image.entry(extension + 24));
    image.bytes.writeUInt32BE(3, directory + 12);
    image.save(path);
    expect((await ours(['map', '--bitmap', 'b', path])).stderr).toContain('not saved cleanly');
    const table = Number(image.entry(directory));
    image.change(table, (entry) => entry | 8n);
    image.save(path);
    const answer = await ours(['map', '--bitmap', 'b', path]);
    expect(answer.exitCode).toBe(1);
    expect(answer.stderr).toContain("qemu-img: Bitmap 'b' is damaged: table entry 0\n");
  });
});
