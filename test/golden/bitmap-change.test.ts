/**
 * `bitmap`: random lives of bitmaps with our program and the real one side by side, on copies;
 * either of them is what the next step works on.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { pick, randomFor, type Random } from './histories.ts';
import { marksOfReal } from './marks.ts';
import { available, expectSameInTurn, make, ours, qemuImg, type Outcome } from './programs.ts';
import { Qcow2Editor } from './qcow2-editor.ts';

let folder = '';
let path = '';
const before = process.cwd();

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'bitmap-change-'));
  process.chdir(folder);
  await create('template.qcow2', '10M');
  await create('old.qcow2', '10M', 'compat=0.10');
  await create('small.qcow2', '1M');
  writeFileSync('r.raw', Buffer.alloc(65536));
  await make('qemu-img', ['bitmap', '--add', 'template.qcow2', 'b']);
  await make('qemu-img', ['bitmap', '--add', 'small.qcow2', 'small']);
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

beforeEach(() => {
  path = 'image.qcow2';
});

afterEach(() => {
  for (const name of ['image.qcow2', 'other.qcow2', 'real.qcow2']) {
    rmSync(name, { force: true });
  }
});

const LIVES = Number(process.env['GOLDEN_BITMAP_LIVES'] ?? 8);
const FIRST = Number(process.env['GOLDEN_BITMAP_FIRST'] ?? 1);

interface Info {
  'format-specific': { data: { bitmaps?: { name: string; flags: string[] }[] } };
}

async function create(name: string, size: string, options = 'cluster_size=64k'): Promise<void> {
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, name, size]);
}

async function write(name: string, ...commands: string[]): Promise<void> {
  await make('qemu-io', [...commands.flatMap((command) => ['-c', command]), name]);
}

async function bitmapsOf(name: string) {
  const { stdout } = await qemuImg(['info', '--output=json', name]);
  return (JSON.parse(stdout) as Info)['format-specific'].data.bitmaps ?? [];
}

/** What all bitmaps mark. */
async function contentsOf(name: string): Promise<string[]> {
  const texts: string[] = [];
  for (const bitmap of await bitmapsOf(name)) {
    const { stdout, exitCode } = await ours([
      'map',
      '--output=json',
      '--bitmap',
      bitmap.name,
      name,
    ]);
    expect(exitCode).toBe(0);
    texts.push(`${bitmap.name} ${bitmap.flags.join()} ${stdout}`);
  }
  return texts;
}

/** The text of `info` without what belongs to the file: its name and what it takes. */
async function infoOf(name: string): Promise<string> {
  const { stdout } = await qemuImg(['info', name]);
  return stdout.replace(/^image: .*\n/, '').replace(/disk size: .*/, '');
}

async function expectSound(name: string, message = ''): Promise<void> {
  const { stdout, stderr, exitCode } = await qemuImg(['check', name]);
  expect(exitCode, `${message}\n${stdout}${stderr}`).toBe(0);
}

function anyNode({ stdout, stderr, exitCode }: Outcome): Outcome {
  const text = stderr
    .replaceAll('real.qcow2', path)
    .replace(/ in '(#block\d+|image.qcow2)'/, ' in IT');
  return { stdout, stderr: text, exitCode };
}

function someActions(random: Random): string[] {
  const words: string[] = [];
  for (let count = 1 + random(3); count > 0; count--) {
    const action = pick(random, [
      'add',
      'add',
      'merge',
      'merge',
      'remove',
      'clear',
      'enable',
      'disable',
    ]);
    words.push(`--${action}`, ...(action === 'merge' ? [`b${random(3)}`] : []));
  }
  if (words.includes('--merge') && random(3) === 0) words.push('-b', 'other.qcow2', '-F', 'qcow2');
  if (words.includes('--add') && random(3) > 0) words.push('-g', String(512 * 2 ** random(9)));
  return words;
}

function someWrite(random: Random, size: number): string {
  const offset = random(size / 512) * 512;
  const length = Math.min(size - offset, 512 * (1 + random(pick(random, [2, 200, 20000]))));
  return `${pick(random, ['write', 'write -z', 'discard'])} ${offset} ${length}`;
}

