/** What persistent bitmaps mark: the real qemu-nbd exports it, qemu-img map shows what it exports. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { available, make, ours, qemuImg } from './programs.ts';
import { Qcow2Editor } from './qcow2-editor.ts';

interface Marked {
  start: number;
  length: number;
}

let folder = '';
let path = '';
let server: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bitmaps-'));
  path = join(folder, 'image.qcow2');
});

afterEach(() => {
  server?.kill();
  server = undefined;
  rmSync(folder, { recursive: true });
});

async function create(size: string, options: string): Promise<void> {
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, path, size]);
}

async function write(...commands: string[]): Promise<void> {
  await make('qemu-io', [...commands.flatMap((command) => ['-c', command]), path]);
}

/** A dirty granule is exported as one that has no data. */
async function marksOfReal(bitmap: string): Promise<Marked[]> {
  const socket = join(folder, 'socket');
  server = spawn('qemu-nbd', ['-r', '-f', 'qcow2', '-B', bitmap, '-k', socket, path]);
  for (let tries = 0; !existsSync(socket) && tries < 200; tries++) await setTimeout(20);
  const node = `driver=nbd,export=,server.type=unix,server.path=${socket}`;
  const context = `x-dirty-bitmap=qemu:dirty-bitmap:${bitmap}`;
  const args = ['map', '--output=json', '--image-opts', `${node},${context}`];
  const { stdout, stderr, exitCode } = await qemuImg(args);
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
  const runs = JSON.parse(stdout) as (Marked & { data: boolean })[];
  const marked = runs.filter(({ data }) => !data).map(({ start, length }) => ({ start, length }));
  return joined(marked);
}

/** Runs that touch each other, as one. */
function joined(runs: readonly Marked[]): Marked[] {
  const result: Marked[] = [];
  for (const run of runs) {
    const last = result.at(-1);
    if (last !== undefined && last.start + last.length === run.start) last.length += run.length;
    else result.push({ ...run });
  }
  return result;
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
      expect(await marksOfOurs(bitmap)).toEqual(await marksOfReal(bitmap));
      server?.kill();
      rmSync(join(folder, 'socket'), { force: true });
    }
  });

  it('of a whole part of ones, and of one whole disk', async () => {
    await create('64M', 'cluster_size=512');
    await make('qemu-img', ['bitmap', '--add', '-g', '512', path, 'all']);
    await write('write -z 0 64M', 'write 0 64k');
    const marked = await marksOfReal('all');
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
