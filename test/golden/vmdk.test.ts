/** VMDKs of every subformat: made, read, checked and changed as the real program does it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noise } from './make-images.ts';
import { available, expectSame, hashOf, make, qemuImg } from './programs.ts';
import { writeAtRandom } from './random-writes.ts';
import { both, enterFolder, fork, leaveFolder, writeTo } from './side-by-side.ts';
import { expectSameFiles, idsOf, masked } from './vmdk-files.ts';

const SUBFORMATS = [
  'monolithicSparse',
  'monolithicFlat',
  'twoGbMaxExtentSparse',
  'twoGbMaxExtentFlat',
  'streamOptimized',
];
const SIZE = 3 * 2 ** 20 + 37 * 512;

beforeAll(async () => {
  if (!available) return;
  enterFolder('vmdk');
  // Data and holes that end within grains, and a size that is no multiple of a grain.
  const raw = new Uint8Array(SIZE);
  raw.set(noise(70_000, 1), 0);
  raw.set(noise(2 ** 18, 2), 2 ** 20);
  raw.set(new Uint8Array(100_000).fill(0x41), 2 ** 21);
  raw.set(noise(4096, 3), 5 * 2 ** 19 + 4096);
  raw.set(noise(1000, 5), raw.length - 1000);
  writeFileSync('src.raw', raw);
  writeFileSync('zeros.raw', new Uint8Array(2 ** 20));
  for (const subformat of SUBFORMATS) {
    await convertBy(subformat, [], `${subformat}.vmdk`);
  }
  await convertBy('monolithicSparse', ['-o', 'zeroed_grain=on'], 'zeroed.vmdk');
  await writeTo('zeroed.vmdk', ['write -z 1M 128k'], 'vmdk');
  // Two extents, with data on both sides of the seam.
  const split = ['-o', 'subformat=twoGbMaxExtentSparse', 'split.vmdk', '2100M'];
  await make('qemu-img', ['create', '-q', '-f', 'vmdk', ...split]);
  await writeTo('split.vmdk', ['write -P 1 2147450880 64k', 'write -P 2 2099M 300k'], 'vmdk');
  const child = ['-o', 'zeroed_grain=on', '-b', 'split.vmdk', '-F', 'vmdk', 'child.vmdk'];
  await make('qemu-img', ['create', '-q', '-f', 'vmdk', ...child]);
  await writeTo('child.vmdk', ['write -P 3 2047M 100k', 'write -z 2099M 64k'], 'vmdk');
});

afterAll(leaveFolder);

function convertBy(subformat: string, options: readonly string[], target: string) {
  const more = ['-O', 'vmdk', '-o', `subformat=${subformat}`, ...options];
  return make('qemu-img', ['convert', ...more, 'src.raw', target]);
}

/** Every file that the real program has made. */
function made(prefix: string): string[] {
  return readdirSync('real').filter((name) => name.startsWith(prefix));
}

function filesOf(name: string): string[] {
  const prefix = name.slice(0, name.lastIndexOf('.'));
  return readdirSync('.').filter((one) => one.startsWith(prefix) && one.endsWith('.vmdk'));
}

async function clean(): Promise<void> {
  const { rm } = await import('node:fs/promises');
  for (const side of ['real', 'own']) await rm(side, { recursive: true, force: true });
}

async function forked(...names: readonly string[]): Promise<void> {
  await clean();
  fork(...names);
}

const READ = [...SUBFORMATS.map((one) => `${one}.vmdk`), 'zeroed.vmdk', 'split.vmdk', 'child.vmdk'];

