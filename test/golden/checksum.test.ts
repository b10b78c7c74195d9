import { copyFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NodeHost } from '../../src/command/node/host.ts';
import { runCommand } from '../../src/command/run.ts';
import { createHasher } from '../../src/engine/index.ts';
import { noise } from './make-images.ts';
import { available, hashOf, make, ours } from './programs.ts';

let folder = '';
const at = (name: string): string => join(folder, name);

/** Data, holes and zeros on both sides of 8 MiB, the unit in which is read. */
const WRITES = [
  ['write -P 1 0 64k', 'write -P 2 3M 1M', 'write -P 3 7M 2M', 'write -z 8M 64k'],
  ['write -P 4 16777000 432', 'write -P 5 23M 1M', 'write -P 6 19922944 512'],
].flat();
const PACKED = [
  ...['write -c -P 1 0 64k', 'write -c -P 2 8323072 64k', 'write -c -P 3 8M 64k'],
  ...['write -P 4 8M 512', 'write -c -P 5 20M 64k'],
];

const SECRET = ['--object', 'secret,id=s,data=geheim'];

interface Image {
  name: string;
  options?: readonly string[];
  size?: string;
  write?: readonly string[];
}

/** A name comes after that of its backing file. */
const IMAGES: readonly Image[] = [
  { name: 'empty', size: '0' },
  { name: 'outside', options: ['-o', 'data_file=OUTSIDE,data_file_raw=on'], write: WRITES },
  { name: 'no-data', size: '30M' },
  { name: 'data', write: WRITES },
  { name: 'v2', options: ['-o', 'compat=0.10'], write: WRITES },
  { name: 'odd-size', size: '25168384', write: [...WRITES, 'write -P 7 25165824 2560'] },
  { name: 'zlib', write: PACKED },
  { name: 'zstd', options: ['-o', 'compression_type=zstd'], write: PACKED },
  { name: 'extl2', options: ['-o', 'extended_l2=on,cluster_size=128k'], write: WRITES },
  { name: 'clusters-of-512', options: ['-o', 'cluster_size=512'], write: WRITES },
  { name: 'clusters-of-2M', options: ['-o', 'cluster_size=2M'], write: WRITES },
  { name: 'sparse', size: '200M', write: ['write -P 9 0 512', 'write -P 8 150M 3M'] },
  { name: 'base', size: '9M', write: ['write -P 1 0 9M'] },
  {
    name: 'middle',
    options: ['-b', 'base', '-F', 'qcow2'],
    size: '12M',
    write: ['write -z 2M 7M'],
  },
  { name: 'top', options: ['-b', 'middle', '-F', 'qcow2'], write: ['write -P 3 8M 64k'] },
];

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'checksum-'));
  for (const { name, options = [], size = '24M', write = [] } of IMAGES) {
    // The name of a data file is seen from where the program runs.
    const placed = options.map((option) => option.replace('OUTSIDE', at('outside.data')));
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...placed, at(name), size]);
    if (write.length === 0) continue;
    await make('qemu-io', [...write.flatMap((command) => ['-c', command]), at(name)]);
  }
  copyFileSync(at('data'), at('kept'));
  await make('qemu-img', ['snapshot', '-c', 'before', at('kept')]);
  await make('qemu-io', ['-c', 'write -P 99 5M 5M', at('kept')]);
  writeFileSync(at('odd.raw'), noise(10_000, 3));
  writeFileSync(at('SUMS'), await sumsOf(['data', 'zlib']));
});

afterAll(() => {
  if (folder !== '') rmSync(folder, { recursive: true });
});

async function sumsOf(names: readonly string[]): Promise<string> {
  const lines = names.map(async (name) => `${await hashOf(at(name))}  ${name}\n`);
  return (await Promise.all(lines)).join('');
}

/** What sha256sum says of the raw disk that the real program makes. */
async function expected(name: string, ...options: string[]): Promise<string> {
  const raw = at('converted.raw');
  await make('qemu-img', ['convert', '-O', 'raw', ...options, at(name), raw]);
  return hashOf(raw);
}

