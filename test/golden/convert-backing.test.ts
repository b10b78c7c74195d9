/** `convert -B`: only what differs from the backing file is in the result, byte for byte. */
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
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
  folder = mkdtempSync(join(tmpdir(), 'convert-backing-'));
  process.chdir(folder);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'base', '6M']);
  await io('base', 'write -P 1 0 2M', 'write -P 2 3M 300k', 'write -z 3500k 200k');
  await make('qemu-img', ['convert', '-O', 'raw', '-S', '0', 'base', 'base.raw']);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'short', '2500k']);
  await io('short', 'write -P 1 0 2M');
  // Layers over all of them, with everything that a layer can say.
  for (const [name, below, format, options] of [
    ['top', 'base', 'qcow2', 'cluster_size=64k'],
    ['small', 'base', 'qcow2', 'cluster_size=4k'],
    ['tiny', 'short', 'qcow2', 'cluster_size=512'],
    ['large', 'base.raw', 'raw', 'cluster_size=2M'],
    ['parts', 'base', 'qcow2', 'cluster_size=64k,extended_l2=on'],
    ['old', 'short', 'qcow2', 'compat=0.10'],
  ] as const) {
    const how = ['-o', options, '-b', below, '-F', format];
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...how, name, '6M']);
    await io(name, 'write -P 3 100k 60k', 'write -P 4 1000k 700k', 'write -P 0 1200k 20k');
    await io(name, 'write -z 1800k 90k', 'write -zu 2100k 3000k', 'write -P 5 2300k 30k');
    await io(name, 'write -P 6 5632k 512', 'discard 1152k 64k', 'write -P 7 6143k 1k');
  }
  await io('top', 'write -c -P 8 4M 64k', 'write -c -P 0 4416k 64k');
  await make('qemu-img', ['snapshot', '-c', 'then', 'top']);
  await io('top', 'write -P 9 0 3k', 'write -z 1M 1M');
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', 'base', '-F', 'qcow2', 'none']);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'alone', '6M']);
  await io('alone', 'write -P 1 0 3M', 'write -P 4 4001k 77k');
  writeFileSync(
    'plain',
    Buffer.concat([Buffer.alloc(1e6, 1), Buffer.alloc(1e6), Buffer.alloc(5e5, 2)]),
  );
  await make('qemu-img', ['convert', '-c', '-O', 'qcow2', 'alone', 'cut']);
  truncateSync('cut', 262144 + 65536);
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

async function expectSame(line: string): Promise<void> {
  const args = line.split(' ').filter((word) => word !== '');
  rmSync('out', { force: true });
  const real = await qemuImg(['convert', ...args, 'out']);
  const wanted = existsSync('out') ? readFileSync('out') : undefined;
  rmSync('out', { force: true });
  const own = await ours(['convert', ...args, 'out']);
  expect(own, line).toEqual(real);
  if (real.exitCode !== 0) return;
  const made = readFileSync('out');
  if (wanted !== undefined && made.equals(wanted)) return;
  const compared = await qemuImg(['compare', 'out', args.at(-1) as string]);
  expect({ same: false, compared: compared.stdout }, line).toBe('the same bytes');
}

const SOURCES = ['top', 'small', 'tiny', 'large', 'parts', 'old', 'none', 'alone'];
const OPTIONS = [
  ['', '-B base -F qcow2'],
  ['-o cluster_size=4k', '-B base -F qcow2'],
  ['-o cluster_size=512', '-B base -F qcow2'],
  ['-o cluster_size=2M', '-B base -F qcow2'],
  ['-o compat=0.10', '-B base -F qcow2'],
  ['-o extended_l2=on', '-B base -F qcow2'],
  ['-o extended_l2=on,cluster_size=16k,preallocation=metadata', '-B base -F qcow2'],
  ['', '-B short -F qcow2'],
  ['-o extended_l2=on', '-B short -F qcow2'],
  ['-o compat=0.10,cluster_size=4k', '-B short -F qcow2'],
  ['-S 0', '-B base -F qcow2'],
  ['-S 64k', '-B base.raw -F raw'],
  ['-c', '-B base -F qcow2'],
  ['-c -o cluster_size=4k', '-B short -F qcow2'],
  ['-c -o cluster_size=2M', '-B base -F qcow2'],
  ['-c -S 0', '-B base -F qcow2'],
] as const;

describe.skipIf(!available)('convert over a backing file', () => {
  // Half of the matrix; all of it with the environment variable.
  for (const [index, [options, backing]] of OPTIONS.entries()) {
    const isAll = process.env['GOLDEN_BACKING'] === 'all';
    const sources = SOURCES.filter((_, place) => isAll || (index + place) % 2 === 0);
    describe(`${options} ${backing}`, () => {
      it.each(sources)('of %s', (source) => expectSame(`-O qcow2 ${options} ${backing} ${source}`));
    });
  }

  it.each([
    '-O qcow2 -l then -B base -F qcow2 top',
    '-O qcow2 -B base.raw -F raw plain',
    '-O qcow2 -f raw -B base.raw -F raw base.raw',
    '-O qcow2 -o backing_file=base,backing_fmt=qcow2 top',
    '-O qcow2 -o backing_file=nowhere -B base -F qcow2 top',
    '-O qcow2 -m 16 -W -B base -F qcow2 none',
    '-O qcow2 -t none -T none -U -B base -F qcow2 top',
  ])('%s', expectSame);

  it.each([
    '-O qcow2 -B base top',
    '-O qcow2 -o backing_file=base top',
    '-O qcow2 -B nowhere -F qcow2 top',
    '-O qcow2 -B base -F nothing top',
    '-O qcow2 -B base.raw -F qcow2 top',
    '-O qcow2 -B base -F qcow2 top top',
    '-O qcow2 -B base -F qcow2 -o preallocation=metadata top',
    '-c -O qcow2 -B base -F qcow2 -o preallocation=metadata top',
    '-O raw -B base -F raw top',
    '-O raw -F raw top',
    '-O qcow2 -F qcow2 top',
    '-m 1 -O qcow2 -B base -F qcow2 cut',
  ])('refused: %s', expectSame);
});
