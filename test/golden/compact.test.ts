/** Compacted images, judged by the real program. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NodeHost } from '../../src/command/node/host.ts';
import { openQcow2 } from '../../src/engine/formats/qcow2/image.ts';
import { planCompact } from '../../src/engine/index.ts';
import { createEncrypted, secrets, writeEncrypted } from './luks.ts';
import { available, hashOf, make, ours, qemuImg } from './programs.ts';

let folder = '';
const at = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'compact-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Spec {
  name: string;
  options?: string;
  size?: string;
  /** Commands of qemu-io; `snapshot NAME` and `bitmap NAME` between them. */
  life: readonly string[];
}

/** From the end to the beginning, with what is given back in between. */
const FRAGMENTED = [
  ...['write -P 1 7M 1M', 'write -P 2 4M 2M', 'write -P 3 1M 2M', 'write -P 4 0 512k'],
  ...['discard 4M 1M', 'write -P 5 5M 64k', 'write -z 1M 256k', 'write -P 6 2M 64k'],
];
const PACKED = [
  ...['write -c -P 1 6M 64k', 'write -c -P 2 2M 1M', 'write -c -P 3 0 1M', 'write -P 4 2M 64k'],
  ...['write -P 5 512k 4k', 'write -c -P 6 7M 128k'],
];
const SNAPSHOTS = [
  ...['snapshot one', 'write -P 11 5M 2M', 'write -P 12 2M 4k', 'snapshot two', 'discard 0 2M'],
  ...['write -P 13 6M 512k', 'snapshot three', 'write -P 14 0 1M', 'discard 5M 1M'],
];

const ONE = ['snapshot one', 'write -P 11 5M 1M', 'discard 0 1M'];

const IMAGES: readonly Spec[] = [
  { name: 'fragmented', life: FRAGMENTED },
  { name: 'snapshots', life: [...FRAGMENTED, ...SNAPSHOTS] },
  { name: 'zlib', life: [...PACKED, ...SNAPSHOTS] },
  { name: 'zstd', options: 'compression_type=zstd', life: [...PACKED, ...SNAPSHOTS] },
  {
    name: 'subclusters',
    options: 'extended_l2=on,cluster_size=32k',
    life: [...FRAGMENTED, 'write -P 9 3M 2k', ...SNAPSHOTS],
  },
  { name: 'v2', options: 'compat=0.10', life: [...PACKED, ...SNAPSHOTS] },
  { name: 'bits-1', options: 'refcount_bits=1', life: [...FRAGMENTED, ...PACKED.slice(0, 1)] },
  { name: 'bits-4', options: 'refcount_bits=4', life: PACKED },
  { name: 'bits-64', options: 'refcount_bits=64', life: [...FRAGMENTED, ...ONE] },
  {
    name: 'clusters-of-512',
    options: 'cluster_size=512,lazy_refcounts=on',
    life: ['write -P 1 1M 64k', 'write -P 2 0 256k', 'snapshot one', 'write -P 3 128k 64k'],
  },
  { name: 'clusters-of-2M', options: 'cluster_size=2M', life: [...FRAGMENTED, ...ONE] },
  {
    name: 'bitmaps',
    life: [...FRAGMENTED, 'bitmap first', 'write -P 8 3M 1M', 'bitmap second', 'write -P 9 0 64k'],
  },
  { name: 'odd-size', size: '8389120', life: [...FRAGMENTED, 'write -P 7 8388608 512'] },
  { name: 'empty', life: [] },
  { name: 'no-size', size: '0', life: [] },
  { name: 'metadata', options: 'preallocation=metadata', life: ['write -P 1 3M 64k'] },
  { name: 'overlay', options: 'backing_file=fragmented,backing_fmt=qcow2', life: SNAPSHOTS },
];

