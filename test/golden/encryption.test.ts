/** Encrypted images: what is read of them, what is said of them, and what opens them. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { NodeHost } from '../../src/command/node/host.ts';
import { isImageError, openImage, readDisk } from '../../src/engine/index.ts';
import { formatLuks, headerOffset, type LuksFormat } from '../images/luks-format.ts';
import { amend, createEncrypted, secrets, writeEncrypted } from './luks.ts';
import { noise, patch } from './make-images.ts';
import { available, expectSame, hashOf, make, ours, qemuImg } from './programs.ts';

const PASSPHRASE = 'passphrase, “größer”';
const ONE = secrets(PASSPHRASE);
let folder = '';
const before = process.cwd();

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'encryption-'));
  process.chdir(folder);
  writeFileSync('noise', noise(1024 * 1024, 5));
  await createEncrypted('empty.qcow2', '40M', [], ONE);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'plain.qcow2', '4M']);
  await make('qemu-io', ['-c', 'write -P 0x77 1M 2M', 'plain.qcow2']);
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

/** `--image-opts` for an image, with further options behind. */
function node(name: string, secret = 's0', more = ''): string {
  return `driver=qcow2,file.filename=${name},encrypt.key-secret=${secret}${more}`;
}

/** Writes of all kinds, at odd places. */
const COMMANDS = [
  'write -s noise 0 1M',
  'write -P 0x11 1234432 70k',
  'write -P 0x22 2M 512',
  'write -P 0x33 2500096 1536',
  'write -z 256k 96k',
  'discard 512k 128k',
  'write -s noise 3M 512k',
];

/** The same bytes by both programs, and the same answers about the image. */
async function expectSameContent(
  opts: string,
  objects: readonly string[],
  more: readonly string[] = [],
): Promise<void> {
  const convert = (target: string) => [
    ...['convert', ...objects, '--image-opts', ...more, '-O', 'raw', opts, target],
  ];
  const real = await qemuImg(convert('real.raw'));
  expect(real).toEqual({ stdout: '', stderr: '', exitCode: 0 });
  expect(await ours(convert('ours.raw'))).toEqual(real);
  expect(await hashOf('ours.raw')).toBe(await hashOf('real.raw'));
}

async function expectSameAnswers(opts: string, objects: readonly string[]): Promise<void> {
  const image = [...objects, '--image-opts', opts];
  await expectSame(['info', ...image]);
  await expectSame(['check', ...image]);
  await expectSame(['check', '--output=json', ...image]);
  await expectSame(['map', ...image]);
  await expectSame(['map', '--output=json', ...image]);
}

/** A fresh copy of the empty image with another header. */
function format(name: string, changes: Partial<LuksFormat>): void {
  copyFileSync('empty.qcow2', name);
  formatLuks(name, {
    ...{ bits: 256, mode: 'xts', vectors: 'plain64', hash: 'sha256', masterIterations: 1000 },
    slots: { 0: { passphrase: PASSPHRASE, iterations: 1200 } },
    ...changes,
  });
}

async function create(name: string, method: 'luks' | 'aes'): Promise<void> {
  if (method === 'luks') format(name, {});
  else await createEncrypted(name, '40M', ['encrypt.format=aes'], ONE);
}

describe.skipIf(!available)('LUKS', () => {
  it.each([
    { bits: 256, mode: 'xts', vectors: 'plain64', hash: 'sha256' },
    { bits: 128, mode: 'xts', vectors: 'plain64', hash: 'sha1' },
    { bits: 256, mode: 'xts', vectors: 'plain', hash: 'sha384' },
    { bits: 128, mode: 'xts', vectors: 'essiv:md5', hash: 'ripemd160' },
    { bits: 128, mode: 'cbc', vectors: 'plain64', hash: 'sha224' },
    { bits: 256, mode: 'cbc', vectors: 'plain', hash: 'md5' },
    { bits: 128, mode: 'cbc', vectors: 'essiv:sha256', hash: 'sha512' },
    { bits: 256, mode: 'cbc', vectors: 'essiv:sha256', hash: 'sha1' },
    { bits: 256, mode: 'ecb', vectors: 'plain64', hash: 'sha256' },
    { bits: 128, mode: 'ctr', vectors: 'plain64', hash: 'sha256' },
    { bits: 256, mode: 'ctr', vectors: 'essiv:sha256', hash: 'sha512' },
  ] as const)('aes-$bits $mode $vectors $hash', async (changes) => {
    format('image.qcow2', changes);
    await writeEncrypted(node('image.qcow2'), ONE, COMMANDS);
    await expectSameContent(node('image.qcow2'), ONE);
    await expectSameAnswers(node('image.qcow2'), ONE);
  });

  it.each([
    ['cipher-alg=aes-192', 'hash-alg=sha512'],
    ['cipher-mode=cbc', 'ivgen-alg=essiv', 'ivgen-hash-alg=sha256', 'hash-alg=ripemd160'],
  ])('as the real program makes it: %s %s', async (...options: string[]) => {
    const encrypt = options.map((option) => `encrypt.${option}`);
    await createEncrypted('image.qcow2', '4M', encrypt, ONE);
    await writeEncrypted(node('image.qcow2'), ONE, COMMANDS);
    await expectSameContent(node('image.qcow2'), ONE);
    await expectSameAnswers(node('image.qcow2'), ONE);
  });

  it.each(['serpent', 'twofish'])('%s is refused by name', async (cipher) => {
    format('image.qcow2', {});
    const name = Buffer.from(cipher.padEnd(32, '\0'));
    patch('image.qcow2', headerOffset(readFileSync('image.qcow2')) + 8, name);
    await expectSame(['info', 'image.qcow2']);
    const { stderr, exitCode } = await ours(['map', ...ONE, '--image-opts', node('image.qcow2')]);
    expect(stderr).toContain(`Not supported by this version: LUKS cipher ${cipher}`);
    expect(exitCode).toBe(1);
  });
});

