/** Damaged LUKS headers: the same verdict as the real program's, in the same words, and soon. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatLuks, headerOffset } from '../images/luks-format.ts';
import { createEncrypted, secrets, writeEncrypted } from './luks.ts';
import { patch, randomNumbers } from './make-images.ts';
import { available, expectSame, ours } from './programs.ts';

const OBJECTS = secrets('secret');
const OPENED = [...OBJECTS, '--image-opts', 'file.filename=image.qcow2,encrypt.key-secret=s0'];
let folder = '';
let luksAt = 0;
let extensionAt = 0;
const before = process.cwd();

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'luks-damage-'));
  process.chdir(folder);
  await createEncrypted('good.qcow2', '1M', [], OBJECTS);
  formatLuks('good.qcow2', {
    ...{ bits: 256, mode: 'xts', vectors: 'plain64', hash: 'sha256', masterIterations: 1000 },
    slots: { 1: { passphrase: 'secret', iterations: 1000 } },
  });
  const io = 'file.filename=good.qcow2,encrypt.key-secret=s0';
  await writeEncrypted(io, OBJECTS, ['write -P 5 0 64k']);
  const bytes = readFileSync('good.qcow2');
  luksAt = headerOffset(bytes);
  extensionAt = bytes.indexOf(Buffer.from('0537be77', 'hex')) + 8;
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

type Change = readonly [at: number, bytes: Buffer];

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const u64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
};
const text = (value: string): Buffer => Buffer.from(value.padEnd(32, '\0'));
const slot = (index: number, at: number): number => 208 + 48 * index + at;

async function expectSameVerdict(...changes: readonly Change[]): Promise<void> {
  copyFileSync('good.qcow2', 'image.qcow2');
  for (const [at, bytes] of changes) patch('image.qcow2', luksAt + at, bytes);
  await expectSame(['info', 'image.qcow2']);
  await expectSame(['check', ...OPENED]);
}

const NUMBERS: readonly (readonly [string, number, readonly number[]])[] = [
  ['payload offset', 104, [0, 1, 7, 8, 4039, 4040, 0xffffffff]],
  ['key bytes', 108, [0, 1, 7, 16, 24, 32, 33, 48, 63, 65, 128, 4096, 2 ** 31, 2 ** 32 - 1]],
  ['iterations', 164, [0, 1]],
  ['state of slot 0', slot(0, 0), [0, 0xac71f3]],
  ['state of slot 1', slot(1, 0), [0, 1, 0xdead]],
  ['iterations of slot 0', slot(0, 4), [0, 1]],
  ['iterations of slot 1', slot(1, 4), [0, 1]],
  ['key offset of slot 1', slot(1, 40), [0, 1, 7, 9, 512, 3540, 4040, 2 ** 32 - 1, 2 ** 32 - 16]],
  ['stripes of slot 1', slot(1, 44), [0, 1, 3999, 4001, 2 ** 31, 2 ** 32 - 1]],
  ['stripes of slot 5', slot(5, 44), [0]],
];

const NAMES: readonly (readonly [string, number, readonly string[]])[] = [
  ['cipher', 8, ['what', 'AES', '', 'cast5', '3des', 'sm4', 'a'.repeat(32)]],
  [
    'mode',
    40,
    [
      ...['xts', 'xts-plain64-x', 'what-plain64', 'xts-what', 'xts-essiv', 'xts-essiv:what'],
      ...['xts-plain64:sha256', 'xts-plain64:', 'xts-essiv:sha1', 'xts-essiv:sha512', '', '-'],
      ...['xts-', 'cbc-plain', 'XTS-plain64', 'xts-benbi', 'xts:sha256-plain64', 'a'.repeat(32)],
      ...['xts-essiv:sha256', 'xts-plain'],
    ],
  ],
  ['hash', 72, ['what', '', 'SHA256', 'sha3-256', 'whirlpool', 'sha1', 'a'.repeat(32)]],
];

describe.skipIf(!available)('a damaged LUKS header', () => {
  it.each(NUMBERS)('%s', async (_, at, values) => {
    for (const value of values) await expectSameVerdict([at, u32(value)]);
  });

  it.each(NAMES)('%s', async (_, at, values) => {
    for (const value of values) await expectSameVerdict([at, text(value)]);
  });

  it('magic, version, digest, salts, key material', async () => {
    await expectSameVerdict([0, Buffer.from('X')]);
    for (const version of [0, 2, 256]) {
      await expectSameVerdict([6, Buffer.of(version >> 8, version & 255)]);
    }
    for (const at of [112, 132, slot(1, 8), 168]) await expectSameVerdict([at, Buffer.from('?')]);
    await expectSameVerdict([512 * 512 + 100, Buffer.from('?')]);
    await expectSameVerdict([168, text('u'.repeat(40))]);
  });

  it('the pointer to it', async () => {
    const pointers: [bigint, bigint][] = [
      ...[0n, 591n, 592n, 4096n, 132095n, 1n << 62n].map((n): [bigint, bigint] => [65536n, n]),
      ...[0n, 65537n, 1n << 40n, 1n << 62n, 2n ** 63n - 65536n, 1n << 63n].map(
        (n): [bigint, bigint] => [n, 2068480n],
      ),
    ];
    for (const [offset, length] of pointers) {
      copyFileSync('good.qcow2', 'image.qcow2');
      patch('image.qcow2', extensionAt, Buffer.concat([u64(offset), u64(length)]));
      await expectSame(['info', 'image.qcow2']);
      await expectSame(['map', '--output=json', ...OPENED]);
    }
    for (const length of [592n, 262144n, 500000n]) {
      copyFileSync('good.qcow2', 'image.qcow2');
      patch('image.qcow2', extensionAt + 8, u64(length));
      await expectSame(['map', '--output=json', ...OPENED]);
    }
  });

  // Several faults at once: the one that is told is the one that the real program tells.
  const SEED = 20261121;
  it(`several faults, seed ${SEED}`, async () => {
    const random = randomNumbers(SEED);
    const some = <T>(list: readonly T[]): T => list[random(list.length)]!;
    for (let round = 0; round < 60; round++) {
      const changes = Array.from({ length: 2 + random(3) }, (): Change => {
        if (random(3) === 0) {
          const [, at, values] = some(NAMES);
          return [at, text(some(values))];
        }
        const [, at, values] = some(NUMBERS);
        return [at, u32(some(values))];
      });
      await expectSameVerdict(...changes);
    }
  });

  it.each([0xffffffff, 0x7fffffff, 0x20000000])(
    'what would take hours is refused at once: %d rounds',
    async (rounds) => {
      for (const at of [164, slot(1, 4)]) {
        copyFileSync('good.qcow2', 'image.qcow2');
        patch('image.qcow2', luksAt + at, u32(rounds));
        await expectSame(['info', 'image.qcow2']);
        const start = performance.now();
        const { stderr, exitCode } = await ours(['check', ...OPENED]);
        expect(performance.now() - start).toBeLessThan(5000);
        expect(stderr).toContain('Number of rounds of LUKS key derivation is too large');
        expect(exitCode).toBe(1);
      }
    },
  );
});
