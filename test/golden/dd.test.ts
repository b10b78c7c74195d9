import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noise, randomNumbers } from './make-images.ts';
import { available, expectSameInTurn, hashOf, make, ours, qemuImg } from './programs.ts';
import { Qcow2Editor } from './qcow2-editor.ts';

let folder = '';
const before = process.cwd();

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'dd-'));
  process.chdir(folder);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'base.qcow2', '600k']);
  await make('qemu-io', ['-c', 'write -P 7 0 600k', 'base.qcow2']);
  const onBase = ['-b', 'base.qcow2', '-F', 'qcow2'];
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...onBase, 'a.qcow2', '1025k']);
  await make('qemu-io', [
    ...['-c', 'write -P 1 3k 70k', '-c', 'write -c -P 2 128k 64k'],
    ...['-c', 'write -z 256k 64k', '-c', 'write -P 3 1000k 25k', 'a.qcow2'],
  ]);
  writeFileSync('r.raw', noise(10_000, 1));
  writeFileSync('empty', '');
  mkdirSync('folder');
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

function words(line: string): string[] {
  return line === '' ? [] : line.split(' ').map((word) => (word === "''" ? '' : word));
}

const SAME = [
  ...['', '--what', '-z', '-f', '-U=3', '--force=3', '-O', '-n if=r.raw of=o'],
  ...['if=r.raw', 'of=o', 'foo', 'foo=1 if=r.raw of=o', 'if=r.raw of=o conv=sync', '=3', 'x='],
  ...[
    'if= of=o',
    'if=nothing of=o',
    'if=a=b of=o',
    'if=r.raw of=',
    'if=/ of=o',
    'if=strange:x of=o',
  ],
  ...['if=r.raw of=/', 'if=r.raw of=folder', 'if=r.raw of=nowhere/o', 'if=r.raw of=strange:x'],
  ...['if=a.qcow2 of=a.qcow2', 'if=a.qcow2 of=base.qcow2'],
  ...['-f what if=r.raw of=o', '-O what if=r.raw of=o', '-O what if=nothing of=o'],
  ...['-f qcow2 if=r.raw of=o', '-f x --image-opts if=r.raw of=o', 'if=r.raw -- -U', '-- if=r.raw'],
  ...['0', 'x', '-1', '', '2G', '2147483648', '9E', '16E', '1.5'].map(
    (bs) => `if=a.qcow2 of=o bs=${bs}`,
  ),
  ...['x', '-1', '', '9E'].map((count) => `if=r.raw of=o count=${count}`),
  ...['x', '-1', '', '9E'].map((skip) => `if=r.raw of=o skip=${skip}`),
  'if=nothing of=o bs=x',
  'bs=x foo',
];

/** What is copied; the real program's mistake with both `count` and `skip` is in none of them. */
const COPIES = [
  ...['if=r.raw', 'if=a.qcow2', 'if=empty', '-f raw if=a.qcow2', '-U -O raw if=r.raw'],
  ...['if=nothing if=r.raw', 'if=file:r.raw', '--image-opts if=driver=raw,file.filename=r.raw'],
  ...['1000', '512', '1b', '1.5k', '0x200', '0x1k', '4M', '1G', '2147483647', '010'].map(
    (bs) => `if=r.raw bs=${bs}`,
  ),
  ...['3000', '65536', '100000', '2M'].map((bs) => `if=a.qcow2 bs=${bs}`),
  ...['0', '1', '2', '3', '4', '100', '1k', '9223372036854775807'].map(
    (count) => `if=r.raw bs=3000 count=${count}`,
  ),
  ...['0', '1', '2', '3', '4', '5', '1k', '9223372036854775807'].map(
    (skip) => `if=r.raw bs=3000 skip=${skip}`,
  ),
  ...['19', '20', '21'].map((skip) => `if=r.raw skip=${skip}`),
  ...['0', '1', '15', '16', '17'].map((skip) => `if=a.qcow2 bs=64k skip=${skip}`),
  ...[
    'if=a.qcow2 bs=1000 count=77',
    'if=a.qcow2 bs=1000 skip=77',
    'if=empty skip=1',
    'if=empty count=1',
  ],
  // Both, where the end of the disk comes first
  ...[
    'if=r.raw bs=3000 count=100 skip=2',
    'if=r.raw skip=0 count=3',
    'if=r.raw bs=3000 count=9 skip=4',
  ],
  'if=r.raw bs=5000 bs=3000 count=7 count=2',
];

async function copies(line: string) {
  rmSync('real.raw', { force: true });
  rmSync('own.raw', { force: true });
  const real = await qemuImg(['dd', ...words(line), 'of=real.raw']);
  const own = await ours(['dd', ...words(line), 'of=own.raw']);
  expect(own, line).toEqual(real);
  expect(await hashOf('own.raw'), line).toBe(await hashOf('real.raw'));
  return own;
}