async function build({ name, options, size = '8M', life }: Spec): Promise<void> {
  const chosen = options === undefined ? [] : ['-o', options];
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...chosen, at(name), size]);
  let commands: string[] = [];
  const write = async () => {
    if (commands.length === 0) return;
    await make('qemu-io', [...commands.flatMap((one) => ['-c', one]), at(name)]);
    commands = [];
  };
  for (const command of life) {
    const [kind = '', label = ''] = command.split(' ');
    if (kind !== 'snapshot' && kind !== 'bitmap') {
      commands.push(command);
      continue;
    }
    await write();
    if (kind === 'snapshot') await make('qemu-img', ['snapshot', '-c', label, at(name)]);
    else await make('qemu-img', ['bitmap', '--add', at(name), label]);
  }
  await write();
}

interface Info {
  snapshots?: { id: string }[];
  [key: string]: unknown;
}

async function infoOf(name: string): Promise<Info> {
  const { stdout } = await qemuImg(['info', '--output=json', at(name)]);
  const info = JSON.parse(stdout) as Info;
  delete info['filename'];
  delete info['actual-size'];
  return info;
}

/** Sound, in order, and as the source in everything that the real program can say. */
async function expectSame(source: string, result: string): Promise<void> {
  const check = await qemuImg(['check', '--output=json', at(result)]);
  expect(check.exitCode, check.stdout).toBe(0);
  const { 'fragmented-clusters': fragmented, 'compressed-clusters': packed } = JSON.parse(
    check.stdout,
  ) as Record<string, number>;
  expect(fragmented).toBe(packed);
  const info = await infoOf(source);
  expect(await infoOf(result)).toEqual(info);
  const compare = await qemuImg(['compare', at(source), at(result)]);
  expect(compare.exitCode, compare.stdout + compare.stderr).toBe(0);
  for (const { id } of info.snapshots ?? []) {
    const hashes = await Promise.all([source, result].map((name) => layer(name, id)));
    expect(hashes[1], `snapshot ${id}`).toBe(hashes[0]);
  }
}

/** The hash of what a snapshot keeps. */
async function layer(name: string, id: string): Promise<string> {
  const raw = at(`${name}.${id}.raw`);
  await make('qemu-img', ['convert', '-l', `snapshot.id=${id}`, '-O', 'raw', at(name), raw]);
  const hash = await hashOf(raw);
  rmSync(raw);
  return hash;
}

async function planned(name: string, snapshots: boolean): Promise<number> {
  const quiet = (): undefined => undefined;
  const image = await openQcow2(await new NodeHost(quiet, quiet).open(at(name)), 'read');
  const { size } = await planCompact(image, { snapshots });
  await image.close();
  return size;
}

