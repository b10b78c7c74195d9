/** Commands that change images, on encrypted ones: content and check by the real program. */
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { secrets, writeEncrypted } from './luks.ts';
import { noise } from './make-images.ts';
import { available, make, ours, qemuImg } from './programs.ts';

const TWO = secrets('first', 'second');
const MIB = 1024 * 1024;
let folder = '';
const before = process.cwd();

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'encrypted-changes-'));
  process.chdir(folder);
  const disk = Buffer.alloc(8 * MIB);
  disk.set(noise(3 * MIB, 3));
  disk.fill(0x5a, 6 * MIB, 6 * MIB + 200_000);
  writeFileSync('disk', disk);
  for (const method of ['luks', 'aes']) {
    await run(['convert', ...TWO, '-O', 'qcow2', '-o', optionsFor(method), 'disk', method]);
  }
});

beforeEach(() => {
  if (available) copyFileSync('disk', 'expected');
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

function optionsFor(method: string, secret = 's0'): string {
  const options = `encrypt.format=${method},encrypt.key-secret=${secret}`;
  return method === 'luks' ? `${options},encrypt.iter-time=10` : options;
}

function node(name: string, secret = 's0', more = ''): string {
  return `driver=qcow2,file.filename=${name},encrypt.key-secret=${secret}${more}`;
}

async function run(args: readonly string[]): Promise<void> {
  const { stderr, exitCode } = await ours(args);
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
}

/** What the real program reads of an image is what is expected, and its check finds nothing. */
async function expectDisk(image: string): Promise<void> {
  await make('qemu-img', ['convert', ...TWO, '--image-opts', '-O', 'raw', image, 'found']);
  expect(readFileSync('found').equals(readFileSync('expected'))).toBe(true);
  const { stdout } = await qemuImg(['check', ...TWO, '--image-opts', image]);
  expect(stdout).toMatch(/^No errors were found/);
}

describe.skipIf(!available).each(['luks', 'aes'])('%s', (method) => {
  it.each(['off', 'metadata', 'full'])('grows, preallocation %s', async (mode) => {
    copyFileSync(method, 'x');
    const how = ['-q', `--preallocation=${mode}`, '--image-opts', node('x'), '10M'];
    await run(['resize', ...TWO, ...how]);
    truncateSync('expected', 10 * MIB);
    await expectDisk(node('x'));
  });

  it('shrinks', async () => {
    copyFileSync(method, 'x');
    await run(['resize', ...TWO, '-q', '--shrink', '--image-opts', node('x'), '2M']);
    truncateSync('expected', 2 * MIB);
    await expectDisk(node('x'));
  });

  it('is converted into', async () => {
    await run(['create', '-q', ...TWO, '-f', 'qcow2', '-o', optionsFor(method, 's1'), 'x', '8M']);
    await writeEncrypted(node('x', 's1'), TWO, ['write -P 7 2M 3M']);
    const targets = ['--image-opts', '--target-image-opts', node(method), node('x', 's1')];
    await run(['convert', ...TWO, '-n', ...targets]);
    await expectDisk(node('x', 's1'));
  });

  it('goes back to a snapshot', async () => {
    copyFileSync(method, 'x');
    await run(['snapshot', '-c', 'a', ...TWO, '--image-opts', node('x')]);
    await writeEncrypted(node('x'), TWO, ['write -P 9 100k 200k', 'write -P 8 5M 64k']);
    await run(['snapshot', '-a', 'a', ...TWO, '--image-opts', node('x')]);
    await expectDisk(node('x'));
  });

  it('loses its base, and is committed into an encrypted one', async () => {
    const over = ['-b', 'base', '-F', 'qcow2', '-o', optionsFor(method, 's1')];
    copyFileSync(method, 'base');
    await run(['create', '-q', ...TWO, '-f', 'qcow2', ...over, 'x']);
    const both = node('x', 's1', ',backing.encrypt.key-secret=s0');
    await writeEncrypted(both, TWO, ['write -P 9 100k 200k', 'write -z 1M 70k']);
    const expected = readFileSync('expected');
    expected.fill(9, 100 * 1024, 300 * 1024).fill(0, MIB, MIB + 70 * 1024);
    writeFileSync('expected', expected);
    copyFileSync('x', 'y');
    const alone = node('y', 's1', ',backing.encrypt.key-secret=s0');
    await run(['rebase', ...TWO, '-b', '', '--image-opts', alone]);
    await expectDisk(node('y', 's1'));
    await run(['commit', '-q', ...TWO, '--image-opts', both]);
    await expectDisk(node('base'));
  });
});