describe.skipIf(!available)('bitmap', () => {
  it.each(Array.from({ length: LIVES }, (_, index) => FIRST + index))(
    'does in life %d what the real program does',
    { timeout: 60_000 },
    async (seed) => {
      const random = randomFor(seed);
      const size = pick(random, [64 * 1024, 4 * 2 ** 20, 40 * 2 ** 20 + 512, 300 * 2 ** 20]);
      const clusterSize = pick(random, ['512', '4k', '64k', '64k', '2M']);
      await create(path, String(size), `cluster_size=${clusterSize}`);
      await create('other.qcow2', String(size), 'cluster_size=1k');
      for (const name of ['b0', 'b1']) {
        const granularity = String(512 * 2 ** random(9));
        await make('qemu-img', ['bitmap', '--add', '-g', granularity, 'other.qcow2', name]);
        await write('other.qcow2', someWrite(random, size), someWrite(random, size));
      }
      const steps: string[] = [];
      for (let step = 0; step < 8; step++) {
        if (random(2) === 0) await write(path, someWrite(random, size), someWrite(random, size));
        copyFileSync(path, 'real.qcow2');
        const actions = someActions(random);
        const name = `b${random(3)}`;
        steps.push(`${actions.join(' ')} ${name}`);
        const message = `${String(seed)}: ${steps.join(', ')}`;
        const own = await ours(['bitmap', ...actions, path, name]);
        const real = await qemuImg(['bitmap', ...actions, 'real.qcow2', name]);
        expect(anyNode(own), message).toEqual(anyNode(real));
        await expectSound(path, message);
        // Where one action fails, the real program has done those before it.
        if (own.exitCode === 0) {
          expect(await infoOf(path), message).toBe(await infoOf('real.qcow2'));
          expect(await contentsOf(path), message).toEqual(await contentsOf('real.qcow2'));
        }
        if (own.exitCode !== 0 || random(3) === 0) copyFileSync('real.qcow2', path);
      }
    },
  );

  it('writes what the real program exports', async () => {
    await create(path, '100M', 'cluster_size=4k');
    await make('qemu-img', ['bitmap', '--add', '-g', '4k', path, 'fine']);
    await write(path, 'write 0 512', 'write 33M 1M', 'write 99M 1M');
    for (const words of [
      ['--add', '-g', '64k', '--merge', 'fine', '--disable'],
      ['--add', '-g', '4k', '--merge', 'fine'],
    ]) {
      const name = `copy${words[2] ?? ''}`;
      const done = await ours(['bitmap', ...words, path, name]);
      expect(done).toEqual({ stdout: '', stderr: '', exitCode: 0 });
    }
    await expectSound(path);
    expect(await marksOfReal(folder, path, 'copy4k')).toEqual([
      { start: 0, length: 4096 },
      { start: 33 * 2 ** 20, length: 2 ** 20 },
      { start: 99 * 2 ** 20, length: 2 ** 20 },
    ]);
    expect((await marksOfReal(folder, path, 'copy64k'))[0]).toEqual({ start: 0, length: 65536 });
  });

  it('has a part of ones as an entry of the table, which the real program reads', async () => {
    await create(path, '8M', 'cluster_size=512');
    await create('other.qcow2', '8M', 'cluster_size=512');
    await make('qemu-img', ['bitmap', '--add', '-g', '64k', 'other.qcow2', 'all']);
    await write('other.qcow2', 'write -z 0 8M');
    const words = ['--add', '-g', '512', '--merge', 'all', '-b', 'other.qcow2'];
    expect((await ours(['bitmap', ...words, path, 'all'])).exitCode).toBe(0);
    const image = new Qcow2Editor(path);
    const extension = image.bytes.indexOf('23852875', 'hex');
    const table = Number(image.entry(Number(image.entry(extension + 24))));
    expect(image.entry(table)).toBe(1n);
    await expectSound(path);
    const everything = [{ start: 0, length: 8 * 2 ** 20 }];
    expect(await marksOfReal(folder, path, 'all')).toEqual(everything);
    expect(
      (await ours(['bitmap', '--add', '-g', '1k', '--merge', 'all', path, 'x'])).exitCode,
    ).toBe(0);
    expect(await marksOfReal(folder, path, 'x')).toEqual(everything);
    await make('qemu-img', ['bitmap', '--disable', path, 'all']);
    expect((await ours(['bitmap', '--clear', '--merge', 'x', path, 'all'])).exitCode).toBe(0);
    expect(await marksOfReal(folder, path, 'all')).toEqual(everything);
    await expectSound(path);
  });

  it('leaves one that was not saved cleanly as it is, or removes it', async () => {
    await create(path, '1M');
    for (const name of ['good', 'bad']) await make('qemu-img', ['bitmap', '--add', path, name]);
    await write(path, 'write 0 64k');
    const image = new Qcow2Editor(path);
    const extension = image.bytes.indexOf('23852875', 'hex');
    const directory = Number(image.entry(extension + 24));
    image.bytes.writeUInt32BE(3, directory + 32 + 12);
    image.save(path);
    for (const words of ['--enable', '--disable', '--clear', '--merge good', '--add']) {
      await same([...words.split(' '), path, 'bad']);
    }
    await same(['--merge', 'bad', path, 'good']);
    await same(['--disable', path, 'good']);
    expect((await bitmapsOf(path)).map(({ flags }) => flags)).toEqual([[], ['in-use', 'auto']]);
    await same(['--remove', path, 'bad']);
    await expectSound(path);
    await same(['--remove', path, 'good']);
    await expectSound(path);
    expect(await bitmapsOf(path)).toEqual([]);
  });

  it('starts anew where another program has written', async () => {
    await create(path, '1M');
    await make('qemu-img', ['bitmap', '--add', path, 'lost']);
    const image = new Qcow2Editor(path);
    image.set('autoclear', 1n << 5n);
    image.save(path);
    await same(['--enable', path, 'lost']);
    await same(['--add', path, 'next']);
    expect(new Qcow2Editor(path).get('autoclear')).toBe(1);
  });

  it('of images with an external data file, and whose backing file is gone', async () => {
    await create(path, '1M', 'data_file=image.data');
    await same(['--add', '-g', '4k', path, 'b']);
    await write(path, 'write 64k 4k');
    await same(['--add', '-g', '512', '--merge', 'b', path, 'c']);
    await expectSound(path);
    expect(await contentsOf(path)).toEqual(await contentsOf('real.qcow2'));
    rmSync(path);
    await make('qemu-img', [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-u',
      '-b',
      'gone',
      '-F',
      'raw',
      path,
      '1M',
    ]);
    await same(['--add', path, 'b']);
  });

  async function same(args: string[]): Promise<void> {
    copyFileSync(path, 'real.qcow2');
    const own = await ours(['bitmap', ...args]);
    const real = await qemuImg([
      'bitmap',
      ...args.map((one) => (one === path ? 'real.qcow2' : one)),
    ]);
    expect(anyNode(own), args.join(' ')).toEqual(anyNode(real));
    expect(await infoOf(path), args.join(' ')).toBe(await infoOf('real.qcow2'));
  }

  it.each([
    '',
    'image.qcow2 b',
    '--add image.qcow2',
    '--add image.qcow2 b c',
    '--add -g 1k -b x image.qcow2 z',
    '--merge nix image.qcow2 b',
    '--merge b -b old.qcow2 image.qcow2 b',
    '--merge b -b none image.qcow2 b',
    '--merge b -b r.raw -F raw image.qcow2 b',
    '--merge small -b small.qcow2 image.qcow2 b',
    '--merge b -b image.qcow2 image.qcow2 b',
    '--merge b -F qcow2 image.qcow2 b',
    '--enable -g 1k image.qcow2 b',
    '--add -g abc image.qcow2 b',
    '--add -g 100 image.qcow2 x',
    '--add -g 4G image.qcow2 x',
    '--add -g 3k image.qcow2 x',
    '--add -g -1 image.qcow2 x',
    '--add image.qcow2 b',
    "--add image.qcow2 ''",
    '--enable image.qcow2 c',
    '--remove image.qcow2 c',
    '--add none b',
    '--merge',
    '-q --add image.qcow2 x',
    '-U --add image.qcow2 x',
    '-f qcow2 --image-opts --add driver=qcow2,file.filename=image.qcow2 x',
    '-f raw --enable r.raw b',
    '--enable r.raw b',
    "-f raw --add r.raw ''",
    '-f raw --add -g 5 r.raw b',
  ])('refuses with the same words: %s', async (line) => {
    copyFileSync('template.qcow2', path);
    const kept = readFileSync(path);
    const words = line === '' ? [] : line.split(' ').map((word) => (word === "''" ? '' : word));
    const { exitCode } = await expectSameInTurn(['bitmap', ...words]);
    expect(exitCode).toBe(1);
    // The real program has written all bitmaps anew.
    writeFileSync(path, kept);
    await ours(['bitmap', ...words]);
    expect(readFileSync(path).equals(kept)).toBe(true);
  });

  it.each([
    ['v2.qcow2', 'compat=0.10', ['--add']],
    ['new.qcow2', 'compat=1.1', ['--add', '-g', '1G', '-g', '8G']],
    ['big.qcow2', 'cluster_size=2M', ['--add', '-g', '512']],
  ])('says what there can be none of: %s', async (name, options, words) => {
    path = name;
    await create(path, name === 'big.qcow2' ? '3T' : '1M', options);
    copyFileSync(path, 'real.qcow2');
    const own = await ours(['bitmap', ...words, path, 'b']);
    const real = await qemuImg(['bitmap', ...words, 'real.qcow2', 'b']);
    const masked = (outcome: Outcome) => outcome.stderr.replace(/ in '[^']*'/, ' in IT');
    expect(own.exitCode).toBe(real.exitCode);
    expect(masked(own)).toBe(masked(real));
    rmSync(path);
  });

  it('makes none for a disk without any room, which the real program would lose', async () => {
    await create(path, '0');
    const { exitCode, stderr } = await ours(['bitmap', '--add', path, 'b']);
    expect(exitCode).toBe(1);
    expect(stderr).toBe('qemu-img: Operation add on bitmap b failed: The disk is empty\n');
  });

  it('does all actions or none', async () => {
    await create(path, '1M');
    const kept = readFileSync(path);
    const { exitCode } = await ours(['bitmap', '--add', '--merge', 'nix', path, 'b']);
    expect(exitCode).toBe(1);
    expect(readFileSync(path).equals(kept)).toBe(true);
  });
});
