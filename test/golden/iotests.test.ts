/** Images that QEMU's own tests brought up (scripts/iotests.mjs) and that we had got wrong. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { flatten } from './histories.ts';
import { patch } from './make-images.ts';
import { available, expectSame, hashOf, make, makeEncrypted, ours, qemuImg } from './programs.ts';
import { Qcow2Editor } from './qcow2-editor.ts';

let folder = '';
let path = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'iotests-'));
  path = join(folder, 'image.qcow2');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const FEATURE_NAMES = 0x6803f857;

/** An entry of the feature name table. */
function entry(type: number, bit: number, name: string, length = 48): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.set([type, bit]);
  bytes.write(name, 2, 'latin1');
  return bytes;
}

describe.skipIf(!available)('names of unknown features', () => {
  const whole = entry(0, 61, 'sixty-one');
  it.each<[string, Buffer[], (readonly [number, Uint8Array])[]?]>([
    ['an entry cut short', [entry(0, 63, 'Test feature', 14)]],
    ['the last entry cut short', [whole, entry(0, 63, 'Test feature', 14)]],
    ['in the order of the table', [entry(0, 63, 'b'), whole, entry(0, 62, 'a')]],
    ['the first of two', [entry(0, 63, 'first'), entry(0, 63, 'second')]],
    ['none behind an empty one', [entry(0, 62, ''), entry(0, 63, 'hidden')]],
    ['other sets', [entry(1, 63, 'compatible'), entry(2, 63, 'autoclear'), entry(3, 63, 'none')]],
    ['a name as long as can be', [entry(0, 63, 'x'.repeat(46)), whole]],
    ['two tables', [entry(0, 63, 'earlier')], [[FEATURE_NAMES, whole]]],
    ['a fault behind', [entry(0, 63, 'before')], [[0xe2792aca, Buffer.alloc(40)]]],
  ])('%s', async (_, names, more = []) => {
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', path, '1M']);
    const image = new Qcow2Editor(path);
    for (const bit of [61, 62, 63]) image.setBit('incompatible', bit);
    image.setExtensions([[FEATURE_NAMES, Buffer.concat(names)], ...more]);
    image.save(path);
    const { exitCode } = await expectSame(['info', path]);
    expect(exitCode).toBe(1);
  });
});

describe.skipIf(!available)('a snapshot table that is too large', () => {
  it.each([
    ['by its last snapshot', 513],
    ['by many', 700],
    ['by more than there may be', 70_000],
  ])('%s', async (_, count) => {
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'compat=0.10', path, '64M']);
    const image = new Qcow2Editor(path);
    const table = 2 ** 20;
    image.set('snapshotCount', count);
    image.set('snapshotsOffset', table);
    image.save(path);
    // Half of the entries' bytes are a name, half an id: 128 KiB each.
    const first = Buffer.alloc(40);
    first.writeUInt16BE(0xffff, 12);
    first.writeUInt16BE(0xffff - 38, 14);
    for (let index = 0; index < 513; index++) patch(path, table + index * 2 ** 17, first);
    for (const command of ['info', 'check', 'map']) await expectSame([command, path]);
  });

  it('just not', async () => {
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'compat=0.10', path, '64M']);
    const image = new Qcow2Editor(path);
    image.set('snapshotCount', 512);
    image.set('snapshotsOffset', 2 ** 20);
    image.save(path);
    const entry = Buffer.alloc(40);
    entry.writeUInt16BE(0xffff, 12);
    entry.writeUInt16BE(0xffff - 38, 14);
    for (let index = 0; index < 512; index++) patch(path, 2 ** 20 + index * 2 ** 17, entry);
    await expectSame(['info', path]);
    await expectSame(['check', path]);
  });
});

describe.skipIf(!available)('refcounts of 64 bits', () => {
  it.each([2n ** 64n - 1n, 2n ** 63n, 2n ** 53n + 1n])('%d is printed exactly', async (count) => {
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'refcount_bits=64', path, '1M']);
    await make('qemu-io', ['-c', 'write 0 64k', path]);
    const image = new Qcow2Editor(path);
    for (const cluster of [3, 4, 5]) image.setEntry(image.refcountBlock + cluster * 8, count);
    image.save(path);
    await expectSame(['check', path]);
    await expectSame(['check', '--output=json', path]);
  });
});