describe.skipIf(!available)('forms of an encrypted image', () => {
  it.each([
    'cluster_size=512',
    'cluster_size=2M refcount_bits=1',
    'cluster_size=16k extended_l2=on',
    'compat=0.10',
    'encrypt.format=aes',
    'encrypt.format=aes cluster_size=512',
    'encrypt.format=aes cluster_size=16k extended_l2=on',
    'encrypt.format=aes preallocation=metadata',
  ])('%s', async (options) => {
    await createEncrypted('image.qcow2', '4M', options.split(' '), ONE);
    await writeEncrypted(node('image.qcow2'), ONE, COMMANDS);
    await expectSameContent(node('image.qcow2'), ONE);
    await expectSameAnswers(node('image.qcow2'), ONE);
  });

  it('an external data file', async () => {
    await createEncrypted('image.qcow2', '4M', ['data_file=data.raw'], ONE);
    await writeEncrypted(node('image.qcow2'), ONE, COMMANDS);
    await expectSameContent(node('image.qcow2'), ONE);
    await expectSameAnswers(node('image.qcow2'), ONE);
  });

  it.each(['luks', 'aes'] as const)('snapshots, %s', async (method) => {
    await create('image.qcow2', method);
    await writeEncrypted(node('image.qcow2'), ONE, COMMANDS);
    await make('qemu-img', [
      'snapshot',
      '-c',
      'early',
      ...ONE,
      '--image-opts',
      node('image.qcow2'),
    ]);
    await writeEncrypted(node('image.qcow2'), ONE, ['write -P 0x99 0 3M']);
    await expectSameContent(node('image.qcow2'), ONE);
    await expectSameContent(node('image.qcow2'), ONE, ['-l', 'early']);
    await expectSameAnswers(node('image.qcow2'), ONE);
  });

  it.each(['luks', 'aes'] as const)('more than is read at once, %s', async (method) => {
    await create('image.qcow2', method);
    const commands = [
      'write -P 0x41 3M 17M',
      'write -s noise 21M 1M',
      ...Array.from(
        { length: 30 },
        (_, index) => `write -P ${index + 1} ${35e6 - index * 65536 * 3 - (35e6 % 512)} 9k`,
      ),
    ];
    await writeEncrypted(node('image.qcow2'), ONE, commands);
    await expectSameContent(node('image.qcow2'), ONE);
  });
});

describe.skipIf(!available)('without the right passphrase', () => {
  it.each(['luks', 'aes'] as const)('%s', async (method) => {
    await create('image.qcow2', method);
    await writeEncrypted(node('image.qcow2'), ONE, COMMANDS);
    await expectSame(['info', 'image.qcow2']);
    for (const command of ['check', 'map', 'compare', 'convert']) {
      const other = ['compare', 'convert'].includes(command) ? ['plain.qcow2'] : [];
      await expectSame([command, 'image.qcow2', ...other]);
      await expectSame([command, ...ONE, '--image-opts', 'file.filename=image.qcow2', ...other]);
    }
    if (method === 'luks') return;
    // Nobody can know that it is wrong: what is read is noise, and the same noise.
    await expectSameContent(node('image.qcow2'), secrets('another'));
  });
});

