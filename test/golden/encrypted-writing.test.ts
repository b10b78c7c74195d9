/**
 * Content that we encrypt: conversions into encrypted images, and writes into encrypted images that
 * have a past. The legacy AES knows nothing random, so that its files are compared byte by byte.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileStorage } from '../../src/command/node/file-storage.ts';
import {
  Change,
  editQcow2,
  GuestWriter,
  openImage,
  Qcow2Image,
  readDisk,
} from '../../src/engine/index.ts';
import { formatLuks } from '../images/luks-format.ts';
import { pick, randomFor, type Random } from './histories.ts';
import { createEncrypted, secrets, writeEncrypted } from './luks.ts';
import { noise } from './make-images.ts';
import { available, expectSame, make, ours, qemuImg } from './programs.ts';

const PASSPHRASE = 'sesame, open';
const ONE = secrets(PASSPHRASE);
const AES = 'encrypt.format=aes,encrypt.key-secret=s0';
const LUKS = 'encrypt.format=luks,encrypt.key-secret=s0,encrypt.iter-time=10';
let folder = '';
const before = process.cwd();

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'encrypted-writing-'));
  process.chdir(folder);
  writeFileSync('noise', noise(3 * 1024 * 1024, 11));
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'a', '9M']);
  const writes = [
    ...['write -s noise 0 3M', 'write -P 2 4M 100k', 'write -P 3 5000192 1536'],
    ...['write -z 1M 100k', 'write -P 5 8M 70k'],
  ];
  await make('qemu-io', [...writes.flatMap((one) => ['-c', one]), 'a']);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'b', '1000k']);
  await make('qemu-io', ['-c', 'write -c -P 7 64k 128k', '-c', 'write -P 9 999k 1k', 'b']);
  await createEncrypted('empty', '4M', [], ONE);
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

/** `--image-opts` for an image. */
function node(name: string): string {
  return `driver=qcow2,file.filename=${name},encrypt.key-secret=s0`;
}

async function convert(args: readonly string[]): Promise<void> {
  const done = await ours(['convert', ...ONE, '-O', 'qcow2', ...args]);
  expect(done).toEqual({ stdout: '', stderr: '', exitCode: 0 });
}

/** The real program finds in `encrypted` what is in the sources. */
async function expectContent(sources: readonly string[], encrypted: string): Promise<void> {
  await make('qemu-img', ['convert', '-O', 'raw', ...sources, 'expected.raw']);
  await make('qemu-img', [
    ...['convert', ...ONE, '--image-opts', '-O', 'raw', node(encrypted), 'found.raw'],
  ]);
  expect(readFileSync('found.raw').equals(readFileSync('expected.raw'))).toBe(true);
}

describe.skipIf(!available)('convert, the legacy AES byte for byte', () => {
  it.each([
    ['', 'a'],
    ['cluster_size=512', 'a'],
    ['cluster_size=512,compat=0.10', 'b a'],
    ['cluster_size=2M,compat=0.10', 'a b'],
    ['cluster_size=16k,extended_l2=on', 'b a'],
    ['cluster_size=4k', '-S 0 a'],
    ['cluster_size=1k,refcount_bits=64', '-S 64k b'],
  ])('%s %s', async (more, words) => {
    const list = more === '' ? AES : `${AES},${more}`;
    const args = ['-o', list, ...words.split(' ')];
    await make('qemu-img', ['convert', ...ONE, '-O', 'qcow2', ...args, 'real']);
    await convert([...args, 'own']);
    expect(readFileSync('own').equals(readFileSync('real'))).toBe(true);
  });
});

describe.skipIf(!available)('convert, LUKS', () => {
  it.each([
    ['', 'a'],
    ['cluster_size=512,encrypt.cipher-mode=cbc', 'a'],
    ['cluster_size=2M,encrypt.ivgen-alg=essiv', 'b a'],
    ['cluster_size=16k,extended_l2=on,encrypt.cipher-alg=aes-192', 'a b'],
    ['compat=0.10,encrypt.cipher-alg=aes-128,encrypt.cipher-mode=ctr', '-S 0 b'],
    ['preallocation=metadata', 'a'],
    ['preallocation=full,cluster_size=4k', 'b'],
  ])('%s %s', async (more, words) => {
    const list = more === '' ? LUKS : `${LUKS},${more}`;
    await convert(['-o', list, ...words.split(' '), 'own']);
    await expectContent(
      words.split(' ').filter((word) => /^[ab]$/.test(word)),
      'own',
    );
    await expectSame(['check', ...ONE, '--image-opts', node('own')]);
  });

  it('the same places as in the file of the real program', async () => {
    const list = `${LUKS},cluster_size=4k`;
    await convert(['-o', list, 'a', 'own']);
    await createEncrypted('real', '9M', ['cluster_size=4k'], ONE);
    const target = ['--target-image-opts', '--target-is-zero', '-n', 'a', node('real')];
    await make('qemu-img', ['convert', ...ONE, ...target]);
    const mapOf = async (name: string) => {
      const args = ['map', ...ONE, '--output=json', '--image-opts', node(name)];
      return (await qemuImg(args)).stdout;
    };
    expect(await mapOf('own')).toBe(await mapOf('real'));
  });

  it('the legacy AES, preallocated: zeros are zeros', async () => {
    await convert(['-o', `${AES},preallocation=metadata`, 'a', 'own']);
    await expectContent(['a'], 'own');
  });
});

