/**
 * New encrypted images: the same as those of the real program but for what is random, the same
 * refusals, and what each program makes is opened by the other.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { headerOffset } from '../images/luks-format.ts';
import { secrets } from './luks.ts';
import { available, expectSame, make, ours, qemuImg, type Outcome } from './programs.ts';

const PASSPHRASE = 'pass, phrase “größer”';
const ONE = secrets(PASSPHRASE);
let folder = '';
const before = process.cwd();

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'encrypted-create-'));
  process.chdir(folder);
  for (const side of ['real', 'own']) {
    mkdirSync(side);
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', `${side}/base`, '3M']);
  }
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

/** The real program, again while it fails to measure its own time. */
async function real(args: readonly string[], cwd = '.'): Promise<Outcome> {
  for (let attempt = 0; ; attempt++) {
    const outcome = await qemuImg(args, cwd);
    if (!outcome.stderr.includes('accurate CPU usage') || attempt === 30) return outcome;
  }
}

async function both(args: readonly string[]): Promise<void> {
  const theirs = await real(['create', ...ONE, ...args], 'real');
  process.chdir('own');
  const own = await ours(['create', ...ONE, ...args]);
  process.chdir('..');
  expect(own).toEqual(theirs);
}

const LUKS = 'encrypt.format=luks,encrypt.key-secret=s0';
const AES = 'encrypt.format=aes,encrypt.key-secret=s0';
const QUICK = `${LUKS},encrypt.iter-time=10`;

/** Sets what is random, or measured, to zeros. */
function withoutKeys(path: string, keyBytes: number): Buffer {
  const bytes = readFileSync(path);
  const at = headerOffset(bytes);
  const random = [...[112, 20 + 32 + 4 + 40], ...[208 + 4, 4 + 32], ...[4096, keyBytes * 4000]];
  for (let index = 0; index < random.length; index += 2) {
    const start = at + (random[index] as number);
    const part = bytes.subarray(start, start + (random[index + 1] as number));
    expect(part.some((byte) => byte !== 0)).toBe(true);
    part.fill(0);
  }
  return bytes;
}

/** `--image-opts` for an image. */
function node(name: string, secret = 's0'): string {
  return `driver=qcow2,file.filename=${name},encrypt.key-secret=${secret}`;
}

describe.skipIf(!available)('LUKS, byte for byte but for the keys', () => {
  it.each([
    ['', '', 64],
    ['cluster_size=512,refcount_bits=1', '', 64],
    ['compat=0.10,encrypt.cipher-alg=aes-128', '-u -b base -F qcow2', 32],
    ['extended_l2=on,preallocation=metadata,encrypt.cipher-alg=aes-192', '', 48],
    ['cluster_size=2M,preallocation=full,encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv', '', 32],
    [
      'cluster_size=1k,preallocation=falloc,encrypt.ivgen-hash-alg=sha1,encrypt.hash-alg=sha512',
      '',
      64,
    ],
  ])('%s %s', async (more, words, keyBytes) => {
    const list = more === '' ? QUICK : `${QUICK},${more}`;
    await both(['-f', 'qcow2', ...words.split(' ').filter(Boolean), '-o', list, 'x', '3M']);
    const [own, theirs] = [withoutKeys('own/x', keyBytes), withoutKeys('real/x', keyBytes)];
    expect(own.length).toBe(theirs.length);
    expect(own.equals(theirs)).toBe(true);
    const isPreallocated = more.includes('preallocation');
    const zeros = isPreallocated ? [] : ['-c', 'read -P 0 0 3M'];
    const commands = [...zeros, '-c', 'write -P 7 1M 70k', '-c', 'read -P 7 1M 70k'];
    await make('qemu-io', [...commands, ...ONE, '--image-opts', node('own/x')]);
    await expectSame(['check', ...ONE, '--image-opts', node('own/x')]);
  });
});

describe.skipIf(!available)('LUKS, opened by the real program', () => {
  const VARIETIES = [
    'cipher-alg=aes-128 hash-alg=sha1',
    'cipher-alg=aes-192 ivgen-alg=plain hash-alg=sha384',
    'cipher-alg=aes-256 ivgen-alg=essiv ivgen-hash-alg=md5 hash-alg=ripemd160',
    'cipher-alg=aes-128 cipher-mode=cbc hash-alg=md5',
    'cipher-alg=aes-256 cipher-mode=cbc ivgen-alg=essiv ivgen-hash-alg=sha256',
    'cipher-alg=aes-256 cipher-mode=ecb hash-alg=sha224',
    'cipher-alg=aes-128 cipher-mode=ctr hash-alg=sha512',
  ];

  it.each(VARIETIES)('%s', async (options) => {
    const list = [QUICK, ...options.split(' ').map((option) => `encrypt.${option}`)].join(',');
    const made = await ours(['create', '-q', ...ONE, '-f', 'qcow2', '-o', list, 'x', '2M']);
    expect(made).toEqual({ stdout: '', stderr: '', exitCode: 0 });
    const opened = [
      '-c',
      'read -P 0 0 2M',
      '-c',
      'write -P 9 64k 100k',
      '-c',
      'read -P 9 64k 100k',
    ];
    await make('qemu-io', [...opened, ...ONE, '--image-opts', node('x')]);
    await expectSame(['info', 'x']);
    await expectSame(['check', ...ONE, '--image-opts', node('x')]);
    const wrong = secrets('another');
    const { stderr, exitCode } = await expectSame(['check', ...wrong, '--image-opts', node('x')]);
    expect(stderr).toContain('Invalid password');
    expect(exitCode).toBe(1);
  });

  it('takes about as long as asked for', async () => {
    const list = `${LUKS},encrypt.iter-time=400`;
    await ours(['create', '-q', ...ONE, '-f', 'qcow2', '-o', list, 'x', '1M']);
    const { stdout } = await qemuImg(['info', '--output=json', 'x']);
    const { slots, 'master-key-iters': master } = encryptionOf(stdout);
    expect(slots[0]?.iters).toBeGreaterThan(100_000);
    expect(slots[0]?.iters).toBeLessThan(40_000_000);
    expect(master).toBeGreaterThan(20_000);
  });
});