describe.skipIf(!available)('COPIED of an L2 table with an external data file', () => {
  it.each([0, 2])('refcount %d', async (count) => {
    const options = `data_file=${path}.data`;
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, path, '1M']);
    await make('qemu-io', ['-c', 'write 0 64k', path]);
    const image = new Qcow2Editor(path);
    image.setRefcount(Math.floor(image.l2(0) / image.clusterSize), count);
    image.save(path);
    await expectSame(['check', path]);
  });
});

describe.skipIf(!available)('LUKS whose vectors need no hash, but name one', () => {
  it('is shown without it', async () => {
    const encryption = ['cipher-mode=cbc', 'ivgen-alg=plain64', 'ivgen-hash-alg=md5'];
    const options = ['format=luks', 'key-secret=s', 'iter-time=10', ...encryption];
    const words = options.map((option) => `encrypt.${option}`).join(',');
    const args = ['--object', 'secret,id=s,data=x', '-q', '-f', 'qcow2', '-o', words, path, '1M'];
    await makeEncrypted(['create', ...args]);
    await expectSame(['info', path]);
    await expectSame(['info', '--output=json', path]);
  });
});

describe.skipIf(!available)('names with a colon', () => {
  it('are told from protocols by file:', async () => {
    const before = process.cwd();
    process.chdir(folder);
    try {
      await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'base.qcow2', '1M']);
      const base = ['-b', 'base.qcow2', '-F', 'qcow2'];
      await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...base, 'file:a:top.qcow2']);
      await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'file:plain.qcow2', '1M']);
      for (const name of ['file:a:top.qcow2', './a:top.qcow2', 'a:top.qcow2', 'file:plain.qcow2']) {
        await expectSame(['info', name]);
        await expectSame(['info', '--backing-chain', '--output=json', name]);
        await expectSame(['map', '--output=json', name]);
        await expectSame(['check', name]);
      }
    } finally {
      process.chdir(before);
    }
  });
});

describe.skipIf(!available)('options that give an image a backing file', () => {
  it.each([
    ['backing.file.filename=base.qcow2'],
    ['backing.driver=qcow2,backing.file.filename=base.qcow2'],
    ['backing.driver=raw,backing.file.filename=base.qcow2'],
    ['backing.file.filename=gone'],
    ['backing.driver=qcow2'],
    ['backing.file.filename=base.qcow2,backing.what=1'],
    ['backing.file.filename=base.qcow2,backing.backing.file.filename=bottom.raw'],
  ])('%s', async (options) => {
    const before = process.cwd();
    process.chdir(folder);
    try {
      writeFileSync('bottom.raw', Buffer.alloc(2 ** 20, 7));
      for (const name of ['top.qcow2', 'base.qcow2']) {
        await make('qemu-img', ['create', '-q', '-f', 'qcow2', name, '1M']);
      }
      await make('qemu-io', ['-c', 'write -P 1 0 128k', 'base.qcow2']);
      await make('qemu-io', ['-c', 'write -P 2 64k 128k', 'top.qcow2']);
      flatten('base.qcow2');
      const image = ['--image-opts', `file.filename=top.qcow2,${options}`];
      await expectSame(['map', '--output=json', ...image]);
      await expectSame(['map', ...image]);
      await expectSame(['check', ...image]);
      const real = await qemuImg(['convert', ...image, '-O', 'raw', 'real.raw']);
      expect(await ours(['convert', ...image, '-O', 'raw', 'own.raw'])).toEqual(real);
      if (real.exitCode === 0) expect(await hashOf('own.raw')).toBe(await hashOf('real.raw'));
      await expectSame(['compare', ...image, 'file.filename=base.qcow2']);
    } finally {
      process.chdir(before);
    }
  });
});