describe.skipIf(!available)('reading', () => {
  it.each(READ)('%s', async (name) => {
    await expectSame(['info', name]);
    await expectSame(['info', '--output=json', '--backing-chain', name]);
    await expectSame(['check', name]);
    await expectSame(['check', '--output=json', name]);
    if (!name.includes('Flat')) {
      await expectSame(['map', name]);
      await expectSame(['map', '--output=json', name]);
    }
    await expectSame(['compare', name, name.startsWith('split') ? 'split.vmdk' : name]);
  });

  it.each(READ.slice(0, 6))('%s into raw', async (name) => {
    await forked();
    await both(['convert', '-O', 'raw', `../${name}`, 'new.raw']);
    expect(await hashOf('own/new.raw')).toBe(await hashOf('real/new.raw'));
  });

  it('a child with its parent', async () => {
    const { stdout } = await expectSame(['compare', 'child.vmdk', 'split.vmdk']);
    expect(stdout).toContain('Content mismatch');
  });

  it('a file that is missing', async () => {
    await forked('twoGbMaxExtentSparse.vmdk', 'monolithicFlat.vmdk');
    for (const name of ['twoGbMaxExtentSparse.vmdk', 'monolithicFlat.vmdk']) {
      const { exitCode } = await both(['info', name]);
      expect(exitCode).toBe(1);
    }
  });
});

describe.skipIf(!available)('create', () => {
  it.each([
    ...SUBFORMATS.map((one) => [['-o', `subformat=${one}`, 'new.vmdk', '5M']]),
    [['-o', 'subformat=twoGbMaxExtentSparse', 'new.vmdk', '5G']],
    [['-o', 'subformat=monolithicFlat', 'new.a.vmdk', '1000']],
    [['-o', 'adapter_type=lsilogic,hwversion=7,toolsversion=9', 'new', '70G']],
    [['-o', 'compat6,adapter_type=legacyESX,zeroed_grain=on', 'new.vmdk', '1G']],
    [['-o', 'preallocation=full,hwversion=undefined', 'new.vmdk', '1M']],
    [['-b', '../child.vmdk', '-F', 'vmdk', 'new.vmdk']],
    [['-u', '-b', '../child.vmdk', '-F', 'vmdk', 'new.vmdk', '7M']],
    [['-b', '../split.vmdk', '-F', 'vmdk', '-o', 'subformat=streamOptimized', 'new.vmdk', '3G']],
    [['new.vmdk', '0']],
  ])('%s', async (args) => {
    await forked();
    const { exitCode } = await both(['create', '-f', 'vmdk', ...args]);
    expect(exitCode).toBe(0);
    expect(made('new').length).toBeGreaterThan(0);
    expect(readdirSync('own')).toEqual(readdirSync('real'));
    expectSameFiles(made('new').filter((name) => !/-f\d|-flat/.test(name)));
    if (args.includes('-b')) {
      const { cid } = idsOf(args.includes('../split.vmdk') ? 'split.vmdk' : 'child.vmdk');
      expect(idsOf('own/new.vmdk').parent).toBe(cid);
    }
  });

  it.each([
    [['-o', 'subformat=fullDevice', 'bad.vmdk', '1M']],
    [['-o', 'adapter_type=scsi', 'bad.vmdk', '1M']],
    [['-o', 'compat6,hwversion=7', 'bad.vmdk', '1M']],
    [['-o', 'zeroed_grain=on,subformat=monolithicFlat', 'bad.vmdk', '1M']],
    [['-o', 'preallocation=metadata', 'bad.vmdk', '1M']],
    [['-o', 'cluster_size=4k', 'bad.vmdk', '1M']],
    [['-b', '../src.raw', '-F', 'raw', 'bad.vmdk']],
    [['-b', '../split.vmdk', '-F', 'vmdk', '-o', 'subformat=monolithicFlat', 'bad.vmdk']],
    [['-u', '-b', '../none.vmdk', '-F', 'vmdk', 'bad.vmdk', '1M']],
    [['-b', '../split.vmdk', 'bad.vmdk']],
  ])('refuses %s', async (args) => {
    await forked();
    const { exitCode } = await both(['create', '-f', 'vmdk', ...args]);
    expect(exitCode).toBe(1);
  });
});

