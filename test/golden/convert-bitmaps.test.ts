/** Bitmaps on their way through `convert`, and in images that it writes into. */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { available, make, ours, qemuImg, type Outcome } from './programs.ts';
import { Qcow2Editor } from './qcow2-editor.ts';

let folder = '';
const before = process.cwd();

async function create(name: string, size: string, ...more: string[]): Promise<void> {
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...more, name, size]);
}

async function add(name: string, bitmap: string, ...words: string[]): Promise<void> {
  await make('qemu-img', ['bitmap', '--add', ...words, name, bitmap]);
}

async function write(name: string, ...commands: string[]): Promise<void> {
  await make('qemu-io', [...commands.flatMap((command) => ['-c', command]), name]);
}

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'convert-bitmaps-'));
  process.chdir(folder);
  await create('base.qcow2', '20M');
  await add('base.qcow2', 'below');
  await write('base.qcow2', 'write 0 3M');
  await create('source.qcow2', '20M', '-b', 'base.qcow2', '-F', 'qcow2');
  await add('source.qcow2', 'early', '-g', '4k');
  await write('source.qcow2', 'write 1M 100k', 'write 19M 1M', 'write -z 5M 64k');
  await make('qemu-img', ['bitmap', '--disable', 'source.qcow2', 'early']);
  await add('source.qcow2', 'late ü', '-g', '1M');
  await make('qemu-img', ['snapshot', '-c', 'snap', 'source.qcow2']);
  await write('source.qcow2', 'write 7M 1M');
  const broken = new Qcow2Editor('source.qcow2');
  const extension = broken.bytes.indexOf('23852875', 'hex');
  broken.bytes.writeUInt32BE(3, Number(broken.entry(extension + 24)) + 12);
  broken.save('broken.qcow2');
  await create('old.qcow2', '20M', '-o', 'compat=0.10');
  await create('target.qcow2', '20M', '-o', 'cluster_size=4k');
  await add('target.qcow2', 'recording', '-g', '64k');
  await add('target.qcow2', 'asleep', '--disable');
  await create('large.qcow2', '30M');
  await create('named.qcow2', '20M');
  await add('named.qcow2', 'early');
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

interface Info {
  'format-specific': { data: { bitmaps?: { name: string }[] } };
}

/** Names, flags, granularity and ranges of all bitmaps. */
async function bitmapsIn(name: string): Promise<unknown[]> {
  const { stdout } = await qemuImg(['info', '--output=json', name]);
  const bitmaps = (JSON.parse(stdout) as Info)['format-specific'].data.bitmaps ?? [];
  const found: unknown[] = [];
  for (const bitmap of bitmaps) {
    const marks = await ours(['map', '--output=json', '--bitmap', bitmap.name, name]);
    expect(marks.exitCode).toBe(0);
    found.push({ ...bitmap, marks: JSON.parse(marks.stdout) as unknown });
  }
  return found;
}

async function expectSound(name: string): Promise<void> {
  const { stdout, stderr, exitCode } = await qemuImg(['check', name]);
  expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 0, stderr: '' });
}

/** Runs both, each with a target of its own that was a copy of `there` before. */
async function both(words: readonly string[], there?: string): Promise<[Outcome, Outcome]> {
  for (const name of ['own.qcow2', 'real.qcow2']) {
    rmSync(name, { force: true });
    if (there !== undefined) copyFileSync(there, name);
  }
  const own = await ours(['convert', ...words, 'own.qcow2']);
  const real = await qemuImg(['convert', ...words, 'real.qcow2']);
  return [own, { ...real, stderr: real.stderr.replaceAll('real.qcow2', 'own.qcow2') }];
}

describe.skipIf(!available)('convert --bitmaps', () => {
  it.each([
    ['-O qcow2 source.qcow2', undefined],
    ['-O qcow2 -c -o cluster_size=4k source.qcow2', undefined],
    ['-O qcow2 -o cluster_size=512 source.qcow2', undefined],
    ['-O qcow2 -B base.qcow2 -F qcow2 source.qcow2', undefined],
    ['-O qcow2 -l snap source.qcow2', undefined],
    ['--skip-broken-bitmaps -O qcow2 broken.qcow2', undefined],
    ['-O qcow2 target.qcow2', undefined],
    ['-n -O qcow2 source.qcow2', 'target.qcow2'],
  ])('copies what the real program copies: %s', async (line, there) => {
    const [own, real] = await both(['--bitmaps', ...line.split(' ')], there);
    expect(own).toEqual(real);
    expect(own.exitCode).toBe(0);
    await expectSound('own.qcow2');
    const found = await bitmapsIn('own.qcow2');
    expect(found).toEqual(await bitmapsIn('real.qcow2'));
    expect(found.length).toBeGreaterThan(0);
    const compared = await qemuImg(['compare', 'own.qcow2', 'real.qcow2']);
    expect(compared.exitCode, compared.stdout).toBe(0);
    // The real program goes on with it.
    await add('own.qcow2', 'next', '-g', '4k');
    await expectSound('own.qcow2');
  });

  it.each([
    ['-O qcow2 broken.qcow2', undefined],
    ['-O raw broken.qcow2', undefined],
    ['-O raw source.qcow2', undefined],
    ['-O raw old.qcow2', undefined],
    ['-O qcow2 old.qcow2', undefined],
    ['-O qcow2 -f raw source.qcow2', undefined],
    ['-O qcow2 source.qcow2 base.qcow2', undefined],
    ['-O raw source.qcow2 base.qcow2', undefined],
    ['-O qcow2 -o compat=0.10 source.qcow2', undefined],
    ['-n -O qcow2 source.qcow2', 'old.qcow2'],
    ['-n -O qcow2 source.qcow2', 'large.qcow2'],
    ['-n -O qcow2 source.qcow2', 'named.qcow2'],
  ])('refuses with the same words: %s', async (line, there) => {
    const [own, real] = await both(['--bitmaps', ...line.split(' ')], there);
    expect(own).toEqual(real);
    expect(own.exitCode).toBe(1);
    // What cannot be done whole has not begun.
    if (there === undefined) expect(existsSync('own.qcow2')).toBe(line.includes('compat'));
    else expect(readFileSync('own.qcow2').equals(readFileSync(there))).toBe(true);
  });
});

describe.skipIf(!available)('bitmaps of an image that is written into', () => {
  it('record it: convert -n', async () => {
    const [own, real] = await both(['-n', '-O', 'qcow2', 'source.qcow2'], 'target.qcow2');
    expect(own).toEqual(real);
    await expectSound('own.qcow2');
    expect(await bitmapsIn('own.qcow2')).toEqual(await bitmapsIn('real.qcow2'));
  });

  it('record it: commit', async () => {
    for (const name of ['own', 'real']) {
      copyFileSync('base.qcow2', `${name}-base.qcow2`);
      await add(`${name}-base.qcow2`, 'asleep', '--disable');
      await create(`${name}.qcow2`, '20M', '-b', `${name}-base.qcow2`, '-F', 'qcow2');
      await write(
        `${name}.qcow2`,
        'write 1M 100k',
        'write 19M 1M',
        'write -z 5M 64k',
        'write 9M 512',
      );
    }
    expect((await ours(['commit', '-q', 'own.qcow2'])).exitCode).toBe(0);
    await make('qemu-img', ['commit', '-q', 'real.qcow2']);
    await expectSound('own-base.qcow2');
    expect(await bitmapsIn('own-base.qcow2')).toEqual(await bitmapsIn('real-base.qcow2'));
  });
});