describe.skipIf(!available)('convert refuses', () => {
  it.each([
    ['-c', `-o`, AES],
    ['-c', `-o`, LUKS],
    ['-c', `-o`, 'encryption=on'],
    ['-o', 'encryption=on'],
    ['-o', 'encrypt.format=luks'],
    ['-o', 'encrypt.format=luks,encrypt.key-secret=s7'],
    ['-o', `${LUKS},encrypt.hash-alg=x`],
  ])('%s %s %s', async (...words: (string | undefined)[]) => {
    const options = words.filter((word) => word !== undefined);
    rmSync('own', { force: true });
    await expectSame(['convert', ...ONE, '-O', 'qcow2', ...options, 'a', 'own']);
  });
});

const SIZE = 4 * 1024 * 1024;

/** A random write of the real program. */
function ioCommand(random: Random, clusterSize: number): string {
  const start = random(SIZE / 512) * 512;
  const length = Math.min(SIZE - start, (1 + random((3 * clusterSize) / 512)) * 512);
  const kind = pick(random, ['write -z', 'discard', `write -P ${1 + random(255)}`, 'write -P 77']);
  return `${kind} ${start} ${length}`;
}

/** An encrypted image with content, a snapshot perhaps, and something below it perhaps. */
async function makeImage(random: Random): Promise<{ snapshot: boolean }> {
  const isAes = random(2) === 0;
  const clusterSize = pick(random, [512, 4096, 16384, 65536]);
  const forms = [`cluster_size=${clusterSize}`];
  if (clusterSize >= 16384 && random(2) === 0) forms.push('extended_l2=on');
  else if (random(3) === 0) forms.push('compat=0.10');
  const backing = random(2) === 0 ? ['-u', '-b', 'noise', '-F', 'raw'] : [];
  const list = `${isAes ? AES : LUKS},${forms.join(',')}`;
  const made = await ours([
    'create',
    ...ONE,
    '-q',
    '-f',
    'qcow2',
    ...backing,
    '-o',
    list,
    'x',
    '4M',
  ]);
  expect(made.stderr).toBe('');
  const commands = Array.from({ length: 12 }, () => ioCommand(random, clusterSize));
  await writeEncrypted(node('x'), ONE, commands);
  const snapshot = random(2) === 0;
  const image = ['--image-opts', node('x')];
  if (snapshot) await make('qemu-img', ['snapshot', '-c', 's', ...ONE, ...image]);
  await writeEncrypted(node('x'), ONE, [ioCommand(random, clusterSize)]);
  return { snapshot };
}

async function rawOf(...more: string[]): Promise<Buffer> {
  await make('qemu-img', [
    ...['convert', ...ONE, ...more, '--image-opts', '-O', 'raw', node('x'), 'x.raw'],
  ]);
  return readFileSync('x.raw');
}

/** Random writes by our engine; `model` is changed alike. */
async function write(random: Random, model: Buffer, passphrase: string | undefined): Promise<void> {
  const base = await FileStorage.open('x', 'modify');
  const change = new Change(base);
  const image = await openImage(change.storage, {
    gate: ({ name }) => FileStorage.open(name, 'read'),
    unlock: ({ attempt }) => {
      const given = attempt === 0 ? passphrase : undefined;
      return Promise.resolve(given === undefined ? undefined : new TextEncoder().encode(given));
    },
  });
  if (!(image instanceof Qcow2Image)) throw new Error('not qcow2');
  try {
    const { backing } = image;
    const below = backing && ((at: number, length: number) => readDisk(backing, at, length));
    const writer = await editQcow2(image);
    const guest = new GuestWriter(image, writer, below);
    for (let i = 0; i < 25; i++) {
      const start = random(SIZE / 512) * 512;
      const most = pick(random, [512, image.clusterSize, 5 * image.clusterSize, 200_000]);
      const length = Math.min(SIZE - start, (1 + random(Math.ceil(most / 512))) * 512);
      if (random(3) === 0) {
        await guest.zero(start, length);
        model.fill(0, start, start + length);
      } else {
        const bytes = new Uint8Array(length).fill(1 + random(255));
        await guest.write(start, bytes);
        model.set(bytes, start);
      }
    }
    await writer.flush();
    await change.apply();
  } finally {
    await image.backing?.close();
    await base.close();
  }
}

describe.skipIf(!available)('writing into encrypted images with a past', () => {
  const SEEDS = Number(process.env['ENCRYPTED_WRITING_SEEDS'] ?? 12);
  it.each(Array.from({ length: SEEDS }, (_, seed) => seed))('seed %d', async (seed) => {
    const random = randomFor(seed);
    const { snapshot } = await makeImage(random);
    const model = await rawOf();
    const kept = snapshot ? await rawOf('-l', 's') : undefined;
    await write(random, model, PASSPHRASE);
    const { stdout, stderr } = await qemuImg(['check', ...ONE, '--image-opts', node('x')]);
    expect(stdout + stderr).toMatch(/^No errors were found/);
    expect((await rawOf()).equals(model)).toBe(true);
    if (kept !== undefined) expect((await rawOf('-l', 's')).equals(kept)).toBe(true);
  });

  it('not without the passphrase', async () => {
    copyFileSync('empty', 'x');
    formatLuks('x', {
      ...{ bits: 256, mode: 'xts', vectors: 'plain64', hash: 'sha256', masterIterations: 1000 },
      slots: { 0: { passphrase: PASSPHRASE, iterations: 1000 } },
    });
    const old = readFileSync('x');
    const random = randomFor(1);
    await expect(write(random, Buffer.alloc(SIZE), undefined)).rejects.toThrow('locked');
    await expect(write(random, Buffer.alloc(SIZE), 'another')).rejects.toThrow('wrong-passphrase');
    expect(readFileSync('x').equals(old)).toBe(true);
  });
});