describe.skipIf(!available)('compact', () => {
  it.each(IMAGES)('$name', async (spec) => {
    await build(spec);
    const result = `${spec.name}.compacted`;
    const { exitCode, stdout, stderr } = await ours(['compact', at(spec.name), at(result)]);
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('the same in every layer');
    await expectSame(spec.name, result);
    const { size } = statSync(at(result));
    expect(size).toBe(await planned(spec.name, true));
    expect(size).toBeLessThanOrEqual(statSync(at(spec.name)).size);
    // There is nothing left to win.
    expect(await planned(result, true)).toBe(size);
    if (spec.name === 'snapshots') {
      expect(
        (await ours(['compact', '-q', '--no-snapshots', at('snapshots'), at('one')])).stdout,
      ).toBe('');
      expect(statSync(at('one')).size).toBe(await planned('snapshots', false));
      expect((await qemuImg(['compare', at('snapshots'), at('one')])).exitCode).toBe(0);
      expect((await qemuImg(['check', at('one')])).exitCode).toBe(0);
      expect((await infoOf('one')).snapshots).toBeUndefined();
    }
    if (spec.name === 'bitmaps') {
      const map = (name: string) => ours(['map', '--bitmap=second', '--output=json', at(name)]);
      expect(await map(result)).toEqual(await map('bitmaps'));
    }
  });

  it.each(['luks', 'aes'] as const)('encrypted, %s', async (method) => {
    const objects = secrets('geheim');
    const node = (name: string) => `driver=qcow2,file.filename=${at(name)},encrypt.key-secret=s0`;
    await createEncrypted(at(method), '4M', [`encrypt.format=${method}`], objects);
    await writeEncrypted(node(method), objects, ['write -P 1 3M 1M', 'write -P 2 0 1M']);
    await make('qemu-img', ['snapshot', '-c', 'one', ...objects, '--image-opts', node(method)]);
    await writeEncrypted(node(method), objects, ['write -P 3 2M 1M', 'discard 512k 512k']);
    const result = `${method}.compacted`;
    const options = [...objects, '--image-opts'];
    const own = await ours(['compact', ...options, node(method), at(result)]);
    expect(own.exitCode, own.stderr).toBe(0);
    expect(own.stdout).toContain('the same in every layer');
    const same = await qemuImg(['compare', ...options, node(method), node(result)]);
    expect(same.exitCode, same.stdout + same.stderr).toBe(0);
    expect((await qemuImg(['check', ...options, node(result)])).exitCode).toBe(0);
    const layers = [method, result].map(async (name) => {
      const raw = at(`${name}.raw`);
      const snapshot = ['-l', 'snapshot.id=1', '-O', 'raw'];
      await make('qemu-img', ['convert', ...snapshot, ...options, node(name), raw]);
      return hashOf(raw);
    });
    const [before, after] = await Promise.all(layers);
    expect(after).toBe(before);
    if (method === 'aes') return;
    const locked = await ours(['compact', at(method), at('locked')]);
    expect(locked.exitCode).toBe(1);
    expect(locked.stderr).toMatch(/passphrase|encrypt\.key-secret/);
  });

  it('keeps the state of a machine', async () => {
    // A disk of 10 MiB whose last two then count as the state of the machine of its snapshot.
    const options = 'cluster_size=4k';
    const life = ['write -P 1 7M 1M', 'write -P 7 8M 1M', 'write -P 3 0 1M', 'snapshot one'];
    await build({ name: 'machine', options, size: '10M', life: [...life, 'write -P 9 8M 64k'] });
    const resize = (name: string, size: number, state: number) => {
      const bytes = readFileSync(at(name));
      const entry = Number(bytes.readBigUInt64BE(64));
      bytes.writeBigUInt64BE(BigInt(size), 24);
      bytes.writeUInt32BE(state, entry + 32);
      bytes.writeBigUInt64BE(BigInt(state), entry + 40);
      bytes.writeBigUInt64BE(BigInt(size), entry + 48);
      writeFileSync(at(name), bytes);
    };
    resize('machine', 8 << 20, 2 << 20);
    const { exitCode, stderr } = await ours(['compact', '-q', at('machine'), at('kept')]);
    expect(exitCode, stderr).toBe(0);
    await expectSame('machine', 'kept');
    resize('machine', 10 << 20, 0);
    resize('kept', 10 << 20, 0);
    await expectSame('machine', 'kept');
  });

  it('refuses what it could not do well, and takes leaks for what they are', async () => {
    await build({ name: 'outside', options: `data_file=${at('data')}`, life: [] });
    const outside = await ours(['compact', at('outside'), at('refused')]);
    expect(outside.exitCode).toBe(1);
    expect(outside.stderr).toContain('nothing to compact');
    await build({ name: 'leaks', life: ['write -P 1 0 256k'] });
    const bytes = readFileSync(at('leaks'));
    const block = Number(bytes.readBigUInt64BE(Number(bytes.readBigUInt64BE(48))));
    bytes.writeUInt16BE(2, block + 2 * (bytes.length / 65536 - 1));
    writeFileSync(at('damaged'), bytes);
    const damaged = await ours(['compact', at('damaged'), at('refused')]);
    expect(damaged.exitCode).toBe(1);
    expect(damaged.stderr).toContain('repair it first');
    const grown = Buffer.concat([readFileSync(at('leaks')), Buffer.alloc(65536, 1)]);
    grown.writeUInt16BE(1, block + 2 * (grown.length / 65536 - 1));
    writeFileSync(at('leaks'), grown);
    expect((await qemuImg(['check', at('leaks')])).exitCode).toBe(3);
    expect((await ours(['compact', '-q', at('leaks'), at('mended')])).exitCode).toBe(0);
    expect(statSync(at('mended')).size).toBe(bytes.length);
    await expectSame('leaks', 'mended');
  });
});
