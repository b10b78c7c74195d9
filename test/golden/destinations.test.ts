/** `convert --for` and `accepts`: what is made for a destination is what it takes, byte for byte. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DESTINATIONS, sizeFor, type Judgement } from '../../src/engine/index.ts';
import { available, make, ours, qemuImg } from './programs.ts';

let folder = '';
const before = process.cwd();
/** No whole number of MiB, so that sizes have to be rounded. */
const SIZE = 30 * 1024 * 1024 + 512 * 1000;

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'destinations-'));
  process.chdir(folder);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'disk.qcow2', String(SIZE)]);
  const writes = ['write -P 1 0 64k', 'write -P 2 5M 3M', `write -P 3 ${SIZE - 4096} 4k`];
  await make('qemu-io', [...writes.flatMap((one) => ['-c', one]), 'disk.qcow2']);
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** Names of the files of an archive, unpacked into a folder. */
function unpack(archive: string, into: string, ...options: string[]): string[] {
  mkdirSync(into);
  execFileSync('tar', ['-C', into, '-x', ...options, '-f', archive]);
  return readdirSync(into).sort();
}

/** What the image is, with its format, after it has been taken out of its archive. */
function inner(id: string, file: string): [path: string, format: string] {
  const recipe = DESTINATIONS.find((one) => one.id === id)!.recipe;
  if (recipe.container === 'tar.gz') {
    expect(unpack(file, `${id}.d`, '-z')).toEqual(['disk.raw']);
    return [join(`${id}.d`, 'disk.raw'), 'raw'];
  }
  if (recipe.container === 'ova') {
    expect(unpack(file, `${id}.d`)).toEqual([`${id}-disk1.vmdk`, `${id}.mf`, `${id}.ovf`]);
    return [join(`${id}.d`, `${id}-disk1.vmdk`), 'vmdk'];
  }
  return [file, recipe.container === 'vmfs-pair' ? 'vmdk' : recipe.format];
}

describe.skipIf(!available)('images for destinations', () => {
  it.each(DESTINATIONS.map(({ id }) => id))('%s gets the disk, whole', async (id) => {
    const destination = DESTINATIONS.find((one) => one.id === id)!;
    const file = `${id}${destination.recipe.suffix}`;
    const made = await ours(['convert', '--for', id, 'disk.qcow2', file]);
    expect(made, made.stderr).toMatchObject({ exitCode: 0, stdout: '' });
    const [path, format] = inner(id, file);
    const info = JSON.parse(
      (await qemuImg(['info', '--output=json', '-f', format, path])).stdout,
    ) as { 'virtual-size': number };
    const size = info['virtual-size'];
    // A raw file is whole sectors; VDI, VHDX and the others have the very size.
    expect(size).toBe(sizeFor(destination, SIZE));
    const compared = await qemuImg(['compare', '-f', 'qcow2', '-F', format, 'disk.qcow2', path]);
    expect(compared.stdout).toMatch(/Images are identical\.\n$/);
  });

  it('an OVA has a manifest that is right, and a description of the disk in it', () => {
    const [, manifestLine = ''] = /^SHA256\(esxi-disk1\.vmdk\)= ([0-9a-f]{64})$/m.exec(
      readFileSync('esxi.d/esxi.mf', 'latin1'),
    )!;
    expect(manifestLine).toBe(sha256('esxi.d/esxi-disk1.vmdk'));
    const ovf = readFileSync('esxi.d/esxi.ovf', 'utf8');
    expect(readFileSync('esxi.d/esxi.mf', 'latin1')).toContain(
      `SHA256(esxi.ovf)= ${sha256('esxi.d/esxi.ovf')}\n`,
    );
    expect(ovf).toContain(`ovf:capacity="${SIZE}"`);
    const { size } = statSync('esxi.d/esxi-disk1.vmdk');
    expect(ovf).toMatch(new RegExp(`ovf:href="esxi-disk1.vmdk"[^>]* ovf:size="${size}"`));
    const names = execFileSync('tar', ['-tf', 'esxi.ova'], { encoding: 'utf8' });
    expect(names.split('\n').slice(0, 3)).toEqual(['esxi.ovf', 'esxi.mf', 'esxi-disk1.vmdk']);
  });

  it('Azure gets the bytes that the real program makes of the padded disk', async () => {
    const size = sizeFor(
      DESTINATIONS.find(({ id }) => id === 'azure')!,
      SIZE,
    );
    await make('qemu-img', ['convert', '-O', 'raw', 'disk.qcow2', 'padded.raw']);
    await make('qemu-img', ['resize', '-q', '-f', 'raw', 'padded.raw', String(size)]);
    const options = ['-O', 'vpc', '-o', 'subformat=fixed,force_size'];
    await make('qemu-img', ['convert', '-f', 'raw', ...options, 'padded.raw', 'real.vhd']);
    const [real, own] = ['real.vhd', 'azure.vhd'].map((path) => {
      const bytes = readFileSync(path);
      const footer = bytes.length - 512;
      // Checksum, time stamp and identifier differ from one file to the next.
      bytes.fill(0, footer + 24, footer + 28).fill(0, footer + 64, footer + 84);
      return bytes;
    });
    expect(own!.length).toBe(size + 512);
    expect(own!.equals(real!)).toBe(true);
  });

  it.each([
    ['azure.vhd', 'vpc', 'azure', 0],
    ['hyper-v-vhd.vhd', 'vpc', 'azure', 1],
    ['disk.qcow2', 'qcow2', 'azure', 1],
    ['disk.qcow2', 'qcow2', 'qemu', 0],
    ['disk.qcow2', 'qcow2', 'qemu-old', 1],
    ['qemu-old.qcow2', 'qcow2', 'qemu-old', 0],
    ['vmware.vmdk', 'vmdk', 'esxi', 1],
    ['esxi-disk.vmdk', 'vmdk', 'esxi-disk', 0],
    ['aws.vmdk', 'vmdk', 'aws', 0],
    ['virtualbox.vdi', 'vdi', 'virtualbox', 0],
  ])('%s (%s) for %s: exit code %d', async (file, format, id, exitCode) => {
    const answer = await ours(['accepts', '-f', format, `--for=${id}`, '--output=json', file]);
    expect(answer.exitCode, answer.stdout).toBe(exitCode);
    const [judgement] = JSON.parse(answer.stdout) as Judgement[];
    expect(judgement!.verdict === 'no').toBe(exitCode === 1);
    expect(judgement!.reasons.length > 0).toBe(judgement!.verdict !== 'yes');
  });

  it.each([
    [['--for', 'nowhere'], 'Unknown destination'],
    [['--for', 'azure', '-O', 'vdi'], '--for does not go with -O'],
    [['--for', 'azure', '-c'], '--for does not go with -c'],
  ])('%j is refused before anything is written', async (more, text) => {
    const { exitCode, stderr } = await ours(['convert', ...more, 'disk.qcow2', 'never']);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(text);
    expect(readdirSync('.')).not.toContain('never');
  });
});
