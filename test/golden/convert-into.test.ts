/** `convert -n`: into images that are there, whatever they hold. */
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
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
  folder = mkdtempSync(join(tmpdir(), 'convert-into-'));
  process.chdir(folder);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'base', '3M']);
  await io('base', 'write -P 1 0 2M');
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', 'base', '-F', 'qcow2', 'src', '3M']);
  await io('src', 'write -P 2 100k 300k', 'write -z 1M 200k', 'write -P 3 2500k 100k');
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'next', '501k']);
  await io('next', 'write -P 4 500k 1k', 'write -c -P 5 64k 64k');
  writeFileSync('plain', Buffer.concat([Buffer.alloc(700_000, 7), Buffer.alloc(300_000)]));
  await make('qemu-img', ['convert', '-c', '-O', 'qcow2', 'src', 'cut']);
  truncateSync('cut', 262144 + 65536);
  // Targets of every kind, full of something else.
  for (const [name, options] of [
    ['t64k', 'cluster_size=64k'],
    ['t512', 'cluster_size=512'],
    ['t2M', 'cluster_size=2M'],
    ['tparts', 'extended_l2=on,cluster_size=16k'],
    ['told', 'compat=0.10'],
    ['tzstd', 'compression_type=zstd,refcount_bits=64'],
  ] as const) {
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, name, '4M']);
    await io(name, 'write -P 9 0 2M', 'write -z 300k 100k', 'write -P 8 3000k 500k');
    await make('qemu-img', ['snapshot', '-c', 'then', name]);
    await io(name, 'write -P 6 0 100k', 'discard 1M 256k');
  }
  const over = ['-b', 'base', '-F', 'qcow2', 'tover', '4M'];
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...over]);
  await io('tover', 'write -P 9 1M 1M');
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'tempty', '4M']);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'tsmall', '1M']);
  writeFileSync('traw', Buffer.alloc(4 * 1024 * 1024, 9));
  writeFileSync('tshort', Buffer.alloc(1024));
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

const TARGETS = ['t64k', 't512', 't2M', 'tparts', 'told', 'tzstd', 'tover', 'tempty'];

const contentOf = async (file: string, ...more: string[]): Promise<Buffer> => {
  await make('qemu-img', ['convert', '-O', 'raw', ...more, file, 'content']);
  return readFileSync('content');
};

/** Both programs write into copies of the target. */
async function expectSameContent(line: string, target: string): Promise<void> {
  const args = line.split(' ');
  const isRaw = target.startsWith('traw');
  cpSync(target, 'real');
  cpSync(target, 'mine');
  const real = await qemuImg(['convert', ...args, 'real']);
  expect(real.exitCode, real.stderr).toBe(0);
  expect(await ours(['convert', ...args, 'mine']), line).toEqual(real);
  const format = ['-f', isRaw ? 'raw' : 'qcow2'];
  expect((await contentOf('mine', ...format)).equals(await contentOf('real', ...format))).toBe(
    true,
  );
  if (isRaw) return;
  const checked = await qemuImg(['check', 'mine']);
  expect(checked.stdout + checked.stderr).toMatch(/^No errors were found/);
  if (target === 'tover' || target === 'tempty') return;
  const kept = await contentOf('mine', '-l', 'then');
  expect(kept.equals(await contentOf(target, '-l', 'then'))).toBe(true);
}

describe.skipIf(!available)('convert into an image that is there', () => {
  describe.each(TARGETS)('%s', (target) => {
    it.each([
      '-n -O qcow2 src',
      '-n -O qcow2 -S 0 src',
      '-n -O qcow2 next src next',
      '-n -O qcow2 --target-is-zero plain',
      '-n -O qcow2 -B base src',
    ])('%s', (line) => expectSameContent(line, target));
  });

  it.each(['-n -f qcow2 src', '-n -O raw -S 0 -f qcow2 src', '-n -f qcow2 -B base src'])(
    'raw: %s',
    (line) => expectSameContent(line, 'traw'),
  );

  it.each([
    '-n -O qcow2 -m 1 -W -T none -t none -U src',
    '-n -O qcow2 -C src',
    '-n -O qcow2 -r 1G src',
    '-n -q -O qcow2 -F qcow2 src',
  ])('%s', (line) => expectSameContent(line, 't64k'));

  it('packs what is written over, which the real program refuses', async () => {
    cpSync('t64k', 'mine');
    expect(await ours(['convert', '-n', '-c', '-O', 'qcow2', 'src', 'mine'])).toMatchObject({
      ...{ exitCode: 0, stderr: '' },
    });
    expect((await qemuImg(['check', 'mine'])).stdout).toMatch(
      /^No errors .* [1-9][\d.]*% compressed/s,
    );
    cpSync('t64k', 'real');
    await make('qemu-img', ['convert', '-n', '-O', 'qcow2', 'src', 'real']);
    expect((await contentOf('mine')).equals(await contentOf('real'))).toBe(true);
  });

  it('describes the target by options', async () => {
    cpSync('t64k', 'mine');
    for (const driver of ['driver=qcow2,', '']) {
      const options = `${driver}file.filename=mine`;
      const done = await ours(['convert', '-n', '--target-image-opts', 'src', options]);
      expect(done).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    }
    expect((await qemuImg(['check', 'mine'])).exitCode).toBe(0);
  });

  it.each([
    '-n -O qcow2 src tsmall',
    '-n src tshort',
    '-n -O qcow2 src nowhere',
    '-n -O qcow2 src traw',
    '-n -c src traw',
    '-n -O qcow2 --target-is-zero -B x src t64k',
    '-n -O qcow2 -B x src src t64k',
    '-n --target-image-opts -O qcow2 src driver=qcow2,file.filename=t64k',
    '-n --target-image-opts src driver=qcow2,file.filename=nowhere',
    '-n --target-image-opts src driver=qcow2,file.filename=traw',
    '-n -O qcow2 src src',
    '-n -O nothing src t64k',
    '-n -O qcow2 -t nothing src t64k',
    '-n -O qcow2 -o size=5M src t64k',
    '-n -O qcow2 -m 1 cut t64k',
  ])('refused: %s', async (line) => {
    const old = readFileSync('t64k');
    const real = await qemuImg(['convert', ...line.split(' ')]);
    // What the real program has written by then stays.
    writeFileSync('t64k', old);
    expect(await ours(['convert', ...line.split(' ')]), line).toEqual(real);
    expect(readFileSync('t64k').equals(old)).toBe(true);
  });
});
