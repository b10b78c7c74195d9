/** Empty images for those who have no command line: the files are those of the real `create`. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeEmpty, type EmptyWish } from '../../src/command/make-empty.ts';
import { ImageError, isImageError, MemoryStorage, type Storage } from '../../src/engine/index.ts';
import { available, make, qemuImg } from './programs.ts';

const MIB = 1024 * 1024;
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'make-empty-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

class Host {
  readonly files = new Map<string, MemoryStorage>();

  open(name: string): Promise<Storage> {
    const path = join(folder, name);
    if (!existsSync(path)) {
      return Promise.reject(new ImageError('open-failed', { name, reason: 'Not there' }));
    }
    return Promise.resolve(new MemoryStorage({ name, content: readFileSync(path) }));
  }

  create(name: string): Promise<Storage> {
    const storage = new MemoryStorage({ name });
    this.files.set(name, storage);
    return Promise.resolve(storage);
  }

  async bytes(name: string): Promise<Uint8Array> {
    const storage = this.files.get(name);
    const bytes = new Uint8Array(storage?.size ?? 0);
    await storage?.read(0, bytes);
    return bytes;
  }
}

const WISH: EmptyWish = {
  format: 'qcow2',
  name: 'new.qcow2',
  size: 20 * MIB,
  options: {},
  backing: undefined,
  passphrase: undefined,
};

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe.skipIf(!available)('an empty image', () => {
  test.each<[string, Partial<EmptyWish>]>([
    ['as it is by itself', {}],
    ['with options', { options: { cluster_size: '128k', refcount_bits: '8' } }],
    ['with its tables', { options: { preallocation: 'metadata' } }],
    ['of a name that looks like an option', { name: '-o x' }],
    ['raw', { format: 'raw', name: 'a.raw' }],
    ['over another', { backing: { name: 'base,1.raw', format: 'raw' }, size: undefined }],
    ['QED', { format: 'qed', name: 'a.qed' }],
    ['Parallels', { format: 'parallels', name: 'a.hdd' }],
  ])('%s', async (_, part) => {
    const wish = { ...WISH, ...part };
    const { format, name, size, options, backing } = wish;
    await make('qemu-img', ['create', '-q', '-f', 'raw', join(folder, 'base,1.raw'), '3M']);
    const host = new Host();
    await makeEmpty(wish, host);
    const list = Object.entries(options).map(([id, value]) => `${id}=${value}`);
    const args = [
      ...(list.length > 0 ? ['-o', list.join(',')] : []),
      ...(backing === undefined ? [] : ['-b', backing.name, '-F', backing.format]),
      ...['--', name, ...(size === undefined ? [] : [String(size)])],
    ];
    const real = await qemuImg(['create', '-q', '-f', format, ...args], folder);
    expect(real.stderr).toBe('');
    expect(hash(await host.bytes(name))).toBe(hash(readFileSync(join(folder, name))));
  });

  test('several files', async () => {
    const host = new Host();
    const options = { subformat: 'twoGbMaxExtentFlat' };
    await makeEmpty({ ...WISH, format: 'vmdk', name: 'a.vmdk', options }, host);
    expect([...host.files.keys()]).toEqual(['a.vmdk', 'a-f001.vmdk']);
  });

  test('an encrypted one opens with the passphrase, of which nothing is left', async () => {
    const passphrase = new TextEncoder().encode('secret word');
    const host = new Host();
    const options = { 'encrypt.format': 'luks', 'encrypt.iter-time': '10' };
    await makeEmpty({ ...WISH, options, passphrase }, host);
    expect(passphrase.every((byte) => byte === 0)).toBe(true);
    const path = join(folder, 'locked.qcow2');
    writeFileSync(path, await host.bytes(WISH.name));
    const image = `driver=qcow2,encrypt.key-secret=k,file.filename=${path}`;
    const secret = ['--object', 'secret,id=k,data=secret word'];
    expect((await qemuImg(['check', ...secret, '--image-opts', image])).exitCode).toBe(0);
    const target = ['--image-opts', image, '-O', 'raw', `${path}.raw`];
    await make('qemu-img', ['convert', ...secret, ...target]);
    expect(readFileSync(`${path}.raw`).every((byte) => byte === 0)).toBe(true);
  });

  test.each<[string, Partial<EmptyWish>, RegExp]>([
    ['no size', { size: undefined }, /^Image creation needs a size parameter$/],
    ['an option', { options: { cluster_size: '3000' } }, /Cluster size must be a power of two/],
    ['a backing file that is not there', { backing: { name: 'no', format: 'raw' } }, /./],
  ])('%s that cannot be', async (_, part, message) => {
    const host = new Host();
    const failed: unknown = await makeEmpty({ ...WISH, ...part }, host).catch(
      (error: unknown) => error,
    );
    expect(isImageError(failed)).toBe(true);
    if (isImageError(failed, 'unsupported-feature')) {
      expect(failed.details.message ?? '').toMatch(message);
    }
    expect(host.files.size).toBe(0);
  });
});
