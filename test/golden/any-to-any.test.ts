/** Every format into every format, and chains across formats: the real program reads what ours makes. */
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { available, make, ours, qemuImg } from './programs.ts';

/** Formats that both programs read and write, with options that make them small. */
const FORMATS = [
  ['raw', ''],
  ['qcow2', ''],
  ['qcow', ''],
  ['qed', ''],
  ['vdi', ''],
  ['vdi', 'static=on'],
  ['vhdx', 'log_size=1M,block_size=1M'],
  ['vhdx', 'subformat=fixed,log_size=1M,block_size=1M'],
  ['vmdk', ''],
  ['vmdk', 'subformat=monolithicFlat'],
  ['vmdk', 'subformat=streamOptimized'],
  ['vmdk', 'subformat=twoGbMaxExtentSparse'],
  ['vpc', 'force_size=on'],
  ['vpc', 'subformat=fixed,force_size=on'],
  ['parallels', ''],
] as const;

type Kind = (typeof FORMATS)[number];

/** Whole blocks of every format, and some of them partly written. */
const SIZE = 5 * 1024 * 1024;
let folder = '';
const before = process.cwd();

const nameOf = ([format, options]: Kind) => `${format}-${options.replaceAll(/[=,]/g, '_')}`;
const optionsOf = ([format, options]: Kind) => [
  ...['-O', format],
  ...(options === '' ? [] : ['-o', options]),
];
const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'any-to-any-'));
  process.chdir(folder);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'disk', String(SIZE)]);
  const writes = ['write -P 1 0 70k', 'write -P 2 1500k 3k', 'write -P 3 3M 1100k'];
  await make('qemu-io', [...writes.flatMap((one) => ['-c', one]), 'disk']);
  await make('qemu-img', ['convert', '-O', 'raw', 'disk', 'content']);
  mkdirSync('from');
  for (const kind of FORMATS) {
    await make('qemu-img', ['convert', ...optionsOf(kind), 'disk', join('from', nameOf(kind))]);
  }
}, 60_000);

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

describe.skipIf(!available)('any format into any format', () => {
  it.each(FORMATS.map((kind) => [nameOf(kind), kind] as const))('%s into all', async (_, kind) => {
    mkdirSync('to');
    try {
      for (const target of FORMATS) {
        const [from, to] = [join('from', nameOf(kind)), join('to', nameOf(target))];
        const made = await ours(['convert', '-f', kind[0], ...optionsOf(target), from, to]);
        expect(made, `${from} to ${to}`).toEqual({ stdout: '', stderr: '', exitCode: 0 });
        await make('qemu-img', ['convert', '-f', target[0], '-O', 'raw', to, 'read']);
        expect(sha256('read'), `${from} to ${to}`).toBe(sha256('content'));
      }
    } finally {
      rmSync('to', { recursive: true });
    }
  });

  it.each(FORMATS.map((kind) => [nameOf(kind), kind] as const))(
    '%s in a chain',
    async (_, kind) => {
      const base = join('from', nameOf(kind));
      rmSync('over', { force: true });
      const over = ['-b', base, '-F', kind[0], 'over', '6M'];
      await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...over]);
      await make('qemu-io', ['-c', 'write -P 9 1M 600k', '-c', 'write -z 3M 128k', 'over']);
      for (const args of [
        ['map', '--output=json', 'over'],
        ['info', '--backing-chain', '--output=json', 'over'],
        ['compare', '-F', kind[0], 'over', base],
      ]) {
        const real = await qemuImg(args);
        const own = await ours(args);
        // Holes of files are not asked for here: data there is not told from zeros.
        if (args[0] === 'map' && /flat|fixed|static|raw/i.test(nameOf(kind))) continue;
        expect(own, args.join(' ')).toEqual(real);
      }
      await make('qemu-img', ['convert', '-O', 'raw', 'over', 'real.raw']);
      expect((await ours(['convert', '-O', 'raw', 'over', 'own.raw'])).exitCode).toBe(0);
      expect(sha256('own.raw')).toBe(sha256('real.raw'));
    },
  );

  it.each(
    FORMATS.filter(([, options]) => options !== 'subformat=streamOptimized').map(
      (kind) => [nameOf(kind), kind] as const,
    ),
  )('commit into %s', async (_, kind) => {
    for (const side of ['real', 'own']) {
      rmSync(side, { recursive: true, force: true });
      mkdirSync(side);
      // Of several files, all: they lie beside each other.
      for (const file of readdirSync('from')) {
        if (file.startsWith(nameOf(kind))) cpSync(join('from', file), join(side, file));
      }
      const over = ['-b', nameOf(kind), '-F', kind[0], join(side, 'over'), String(SIZE)];
      await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...over]);
      const writes = ['write -P 9 1M 600k', 'write -z 3M 128k', 'write -P 8 4900k 7k'];
      await make('qemu-io', [...writes.flatMap((one) => ['-c', one]), join(side, 'over')]);
    }
    await make('qemu-img', ['convert', '-O', 'raw', join('own', 'over'), 'wanted.raw']);
    const real = await qemuImg(['commit', join('real', 'over')]);
    const own = await ours(['commit', join('own', 'over')]);
    // The real program can write into Parallels images, but not open them again for that.
    if (kind[0] === 'parallels') expect(real.stderr).toContain('does not support reopening');
    else expect(own).toEqual(real);
    expect(own).toEqual({ stdout: 'Image committed.\n', stderr: '', exitCode: 0 });
    const base = join('own', nameOf(kind));
    await make('qemu-img', ['convert', '-f', kind[0], '-O', 'raw', base, 'own.raw']);
    expect(sha256('own.raw')).toBe(sha256('wanted.raw'));
    expect(sha256('own.raw')).not.toBe(sha256('content'));
  });
});