interface EncryptionFacts {
  slots: { active: boolean; iters?: number }[];
  'master-key-iters': number;
}

function encryptionOf(json: string): EncryptionFacts {
  const info = JSON.parse(json) as { 'format-specific': { data: { encrypt: EncryptionFacts } } };
  return info['format-specific'].data.encrypt;
}

describe.skipIf(!available)('the legacy AES, byte for byte', () => {
  it.each([
    [AES],
    ['encryption=on,encrypt.key-secret=s0'],
    ['encryption=off,encrypt.format=qcow,encrypt.key-secret=s0,compat=0.10'],
    [`${AES},cluster_size=512,preallocation=metadata`],
  ])('%s', async (list) => {
    await both(['-f', 'qcow2', '-o', list, 'x', '3M']);
    expect(readFileSync('own/x').equals(readFileSync('real/x'))).toBe(true);
  });
});

it.skipIf(!available)('an encrypted base needs no passphrase', async () => {
  for (const side of ['real', 'own']) {
    const base = ['-f', 'qcow2', '-o', QUICK, `${side}/locked`, '5M'];
    await ours(['create', '-q', ...ONE, ...base]);
    await make('qemu-img', [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-u',
      '-b',
      'locked',
      '-F',
      'qcow2',
      `${side}/middle`,
      '5M',
    ]);
  }
  for (const name of ['locked', 'middle']) {
    await both(['-f', 'qcow2', '-b', name, '-F', 'qcow2', 'x']);
    expect(readFileSync('own/x').equals(readFileSync('real/x'))).toBe(true);
    await both(['-f', 'qcow2', '-b', name, '-F', 'qcow2', '-o', AES, 'x']);
    expect(readFileSync('own/x').equals(readFileSync('real/x'))).toBe(true);
  }
});

describe.skipIf(!available)('refused', () => {
  it.each([
    'encryption=on',
    'encryption=on,encrypt.format=aes,encrypt.key-secret=s0',
    'encryption=on,encrypt.format=luks,encrypt.key-secret=s0',
    'encrypt.key-secret=s0',
    'encrypt.format=foo,encrypt.key-secret=s0',
    'encrypt.format=luks',
    'encrypt.format=aes',
    'encrypt.format=luks,encrypt.key-secret=s9',
    'encrypt.format=aes,encrypt.key-secret=s9',
    `${AES},encrypt.cipher-alg=aes-128`,
    `${AES},encrypt.iter-time=10`,
    `${LUKS},encrypt.cipher-alg=foo`,
    `${LUKS},encrypt.cipher-alg=des`,
    `${LUKS},encrypt.cipher-mode=foo`,
    `${LUKS},encrypt.ivgen-alg=foo`,
    `${LUKS},encrypt.hash-alg=foo`,
    `${LUKS},encrypt.iter-time=foo`,
    `${LUKS},encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=sha1`,
    `${LUKS},encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=foo`,
    `${LUKS},encrypt.cipher-alg=cast5-128`,
    `cluster_size=1000,encrypt.format=luks,encrypt.key-secret=s9`,
  ])('%s', async (list) => {
    for (const side of ['real', 'own']) rmSync(`${side}/x`, { force: true });
    await both(['-f', 'qcow2', '-o', list, 'x', '1M']);
    expect(existsSync('own/x')).toBe(existsSync('real/x'));
  });

  it.each([
    [`${QUICK},encrypt.cipher-alg=serpent-256`, 'serpent-256'],
    [`${QUICK},encrypt.cipher-alg=aes-192,encrypt.cipher-mode=cbc`, '192'],
    [`${LUKS},encrypt.iter-time=99999999999`, 'too large'],
  ])('%s, as nobody here could open it', async (list, word) => {
    rmSync('x', { force: true });
    const { stderr, exitCode } = await ours([
      'create',
      ...ONE,
      '-f',
      'qcow2',
      '-o',
      list,
      'x',
      '1M',
    ]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(word);
    expect(stderr).not.toContain('größer');
  });
});

describe.skipIf(!available)('measured before', () => {
  it.each([
    [QUICK, '3M'],
    [`${QUICK},cluster_size=4k`, '100M'],
    [`${QUICK},encrypt.cipher-alg=aes-128,preallocation=full`, '5M'],
  ])('%s of %s', async (list, size) => {
    const asked = ['measure', ...ONE, '-O', 'qcow2', '-o', list, '--output=json', '--size', size];
    const { stdout } = await ours(asked);
    const measured = JSON.parse(stdout) as { required: number; 'fully-allocated': number };
    await ours([
      'create',
      '-q',
      ...ONE,
      '-f',
      'qcow2',
      '-o',
      `${list},preallocation=full`,
      'x',
      size,
    ]);
    expect(statSync('x').size).toBe(measured['fully-allocated']);
  });
});