/** Our program with the engine's own digests, not Node's. */
async function withoutNode(args: readonly string[]): Promise<string> {
  class PlainHost extends NodeHost {
    override readonly hasher = createHasher;
  }
  let text = '';
  const host = new PlainHost(
    (out) => (text += out),
    (err) => (text += err),
  );
  await runCommand([...args], host);
  return text;
}

describe.skipIf(!available)('checksum of the content', () => {
  it.each([...IMAGES.map(({ name }) => name), 'kept', 'odd.raw'])('%s', async (name) => {
    const line = `${await expected(name, ...(name === 'odd.raw' ? ['-f', 'raw'] : []))}  ${at(name)}\n`;
    const own = await ours(['checksum', at(name)]);
    expect(own).toEqual({ stdout: line, stderr: '', exitCode: 0 });
    expect(await withoutNode(['checksum', at(name)])).toBe(line);
  });

  it.each(['aes', 'luks'])('of an encrypted disk: %s', async (method) => {
    const path = at(method);
    const time = method === 'luks' ? ',encrypt.iter-time=10' : '';
    const options = `encrypt.format=${method},encrypt.key-secret=s${time}`;
    const node = `driver=qcow2,encrypt.key-secret=s,file.filename=${path}`;
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...SECRET, '-o', options, path, '24M']);
    const commands = WRITES.flatMap((command) => ['-c', command]);
    await make('qemu-io', [...SECRET, '--image-opts', ...commands, node]);
    const digest = (await ours(['checksum', ...SECRET, '--image-opts', node])).stdout.slice(0, 64);
    expect(digest).toBe(await expected('data'));
    const locked = await ours(['checksum', path]);
    expect([locked.stdout, locked.exitCode]).toEqual(['', 2]);
  });

  it('of a snapshot, by name and by id', async () => {
    const digest = await expected('kept', '-l', 'before');
    expect(digest).toBe(await expected('data'));
    for (const key of ['before', '1', 'snapshot.name=before']) {
      const { stdout } = await ours(['checksum', '-l', key, at('kept')]);
      expect(stdout).toBe(`${digest}  ${at('kept')}\n`);
    }
  });

  it('is the same for every format and layout', async () => {
    const digests = new Set<string>();
    for (const name of ['data', 'v2', 'clusters-of-512', 'clusters-of-2M', 'extl2']) {
      digests.add((await ours(['checksum', at(name)])).stdout.slice(0, 64));
    }
    expect(digests.size).toBe(1);
  });

  it('is refused where something cannot be read', async () => {
    copyFileSync(at('zlib'), at('cut'));
    truncateSync(at('cut'), 5 * 65536 + 20);
    const { stdout, stderr, exitCode } = await ours(['checksum', at('cut')]);
    expect([stdout, exitCode]).toEqual(['', 2]);
    expect(stderr).toMatch(
      /^qemu-img: Error while reading offset \d+ of .*: Input\/output error\n$/,
    );
  });

  it('compared with what is expected', async () => {
    const digest = await expected('zstd');
    const right = await ours(['checksum', '--expect', digest.toUpperCase(), at('zstd')]);
    expect(right).toEqual({
      stdout: `${digest}  ${at('zstd')}\nThe content matches.\n`,
      stderr: '',
      exitCode: 0,
    });
    const wrong = await ours(['checksum', '--expect', await hashOf(at('zstd')), at('zstd')]);
    expect(wrong.exitCode).toBe(1);
    expect(wrong.stdout).toContain('DOES NOT MATCH');
    expect(wrong.stdout).toContain('--file');
  });
});

