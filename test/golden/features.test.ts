/** Features whose content is read in a later version: what can be said of such images already. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { patch } from './make-images.ts';
import { available, expectSame, hashOf, make, ours } from './programs.ts';
import { Qcow2Editor } from './qcow2-editor.ts';

const SECRET = ['--object', 'secret,id=s,data=abc'];
const LUKS = 'encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10';

let folder = '';
let path = '';
let luksImage = '';

beforeAll(async () => {
  if (!available) return;
  luksImage = join(mkdtempSync(join(tmpdir(), 'features-')), 'luks.qcow2');
  const args = ['create', '-q', '-f', 'qcow2', ...SECRET, '-o', LUKS, luksImage, '4M'];
  // Where processor time is counted in ticks, timing the key derivation fails now and then.
  for (let attempt = 0; ; attempt++) {
    try {
      await make('qemu-img', args);
      return;
    } catch (error) {
      if (attempt === 20) throw error;
    }
  }
});

afterAll(() => {
  if (luksImage !== '') rmSync(dirname(luksImage), { recursive: true });
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'features-'));
  path = join(folder, 'image.qcow2');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

async function create(options: string, ...more: string[]): Promise<void> {
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...more, '-o', options, path, '4M']);
}

async function write(...commands: string[]): Promise<void> {
  await make('qemu-io', [...commands.flatMap((command) => ['-c', command]), path]);
}

async function expectSameInfo(): Promise<void> {
  await expectSame(['info', path]);
  await expectSame(['info', '--output=json', path]);
}

async function expectSameCheck(): Promise<void> {
  await expectSame(['check', path]);
  await expectSame(['check', '--output=json', path]);
}

/** Both programs make the same raw file of it. */
async function expectSameContent(): Promise<void> {
  const [mine, theirs] = [join(folder, 'mine'), join(folder, 'theirs')];
  await make('qemu-img', ['convert', '-O', 'raw', path, theirs]);
  expect(await ours(['convert', '-O', 'raw', path, mine])).toMatchObject({ exitCode: 0 });
  expect(await hashOf(mine)).toBe(await hashOf(theirs));
}

describe.skipIf(!available)('info and check know', () => {
  it.each(['', ',data_file_raw=on'])('an external data file%s', async (more) => {
    await create(`data_file=${join(folder, 'data')}${more}`);
    await write('write -P 1 0 1M');
    await expectSameInfo();
    await expectSameCheck();
  });

  it.each([
    'extended_l2=on',
    'extended_l2=on,cluster_size=16k',
    'compression_type=zstd',
    'compression_type=zstd,cluster_size=2M,lazy_refcounts=on',
  ])('%s', async (options) => {
    await create(options);
    // Whole clusters: what a part of one leaves is a hole, and only the file system knows of it.
    await write('write -P 1 0 2M', 'write -z 128k 64k', 'write -c -P 3 2M 2M');
    await expectSameInfo();
    await expectSameCheck();
    await expectSame(['map', '--output=json', path]);
    await expectSameContent();
  });

  it('bitmaps', async () => {
    await create('cluster_size=4k');
    await make('qemu-img', ['bitmap', '--add', path, 'b1']);
    await make('qemu-img', ['bitmap', '--add', '--disable', '-g', '512', path, 'b2']);
    await write('write -P 1 0 1M');
    await expectSameInfo();
    await expectSameCheck();
    await expectSame(['map', '--output=json', path]);
  });
});

describe.skipIf(!available)('info knows', () => {
  it('AES', async () => {
    await create('encrypt.format=aes,encrypt.key-secret=s', ...SECRET);
    await expectSameInfo();
  });

  /** Cipher, mode and bytes of the key; made by hand, as deriving keys takes its time. */
  it.each([
    ['aes', 'xts-plain64', 64],
    ['aes', 'xts-plain64', 32],
    ['serpent', 'cbc-plain', 32],
    ['twofish', 'cbc-essiv:sha256', 16],
  ])('LUKS with %s %s and %d bytes', async (cipher, mode, keyBytes) => {
    copyFileSync(luksImage, path);
    const { bytes } = new Qcow2Editor(path);
    const header = bytes.indexOf('LUKS\xba\xbe', 'latin1');
    patch(path, header + 8, Buffer.from(cipher.padEnd(32, '\0')));
    patch(path, header + 40, Buffer.from(mode.padEnd(32, '\0')));
    patch(path, header + 108, Buffer.from([0, 0, 0, keyBytes]));
    await expectSameInfo();
  });
});