describe.skipIf(!available)('encrypted images in chains', () => {
  const TWO = secrets('one', 'two');

  beforeAll(async () => {
    const over = (base: string) => ['-b', base, '-F', 'qcow2', '-u'];
    format('base.qcow2', { slots: { 0: { passphrase: 'one', iterations: 1000 } } });
    await writeEncrypted(node('base.qcow2'), TWO, COMMANDS);
    await make('qemu-img', [
      ...['create', '-q', '-f', 'qcow2', ...over('base.qcow2'), 'plain-top.qcow2', '5M'],
    ]);
    await createEncrypted('on-plain.qcow2', '3M', [], TWO, ...over('plain.qcow2'));
    const AES = ['encrypt.format=aes'];
    const second = TWO.map((word) => word.replace('id=s0', 'id=sx').replace('id=s1', 'id=s0'));
    await createEncrypted('top.qcow2', '5M', AES, second, ...over('base.qcow2'));
  });

  it.each([
    ['plain over LUKS', 'driver=qcow2,file.filename=plain-top.qcow2,backing.encrypt.key-secret=s0'],
    ['LUKS over plain', node('on-plain.qcow2')],
    ['AES over LUKS', node('top.qcow2', 's1', ',backing.encrypt.key-secret=s0')],
    [
      'another file as the base',
      node('top.qcow2', 's1', ',backing.driver=qcow2,backing.file.filename=plain.qcow2'),
    ],
    ['no base', node('top.qcow2', 's1', ',backing=')],
  ])('%s', async (_, opts) => {
    const io = opts.replace('backing=', 'backing.driver=raw,backing.file.filename=noise');
    await writeEncrypted(io, TWO, ['write -P 0x5e 100k 50k', 'write -z 200k 64k']);
    await expectSame(['compare', ...TWO, '--image-opts', opts, opts]);
    await expectSame(['compare', ...TWO, '--image-opts', opts, 'file.filename=plain.qcow2']);
    await expectSame(['map', ...TWO, '--output=json', '--image-opts', opts]);
    await expectSame(['check', ...TWO, '--image-opts', opts]);
    await qemuImg(['convert', ...TWO, '--image-opts', '-O', 'raw', opts, 'real.raw']);
    await ours(['convert', ...TWO, '--image-opts', '-O', 'raw', opts, 'ours.raw']);
    expect(await hashOf('ours.raw')).toBe(await hashOf('real.raw'));
  });
});

describe.skipIf(!available)('key slots', () => {
  const ALL = secrets('first', 'second', 'third', 'wrong');
  const opened = async (command: string, secret: string) => {
    const opts = node('slots.qcow2', secret);
    await expectSame([command, ...ALL, '--image-opts', opts]);
  };

  it('each opens it, a wrong passphrase does not', async () => {
    format('slots.qcow2', {
      slots: {
        0: { passphrase: 'first', iterations: 1500 },
        3: { passphrase: 'second', iterations: 1000 },
        7: { passphrase: 'third', iterations: 3000 },
      },
    });
    await writeEncrypted(node('slots.qcow2', 's1'), ALL, ['write -P 0x42 0 300k']);
    for (const secret of ['s0', 's1', 's2', 's3']) await opened('check', secret);
    await expectSameContent(node('slots.qcow2', 's2'), ALL);
  });

  it('added and erased by the real program', async () => {
    const add = ['encrypt.state=active', 'encrypt.new-secret=s1', 'encrypt.iter-time=10'];
    format('slots.qcow2', { slots: { 2: { passphrase: 'first', iterations: 1500 } } });
    await amend('slots.qcow2', ALL, add);
    for (const secret of ['s0', 's1']) await opened('check', secret);
    await amend('slots.qcow2', ALL, ['encrypt.state=inactive', 'encrypt.keyslot=2'], 's1');
    for (const secret of ['s0', 's1']) await opened('check', secret);
    await expectSame(['info', 'slots.qcow2']);
    await expectSame(['info', '--output=json', 'slots.qcow2']);
  });
});

describe.skipIf(!available)('through the engine', () => {
  async function open(path: string, ...given: (string | undefined)[]) {
    const storage = await new NodeHost(fail, fail).open(path);
    const asked: { attempt: number; method: string }[] = [];
    const handed: Uint8Array[] = [];
    const disk = await openImage(storage, {
      unlock: ({ attempt, method, seconds }) => {
        asked.push({ attempt, method });
        expect(seconds).toBeLessThan(2);
        const word = given[attempt];
        const bytes = word === undefined ? undefined : new TextEncoder().encode(word);
        if (bytes !== undefined) handed.push(bytes);
        return Promise.resolve(bytes);
      },
    });
    return { disk, asked, handed };
  }

  it.each(['luks', 'aes'] as const)('any range gives the same bytes, %s', async (method) => {
    await create('image.qcow2', method);
    await writeEncrypted(node('image.qcow2'), ONE, COMMANDS);
    await expectSameContent(node('image.qcow2'), ONE);
    const expected = readFileSync('real.raw');
    const { disk, handed } = await open('image.qcow2', PASSPHRASE);
    // What was handed over is forgotten.
    expect(handed.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true);
    const offset = fc.nat(4 * 1024 * 1024);
    await fc.assert(
      fc.asyncProperty(
        offset,
        fc.oneof(fc.nat(2000), fc.nat(4 * 1024 * 1024)),
        async (at, most) => {
          const bytes = await readDisk(disk, at, most);
          expect(expected.subarray(at, at + most).equals(bytes)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
    await disk.close();
  });

  it('asks again after a wrong passphrase, and opens locked without any', async () => {
    format('image.qcow2', {});
    const { disk, asked } = await open('image.qcow2', 'wrong', '', PASSPHRASE);
    expect(asked.map(({ attempt }) => attempt)).toEqual([0, 1, 2]);
    expect(disk.contentMissing).toBeUndefined();
    const locked = await open('image.qcow2', undefined);
    expect(locked.disk.contentMissing).toBe('locked');
    const failure: unknown = await open('image.qcow2', 'wrong', undefined).catch((e: unknown) => e);
    expect(isImageError(failure, 'wrong-passphrase')).toBe(true);
  });
});

function fail(text: string): never {
  throw new Error(text);
}