describe.skipIf(!available)('convert', () => {
  it.each([
    ...SUBFORMATS.map((one) => [['-o', `subformat=${one}`], 'src.raw']),
    [['-o', 'zeroed_grain=on', '-S', '0'], 'src.raw'],
    [['-o', 'adapter_type=buslogic'], 'split.vmdk'],
    [['-c'], 'src.raw'],
    [['-o', 'subformat=streamOptimized'], 'zeros.raw'],
    [['-o', 'subformat=monolithicFlat'], 'zeros.raw'],
  ])('%s %s makes the same files', async (options, source) => {
    await forked();
    await both([
      'convert',
      '-O',
      'vmdk',
      ...(options as string[]),
      `../${String(source)}`,
      'new.vmdk',
    ]);
    expect(readdirSync('own')).toEqual(readdirSync('real'));
    expectSameFiles(made('new'));
    const compared = await qemuImg(['compare', source as string, 'own/new.vmdk']);
    expect(compared.stdout, compared.stderr).toBe('Images are identical.\n');
  });

  it('over a parent', async () => {
    await forked();
    const args = ['-O', 'vmdk', '-B', '../split.vmdk', '-F', 'vmdk', '-o', 'zeroed_grain=on'];
    await both(['convert', ...args, '../child.vmdk', 'new.vmdk']);
    const compared = await qemuImg(['compare', 'child.vmdk', 'own/new.vmdk']);
    expect(compared.stdout, compared.stderr).toBe('Images are identical.\n');
    expect((await qemuImg(['check', 'own/new.vmdk'])).exitCode).toBe(0);
  });

  it.each(['monolithicSparse', 'monolithicFlat', 'twoGbMaxExtentSparse', 'twoGbMaxExtentFlat'])(
    'into a %s that is there',
    async (subformat) => {
      await forked(...filesOf(`${subformat}.vmdk`));
      const small = new Uint8Array(SIZE);
      small.set(noise(2 ** 20, 6), 2 ** 19);
      for (const side of ['real', 'own']) writeFileSync(join(side, 'small.raw'), small);
      await both(['convert', '-n', '-O', 'vmdk', 'small.raw', `${subformat}.vmdk`]);
      const name = `${subformat}.vmdk`;
      const compared = await qemuImg(['compare', join('real', name), join('own', name)]);
      expect(compared.stdout, compared.stderr).toBe('Images are identical.\n');
      expect((await qemuImg(['check', join('own', name)])).exitCode).toBe(0);
      expect(idsOf(join('own', name)).cid).not.toBe(idsOf(name).cid);
    },
  );
});

describe.skipIf(!available)('writing in place', () => {
  it.each(['monolithicSparse.vmdk', 'zeroed.vmdk'])('here and there into %s', async (name) => {
    await forked(name);
    const { commands, bytes } = await writeAtRandom('vmdk', name);
    await writeTo(join('real', name), commands, 'vmdk');
    writeFileSync(join('own', name), bytes);
    expect(masked(join('own', name))).toEqual(masked(join('real', name)));
    expect(idsOf(join('own', name)).cid).not.toBe(idsOf(name).cid);
  });

  it('a grain of a stream is not written again', async () => {
    await forked('streamOptimized.vmdk', 'src.raw');
    const before = readFileSync('own/streamOptimized.vmdk');
    const args = ['convert', '-n', '-O', 'vmdk', 'src.raw', 'streamOptimized.vmdk'];
    const [real] = await Promise.all([qemuImg(args, 'real')]);
    expect(real.exitCode).toBe(1);
    const { inOwn } = await import('./side-by-side.ts');
    const own = await inOwn(args);
    expect(own.exitCode).toBe(1);
    expect(own.stderr).toContain('Could not write to allocated cluster for streamOptimized');
    expect(readFileSync('own/streamOptimized.vmdk').equals(before)).toBe(true);
  });

  it('commit into it', async () => {
    const options = ['-b', 'monolithicSparse.vmdk', '-F', 'vmdk', 'top.qcow2'];
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...options]);
    await writeTo('top.qcow2', ['write -P 7 900k 1M', 'write -z 2M 32k']);
    await forked('monolithicSparse.vmdk', 'top.qcow2');
    await both(['commit', 'top.qcow2']);
    const name = 'monolithicSparse.vmdk';
    const compared = await qemuImg(['compare', join('real', name), join('own', name)]);
    expect(compared.stdout, compared.stderr).toBe('Images are identical.\n');
    await both(['check', name]);
  });

  it('resize and repair are refused', async () => {
    await forked('monolithicSparse.vmdk');
    await both(['resize', '-f', 'vmdk', 'monolithicSparse.vmdk', '+1M']);
    await both(['check', '-r', 'all', 'monolithicSparse.vmdk']);
  });
});
