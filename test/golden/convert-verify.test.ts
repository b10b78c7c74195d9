/** `convert --verify`, which the real program does not have: every way of converting, read again. */
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
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

/** What `snapshot -l` prints, without what it cost to keep them. */
async function listOf(file: string): Promise<string> {
  return (await qemuImg(['snapshot', '-l', file])).stdout;
}

async function rawOf(file: string, ...more: string[]): Promise<Buffer> {
  await make('qemu-img', ['convert', '-O', 'raw', ...more, file, 'raw']);
  return readFileSync('raw');
}

describe.skipIf(!available)('convert --snapshots', () => {
  beforeAll(async () => {
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4k', 'many', '3M']);
    await io('many', 'write -P 1 0 1M', 'write -c -P 2 1M 64k');
    for (const name of ['a', 'b', 'gone', 'c']) {
      await make('qemu-img', ['snapshot', '-c', name, 'many']);
      const start = String(100 * name.charCodeAt(0) - 9000);
      await io('many', `write -P 3 ${start}k 90k`, 'write -z 200k 50k');
      await io('many', `write -c -P 4 ${String(2048 + 64 * (name.charCodeAt(0) - 96))}k 64k`);
    }
    await make('qemu-img', ['snapshot', '-d', 'gone', 'many']);
    await make('qemu-img', ['resize', '-q', 'many', '4M']);
    await io('many', 'write -P 5 3500k 300k');
    await make('qemu-img', ['snapshot', '-c', 'larger', 'many']);
    await make('qemu-img', ['resize', '-q', '--shrink', 'many', '2500k']);
  });

  it.each([
    '-O qcow2',
    '-c -O qcow2',
    '-O qcow2 -o cluster_size=2M',
    '-c -O qcow2 -o cluster_size=1k,refcount_bits=32,compression_type=zstd',
    '-O qcow2 -o extended_l2=on',
    '-O qcow2 --verify',
  ])('%s', async (line) => {
    for (const source of ['many', 'src', 'odd']) {
      const done = await ours(['convert', '--snapshots', ...line.split(' '), source, 'out']);
      expect(done).toEqual({ exitCode: 0, stdout: '', stderr: '' });
      const checked = await qemuImg(['check', 'out']);
      expect(checked.stdout + checked.stderr).toMatch(/^No errors were found/);
      expect(await listOf('out')).toBe(await listOf(source));
      expect((await rawOf('out')).equals(await rawOf(source))).toBe(true);
      const names =
        source === 'many' ? ['a', 'b', 'c', 'larger'] : source === 'src' ? ['then'] : [];
      for (const name of names) {
        const [kept, old] = [await rawOf('out', '-l', name), await rawOf(source, '-l', name)];
        expect(kept.equals(old), name).toBe(true);
      }
    }
    // Applied, they have their old sizes and all of their content.
    await ours(['convert', '--snapshots', ...line.split(' '), 'many', 'out']);
    cpSync('many', 'copy');
    for (const name of ['larger', 'a']) {
      for (const file of ['out', 'copy']) await make('qemu-img', ['snapshot', '-a', name, file]);
      expect((await rawOf('out')).equals(await rawOf('copy')), name).toBe(true);
    }
  });

  it('keeps what snapshots share once', async () => {
    await ours(['convert', '--snapshots', '-O', 'qcow2', '-o', 'cluster_size=4k', 'many', 'out']);
    expect(statSync('out').size).toBeLessThan(statSync('many').size * 1.2);
  });

  it.each(['-O raw', '-n -O qcow2', '-O qcow2 -l a', '-O qcow2 -S 0', '-O qcow2 odd'])(
    'refused: %s',
    async (line) => {
      const { exitCode, stderr } = await ours([
        ...['convert', '--snapshots', ...line.split(' ')],
        ...['many', 'nothing'],
      ]);
      expect(exitCode).toBe(1);
      expect(stderr).toContain('--snapshots');
    },
  );
});