describe.skipIf(!available)('checksum of a file', () => {
  it.each(['data', 'zlib', 'odd.raw'])('%s', async (name) => {
    const line = `${await hashOf(at(name))}  ${at(name)}\n`;
    expect((await ours(['checksum', '--file', at(name)])).stdout).toBe(line);
    expect(await withoutNode(['checksum', '--file', at(name)])).toBe(line);
  });

  it('against a list', async () => {
    const run = (...args: string[]) => ours(['checksum', '--sums', ...args]);
    const whole = await run(at('SUMS'), at('zlib'));
    expect(whole.stdout).toContain(`The file matches '${at('SUMS')}'.`);
    expect(whole.exitCode).toBe(0);
    copyFileSync(at('zlib'), at('renamed'));
    const renamed = await run(at('SUMS'), at('renamed'));
    expect(renamed.stdout).toContain(`The file is what '${at('SUMS')}' lists as 'zlib'.`);
    expect(renamed.exitCode).toBe(0);
    writeFileSync(
      at('swapped'),
      (await sumsOf(['data', 'v2'])).replace(/data|v2/g, (name) =>
        name === 'data' ? 'v2' : 'data',
      ),
    );
    const swapped = await run(at('swapped'), at('data'));
    expect(swapped.stdout).toMatch(/DOES NOT MATCH: expected [0-9a-f]{64}\nIt is .* 'v2'/);
    expect(swapped.exitCode).toBe(1);
    const stranger = await run(at('SUMS'), at('v2'));
    expect(stranger.stdout).toContain("Listed are 'data', 'zlib'.");
    expect(stranger.exitCode).toBe(1);
  });

  it('against a list of SHA-512', async () => {
    const digest = createHash('sha512').update(noise(10_000, 3)).digest('hex');
    writeFileSync(at('SHA512SUMS'), `${digest}  odd.raw\n`);
    const { stdout, exitCode } = await ours([
      'checksum',
      '--sums',
      at('SHA512SUMS'),
      at('odd.raw'),
    ]);
    expect(stdout).toBe(`${digest}  ${at('odd.raw')}\nThe file matches '${at('SHA512SUMS')}'.\n`);
    expect(exitCode).toBe(0);
  });

  it('in JSON', async () => {
    const args = ['checksum', '--output=json', '--sums', at('SUMS'), at('data')];
    const { stdout } = await ours(args);
    expect(JSON.parse(stdout)).toMatchObject({
      filename: at('data'),
      of: 'file',
      algorithm: 'sha256',
      digest: await hashOf(at('data')),
      matches: true,
      'listed-as': 'data',
    });
  });
});

describe.skipIf(!available)('checksum: what makes no sense', () => {
  it.each([
    [['--expect', 'abc', 'data'], 2, "'abc' is no checksum"],
    [
      ['--file', '--expect', 'd'.repeat(32), 'data'],
      2,
      'only SHA-256 and SHA-512 are supported, not MD5',
    ],
    [['--sums', 'odd.raw', 'data'], 2, 'There are no checksums in'],
    [['--sums', 'gone', 'data'], 2, 'No such file or directory'],
    [['--sums', 'base', 'data'], 2, 'is too large for a list'],
    [['gone'], 2, 'No such file or directory'],
    [['--file', 'gone'], 2, 'No such file or directory'],
    [['--file', 'nbd:x'], 2, "protocol 'nbd' is not supported"],
    [['-l', 'nothing', 'kept'], 2, "Failed to load snapshot: Can't find snapshot"],
    [['--file', '-l', 'before', 'kept'], 1, '-l says nothing about the file itself'],
    [['--sums', 'SUMS', '-f', 'raw', 'data'], 1, '-f says nothing about the file itself'],
    [['--sums', 'SUMS', '--expect', 'a'.repeat(64), 'data'], 1, 'exclude each other'],
    [[], 1, 'Expecting one image file name'],
    [['--object', 'secret', 'data'], 1, "Parameter 'id' is missing"],
  ] as const)('%j', async (args, code, text) => {
    const names = new Set(['data', 'gone', 'base', 'kept', 'SUMS', 'odd.raw']);
    const argv = args.map((arg) => (names.has(arg) ? at(arg) : arg));
    const { stdout, stderr, exitCode } = await ours(['checksum', ...argv]);
    expect([stdout, exitCode]).toEqual(['', code]);
    expect(stderr).toContain(text);
  });
});
