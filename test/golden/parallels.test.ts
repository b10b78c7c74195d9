/** Parallels images: made, read, checked, repaired and changed as the real program does it. */
import { createHash } from 'node:crypto';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BAD_EXTENSIONS, bitmap, buildParallels, END } from '../images/build-parallels.ts';
import { noise } from './make-images.ts';
import { available, hashOf, make, qemuImg } from './programs.ts';
import { writeAtRandom } from './random-writes.ts';
import { both, enterFolder, fork, inOwn, leaveFolder, writeTo } from './side-by-side.ts';

const K = 1024;

beforeAll(async () => {
  if (!available) return;
  enterFolder('parallels');
  const raw = new Uint8Array(9 * K * K + 1536);
  raw.set(noise(70_000, 1), 0);
  raw.set(noise(K * K, 2), 3 * K * K);
  raw.set(noise(4096, 3), 5 * K * K + 4096);
  raw.set(noise(10_000, 4), 8 * K * K - 5000);
  raw.set(noise(1000, 5), raw.length - 1000);
  writeFileSync('src.raw', raw);
  const create = ['create', '-q', '-f', 'parallels'];
  await make('qemu-img', [...create, '-o', 'cluster_size=64k', 'plain.hdd', '4M']);
  // Not in the order of the disk, so that something counts as fragmented.
  const parts = ['write -P 1 2M 100k', 'write -P 2 10k 300k', 'write -P 3 1M 64k'];
  await writeTo('plain.hdd', parts, 'parallels');
  await make('qemu-img', [...create, '-o', 'cluster_size=512', 'small.hdd', '1M']);
  await writeTo('small.hdd', ['write -P 4 5k 9k', 'write -P 5 0 1k'], 'parallels');
  await make('qemu-img', [...create, 'empty.hdd', '0']);
  writeFileSync('old.hdd', oldFormat());
});

afterAll(leaveFolder);

/** «WithoutFreeSpace», whose entries are sectors: 16 clusters of 63 sectors, the third and first. */
function oldFormat(): Buffer {
  const cluster = 63 * 512;
  const bytes = Buffer.alloc(512 + 2 * cluster, 0x77);
  bytes.fill(0, 0, 512);
  bytes.write('WithoutFreeSpace');
  const numbers = { 16: 2, 20: 16, 24: 1, 28: 63, 32: 16, 36: 16 * 63 - 5, 64: 64, 72: 1 };
  for (const [at, value] of Object.entries(numbers)) bytes.writeUInt32LE(value, Number(at));
  bytes.fill(0x66, 512 + cluster);
  return bytes;
}

/** Both make a file of that name, the same in every byte. */
async function sameFile(args: readonly string[], name: string): Promise<void> {
  await both(args);
  expect(await hashOf(join('own', name)), args.join(' ')).toBe(await hashOf(join('real', name)));
}

describe.skipIf(!available)('create', () => {
  it.each([
    [['5M']],
    [['-o', 'cluster_size=4096', '5M']],
    [['-o', 'cluster_size=1000,preallocation=off', '1000']],
    [['-o', 'cluster_size=512', '20M']],
    [['-o', 'preallocation=full', '2T']],
    [['0']],
  ])('%s', async (args) => {
    fork();
    const options = args.slice(0, -1);
    const size = args.at(-1) ?? '';
    await sameFile(['create', '-f', 'parallels', ...options, 'new.hdd', size], 'new.hdd');
  });

  it.each([
    [['-o', 'cluster_size=0', 'bad.hdd', '1M']],
    [['-o', 'cluster_size=2G', 'bad.hdd', '1M']],
    [['-o', 'cluster_size=x', 'bad.hdd', '1M']],
    [['-o', 'cluster_size=512', 'bad.hdd', '2T']],
    [['-o', 'static=on', 'bad.hdd', '1M']],
    [['-o', 'preallocation=metadata', 'bad.hdd', '1M']],
    [['-b', '../plain.hdd', '-F', 'parallels', 'bad.hdd']],
    [['bad.hdd']],
  ])('refuses %s', async (args) => {
    fork();
    await both(['create', '-f', 'parallels', ...args]);
  });
});

