/** `convert --verify`, which the real program does not have: every way of converting, read again. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { available, make, ours, qemuImg } from './programs.ts';

let folder = '';
const before = process.cwd();

const io = (file: string, ...commands: string[]): Promise<void> =>
  make('qemu-io', [...commands.flatMap((one) => ['-c', one]), file]);

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'convert-verify-'));
  process.chdir(folder);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'base', '2M']);
  await io('base', 'write -P 1 0 1M');
  writeFileSync('other', Buffer.alloc(2 * 1024 * 1024, 5));
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', 'base', '-F', 'qcow2', 'src', '2M']);
  await io('src', 'write -P 2 100k 300k', 'write -z 500k 200k', 'write -c -P 9 1M 64k');
  await make('qemu-img', ['snapshot', '-c', 'then', 'src']);
  await io('src', 'write -P 3 0 900k');
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'odd', '333k']);
  await io('odd', 'write -c -P 7 64k 64k', 'write -P 8 300k 33k');
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'there', '4M']);
  await io('there', 'write -P 4 0 4M');
  writeFileSync('plain', Buffer.alloc(3000, 6));
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

describe.skipIf(!available)('convert --verify', () => {
  it.each([
    'src out',
    '-l then src out',
    'odd src odd plain out',
    '-O qcow2 odd src odd plain out',
    '-c -O qcow2 odd src odd out',
    '-O qcow2 -B base -F qcow2 src out',
    '-c -O qcow2 -o compression_type=zstd -B base -F qcow2 src out',
    '-n -O qcow2 odd src there',
    '-n --target-image-opts odd driver=qcow2,file.filename=there',
    '-O qcow2 --object secret,id=s,data=x -o encryption=on,encrypt.key-secret=s odd src odd out',
  ])('%s', async (line) => {
    const done = await ours(['convert', '--verify', ...line.split(' ')]);
    expect(done).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });

  it('says where the result differs', async () => {
    const line = '--verify -O qcow2 -B other -F raw src out';
    const { exitCode, stderr } = await ours(['convert', ...line.split(' ')]);
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      "qemu-img: Verification failed: 'out' and 'src' differ at byte 983040 of the latter\n",
    );
    expect((await qemuImg(['compare', 'out', 'src'])).stdout).toContain('offset 983040!');
  });

  it('does not go with --salvage', async () => {
    const { exitCode, stderr } = await ours(['convert', '--verify', '--salvage', 'src', 'out']);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('cannot be verified');
  });
});