describe.skipIf(!available)('dd: the same answer to', () => {
  it.each(SAME)('%s', async (line) => {
    await expectSameInTurn(['dd', ...words(line)]);
  });

  it.each(COPIES)('%s, and the same bytes', async (line) => {
    expect((await copies(line)).exitCode).toBe(0);
  });

  it.each([
    ...COPIES.filter((_, index) => index % 2 === 0).map((line) => `-O qcow2 ${line}`),
    ...['513', '96k', '3M'].map((bs) => `-O qcow2 if=a.qcow2 bs=${bs}`),
  ])('%s, and the same bytes', async (line) => {
    expect((await copies(line.replace('-O raw ', ''))).exitCode).toBe(0);
  });

  it('what was in the output is gone', async () => {
    for (const name of ['real.raw', 'own.raw']) writeFileSync(name, noise(100_000, 2));
    await qemuImg(['dd', 'if=r.raw', 'of=real.raw', 'skip=3']);
    await ours(['dd', 'if=r.raw', 'of=own.raw', 'skip=3']);
    expect(await hashOf('own.raw')).toBe(await hashOf('real.raw'));
  });

  it('damage', async () => {
    for (const index of [0, 1, 2]) {
      const editor = new Qcow2Editor('a.qcow2');
      if (index === 2) editor.bytes[Number(editor.entry(editor.l2(2)) & 0xffffffffn)] = 0xff;
      else editor.change(editor.l2(index), (entry) => entry | 0x200n);
      editor.save('damaged.qcow2');
      await expectSameInTurn(['dd', 'if=damaged.qcow2', 'of=o', 'bs=64k']);
      await expectSameInTurn(['dd', 'if=damaged.qcow2', 'of=o', 'bs=64k', 'skip=4']);
    }
  });
});

const SEED = 4711;

describe.skipIf(!available)('dd: count and skip together', () => {
  it(`copies count blocks, as dd does (seed ${SEED})`, async () => {
    const random = randomNumbers(SEED);
    await make('qemu-img', ['convert', '-O', 'raw', 'a.qcow2', 'whole.raw']);
    const whole = readFileSync('whole.raw');
    for (let i = 0; i < 100; i++) {
      const bs = [1, 100, 512, 3000, 4096, 65536, 70_001][random(7)] ?? 1;
      const blocks = Math.ceil(whole.length / bs);
      const skip = random(blocks + 2);
      const count = random(blocks + 2);
      const part = whole.subarray(skip * bs, (skip + count) * bs);
      const expected = Buffer.alloc(Math.ceil(part.length / 512) * 512);
      part.copy(expected);
      const operands = [`bs=${bs}`, `skip=${skip}`, `count=${count}`];
      const own = await ours(['dd', 'if=a.qcow2', 'of=own.raw', ...operands]);
      expect(own.exitCode).toBe(0);
      expect(own.stderr.includes('cannot skip')).toBe(skip * bs > whole.length);
      expect(readFileSync('own.raw').equals(expected), operands.join(' ')).toBe(true);
    }
  });

  it('where the real program still copies too little', async () => {
    const line = ['dd', 'if=r.raw', 'bs=1000', 'skip=2', 'count=5'];
    await make('qemu-img', [...line, 'of=real.raw']);
    await ours([...line, 'of=own.raw']);
    expect(statSync('real.raw').size).toBe(3072);
    expect(statSync('own.raw').size).toBe(5120);
  });
});

describe.skipIf(!available)('dd: refused, and not silently', () => {
  /** The real program empties a raw file before it reads it. */
  it('an output that is the input', async () => {
    const { exitCode, stderr } = await ours(['dd', 'if=r.raw', 'of=r.raw']);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/Is another process using the image/);
    expect(statSync('r.raw').size).toBe(10_000);
  });

  it.each(['luks', 'dmg', 'bochs', 'nothing'])('-O %s', async (format) => {
    const args = ['dd', '-O', format, 'if=r.raw', 'of=o'];
    const real = await qemuImg(args);
    expect(real.exitCode).toBe(1);
    // Modules of the real program that are not installed have their own lines.
    const stderr = real.stderr.replace(/^qemu: module .*\n/gm, '');
    expect(await ours(args)).toEqual({ ...real, stderr });
  });
});

describe.skipIf(!available)('dd into other formats', () => {
  it.each(['vmdk', 'vdi', 'vpc', 'vhdx', 'qed', 'qcow', 'parallels'])('-O %s', async (format) => {
    for (const [program, name] of [
      [qemuImg, 'real'],
      [ours, 'own'],
    ] as const) {
      const args = ['dd', '-O', format, 'bs=2k', 'skip=1', 'if=r.raw', `of=${name}.${format}`];
      const more = ['dd', '-O', format, 'bs=3k', 'count=3', 'if=r.raw', `of=${name}2.${format}`];
      expect((await program(args)).exitCode).toBe(0);
      expect((await program(more)).exitCode).toBe(0);
    }
    for (const end of ['', '2']) {
      const files = [`real${end}.${format}`, `own${end}.${format}`];
      const { stdout } = await qemuImg(['compare', '-s', '-f', format, '-F', format, ...files]);
      expect(stdout).toBe('Images are identical.\n');
      expect(statSync(files[1]!).size).toBe(statSync(files[0]!).size);
    }
  });
});