describe.skipIf(!available)('convert', () => {
  it.each([
    [[], 'src.raw'],
    [['-o', 'cluster_size=64k'], 'src.raw'],
    [['-o', 'cluster_size=32256'], 'src.raw'],
    [['-o', 'cluster_size=512'], 'src.raw'],
    [['-S', '0'], 'src.raw'],
    [[], 'plain.hdd'],
    [['-o', 'cluster_size=4k'], 'old.hdd'],
  ])('%s %s makes the same file', async (options, source) => {
    fork('src.raw', 'plain.hdd', 'old.hdd');
    await sameFile(['convert', '-O', 'parallels', ...options, source, 'new.hdd'], 'new.hdd');
    const compared = await qemuImg(['compare', source, join('own', 'new.hdd')]);
    expect(compared.stdout, compared.stderr).toBe('Images are identical.\n');
  });

  it.each(['plain.hdd', 'small.hdd', 'old.hdd', 'empty.hdd'])('%s into raw', async (name) => {
    fork(name);
    await sameFile(['convert', '-O', 'raw', name, 'new.raw'], 'new.raw');
  });

  it.each(['plain.hdd', 'small.hdd', 'old.hdd'])('into %s that is there', async (name) => {
    fork(name);
    const small = new Uint8Array(400 * K);
    small.set(noise(200 * K, 6), 100 * K);
    for (const side of ['real', 'own']) writeFileSync(join(side, 'small.raw'), small);
    await both(['convert', '-n', '-O', 'parallels', 'small.raw', name]);
    const compared = await qemuImg(['compare', join('real', name), join('own', name)]);
    expect(compared.stdout, compared.stderr).toBe('Images are identical.\n');
    const { exitCode, stdout, stderr } = await qemuImg(['check', join('own', name)]);
    expect(exitCode, stdout + stderr).toBe(0);
  });
});

describe.skipIf(!available)('writing in place', () => {
  it.each(['plain.hdd', 'small.hdd'])('here and there into %s', async (name) => {
    fork(name);
    const { commands, bytes } = await writeAtRandom('parallels', name);
    await writeTo(join('real', name), commands, 'parallels');
    const own = createHash('sha256').update(bytes).digest('hex');
    expect(own).toBe(await hashOf(join('real', name)));
  });

  it('commit into it', async () => {
    const options = ['-b', 'plain.hdd', '-F', 'parallels', 'top.qcow2'];
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...options]);
    await writeTo('top.qcow2', ['write -P 7 900k 2M', 'write -z 3M 32k']);
    await make('qemu-img', ['convert', '-O', 'raw', 'top.qcow2', 'after.raw']);
    fork('plain.hdd', 'top.qcow2');
    // The real program cannot open its base for writing again, and refuses.
    const committed = await inOwn(['commit', 'top.qcow2']);
    expect(committed.exitCode, committed.stderr).toBe(0);
    const compared = await qemuImg(['compare', 'after.raw', 'own/plain.hdd']);
    expect(compared.stdout, compared.stderr).toBe('Images are identical.\n');
    const checked = await qemuImg(['check', 'own/plain.hdd']);
    expect(checked.exitCode, checked.stdout + checked.stderr).toBe(0);
  });

  it('dd into it', async () => {
    fork('src.raw');
    const args = ['dd', '-O', 'parallels', 'if=src.raw', 'of=new.hdd', 'bs=1M', 'count=4'];
    await sameFile(args, 'new.hdd');
  });

  it('resize is refused', async () => {
    fork('plain.hdd');
    await both(['resize', '-f', 'parallels', 'plain.hdd', '+1M']);
  });
});

async function sameAnswers(name: string): Promise<void> {
  for (const command of ['info', 'check', 'map']) {
    await both([command, '-f', 'parallels', name]);
    await both([command, '--output=json', '-f', 'parallels', name]);
  }
}

describe.skipIf(!available)('what is said of an image', () => {
  it.each(['plain.hdd', 'small.hdd', 'old.hdd', 'empty.hdd'])('%s', async (name) => {
    fork(name);
    await sameAnswers(name);
    await both(['compare', name, name]);
    await both(['compare', '-s', name, name]);
    await both(['measure', '-O', 'qcow2', name]);
    await both(['snapshot', '-l', name]);
  });
});

/** What is damaged, and its numbers of 32 bits. The table of plain.hdd begins at 64. */
const HEADERS: readonly [string, Readonly<Record<number, number>>][] = [
  ['another magic', { 12: 0 }],
  ['version 3', { 16: 3 }],
  ['no sectors in a cluster', { 28: 0 }],
  ['too many sectors in a cluster', { 28: 4186128 }],
  ['too many clusters', { 32: 0x20000000 }],
  ['fewer clusters than the disk has', { 32: 20 }],
  ['more clusters than the disk has', { 32: 100 }],
  ['no clusters', { 32: 0 }],
  ['a larger disk', { 36: 9000 }],
  ['a disk beyond all measure', { 40: 0x7fffffff }],
  ['in use', { 44: 0x746f6e59 }],
  ['closed as newer programs do', { 44: 0x312e3276 }],
  ['no data offset', { 48: 0 }],
  ['an extension that is none', { 56: 128 }],
];
const ENTRIES: readonly [string, Readonly<Record<number, number>>][] = [
  ['a cluster outside', { 64: 500 }],
  ['a cluster far outside', { 64: 0xffffffff, 80: 0xfffffffe }],
  ['clusters outside, and in use', { 64: 500, 72: 500, 44: 0x746f6e59 }],
  ['a cluster twice', { 68: 1 }],
  ['a cluster in the header', { 64: 0 }],
];

function damage(changes: Readonly<Record<number, number>>, more = 0): void {
  const bytes = readFileSync('plain.hdd');
  for (const [at, value] of Object.entries(changes)) bytes.writeUInt32LE(value >>> 0, Number(at));
  writeFileSync('bad.hdd', bytes);
  truncateSync('bad.hdd', bytes.length + more);
}

describe.skipIf(!available)('damage', () => {
  it.each(HEADERS)('%s', async (_, changes) => {
    damage(changes);
    fork('bad.hdd');
    for (const command of ['info', 'check', 'map']) {
      await both([command, '--output=json', '-f', 'parallels', 'bad.hdd']);
    }
  });

  it.each(ENTRIES)('%s', async (_, changes) => {
    damage(changes);
    fork('bad.hdd');
    await both(['info', 'bad.hdd']);
    await both(['check', 'bad.hdd']);
    await both(['check', '--output=json', 'bad.hdd']);
  });

  it.each([1, 65536, 200_000])('%i bytes too many', async (more) => {
    damage({}, more);
    fork('bad.hdd');
    await both(['check', 'bad.hdd']);
    await both(['check', '--output=json', 'bad.hdd']);
  });

  it('nothing is written into an image that was not closed', async () => {
    damage({ 44: 0x746f6e59 });
    fork('bad.hdd', 'src.raw');
    const before = await hashOf('own/bad.hdd');
    await both(['convert', '-n', '-O', 'parallels', 'src.raw', 'bad.hdd']);
    await both(['resize', '-f', 'parallels', 'bad.hdd', '1G']);
    expect(await hashOf('own/bad.hdd')).toBe(before);
  });

  it.each(BAD_EXTENSIONS)('a format extension with %s', async (_, features) => {
    writeFileSync('bad.hdd', buildParallels({ features, entries: { 1: 1 } }));
    fork('bad.hdd');
    await both(['info', 'bad.hdd']);
  });

  it('a format extension with a bitmap', async () => {
    const features = [bitmap(), END];
    writeFileSync('good.hdd', buildParallels({ features, entries: { 1: 1 } }));
    fork('good.hdd');
    await sameAnswers('good.hdd');
  });
});

describe.skipIf(!available)('repair', () => {
  const REPAIRS: readonly [string, Readonly<Record<number, number>>, number][] = [
    ['nothing', {}, 0],
    ['leaks', {}, 300_000],
    ['the mark', { 44: 0x746f6e59 }, 0],
    ['the mark and leaks', { 44: 0x746f6e59 }, 70_000],
    ['clusters outside', { 64: 500, 72: 501 }, 0],
    ['everything', { 64: 500, 72: 501, 44: 0x746f6e59 }, 100_000],
  ];

  it.each(REPAIRS.flatMap((one) => ['all', 'leaks'].map((level) => [...one, level] as const)))(
    '%s %o %i with -r %s',
    async (_, changes, more, level) => {
      for (const output of ['human', 'json']) {
        damage(changes, more);
        fork('bad.hdd');
        await both(['check', '-r', level, `--output=${output}`, 'bad.hdd']);
      }
      if (level !== 'all') return;
      const checked = await qemuImg(['check', 'own/bad.hdd']);
      expect(checked.exitCode, checked.stdout + checked.stderr).toBe(0);
      const compared = await qemuImg(['compare', 'real/bad.hdd', 'own/bad.hdd']);
      expect(compared.stdout, compared.stderr).toBe('Images are identical.\n');
    },
  );
});
