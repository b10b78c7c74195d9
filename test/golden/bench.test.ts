import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { benchReads, MemoryStorage, openImage } from '../../src/engine/index.ts';
import { noise } from './make-images.ts';
import { available, hashOf, make, ours, qemuImg, type Outcome } from './programs.ts';
import { Qcow2Editor } from './qcow2-editor.ts';

let folder = '';
const before = process.cwd();

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'bench-'));
  process.chdir(folder);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'a.qcow2', '4M']);
  await make('qemu-io', ['-c', 'write -P 1 0 1M', '-c', 'write -c -P 2 2M 64k', 'a.qcow2']);
  writeFileSync('r.raw', noise(10_000, 1));
  writeFileSync('empty', '');
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

/** How long it took is nobody's business. */
function timeless(outcome: Outcome): Outcome {
  const stdout = outcome.stdout.replace(/completed in \d+\.\d{3} seconds/, 'completed');
  return { ...outcome, stdout: stdout.startsWith('qemu-img version') ? 'help' : stdout };
}

function words(line: string): string[] {
  return line === '' ? [] : line.split(' ').map((word) => (word === "''" ? '' : word));
}

async function expectSameBench(line: string): Promise<Outcome> {
  const args = ['bench', ...words(line)];
  const [real, own] = await Promise.all([qemuImg(args), ours(args)]);
  expect(timeless(own), line).toEqual(timeless(real));
  return own;
}

const SAME = [
  ...[
    '',
    '--what',
    '-z',
    '-f',
    '-U=3',
    '--no-drain=4',
    '-h',
    '--object secret,id=a,data=b a.qcow2',
  ],
  ...['a b', 'nothing', "''", '-f what a.qcow2', '-f qcow2 r.raw', '-f raw --image-opts a.qcow2'],
  ...['-1', 'x', '', '2147483648', '1k', '0x', '08', '5.0'].map(
    (count) => `-c ${count || "''"} a.qcow2`,
  ),
  ...['x', '-1', '', '2147483648'].map((depth) => `-d ${depth || "''"} -c 1 a.qcow2`),
  ...['x', '-1', '2G', '1.5'].map((size) => `-s ${size} -c 1 a.qcow2`),
  ...['x', '-1', '2G'].map((size) => `-S ${size} -c 1 a.qcow2`),
  ...['x', '-1', '9223372036854775808', '9E'].map((offset) => `-o ${offset} -c 1 a.qcow2`),
  ...['256', 'x', '-1', ''].map((byte) => `--pattern=${byte} -c 1 a.qcow2`),
  ...['5', 'x', '-1'].map((count) => `--flush-interval=${count} -c 1 a.qcow2`),
  ...['-t what a.qcow2', '-i what a.qcow2', '-i native -c 1 a.qcow2', '-n -c 1 a.qcow2'],
  ...['-n -t writeback -c 1 a.qcow2', '-t x -i x -c x', '-i x -t x', '-c x -f x', '-s x -c x'],
  // Reads outside of the disk
  ...['-c 3 r.raw', '-c 30 r.raw', '-c 20 -s 3000 -S 700 r.raw', '-c 1 -s 20000 r.raw'],
  ...['-c 1 -o 10k r.raw', '-c 1 -o 6145 r.raw', '-c 1 -o 9223372036854775807 a.qcow2'],
  ...['-c 1 -o 2G a.qcow2', '-c 1 -s 5M -d 1 a.qcow2', '-c 2 -s 2147483647 -d 1 a.qcow2'],
];

const READS = [
  ...['-c 10 a.qcow2', '-q -c 10 a.qcow2', '-c 0 a.qcow2', '-c 0x10 a.qcow2', '-c 010 a.qcow2'],
  ...['-c +5 a.qcow2', '-d 1 -c 3 a.qcow2', '-d 100 -c 300 a.qcow2', '-s 0 -c 1 a.qcow2'],
  ...['-s 1 -c 9 a.qcow2', '-s 4k -c 1 a.qcow2', '-s 1M -S 1k -c 3 a.qcow2', '-S 0 -c 1 a.qcow2'],
  ...[
    '-S 1M -c 10 a.qcow2',
    '-S 3M -s 64k -c 10 a.qcow2',
    '-o 0 -c 1 a.qcow2',
    '-o 1M -c 10 a.qcow2',
  ],
  ...[
    '-i threads -c 1 a.qcow2',
    '-i io_uring -c 1 a.qcow2',
    '-t none -c 1 a.qcow2',
    '-U -c 1 a.qcow2',
  ],
  ...['--pattern=5 -c 1 a.qcow2', '--pattern 255 -c 1 a.qcow2', '--flush-interval=0 -c 1 a.qcow2'],
  ...['--no-drain -c 1 a.qcow2', '-c 1 -o 6144 r.raw', '-c 2 -o 6144 r.raw', '-f raw -c 5 a.qcow2'],
  '--image-opts -c 1 driver=raw,file.filename=r.raw',
  '-s 0x1k -c 1 a.qcow2',
];

describe.skipIf(!available)('bench: the same answer to', () => {
  it.each(SAME)('%s', async (line) => {
    await expectSameBench(line);
  });

  it.each(READS)('%s', async (line) => {
    const { exitCode, stdout } = await expectSameBench(line);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Run completed in \d+\.\d{3} seconds\.\n$/m);
  });

  it('damage', async () => {
    const editor = new Qcow2Editor('a.qcow2');
    editor.change(editor.l2(0), (entry) => entry | 0x200n);
    editor.save('damaged.qcow2');
    await expectSameBench('-d 1 -c 4 damaged.qcow2');
    editor.change(editor.l1(), (entry) => entry | 0x200n);
    editor.save('damaged.qcow2');
    await expectSameBench('-d 1 -c 4 damaged.qcow2');
  });
});

const WRITES = [
  ...['-c 10 a.qcow2', '-c 10 -s 1000 -o 300 a.qcow2', '--pattern=7 -S 64k -s 64k -c 90 a.qcow2'],
  ...['-d 2 --flush-interval=2 -c 9 a.qcow2', '--no-drain -d 2 --flush-interval=3 -c 9 a.qcow2'],
  ...['-d 4 --flush-interval=2 -c 9 a.qcow2', '-f raw -c 9 a.qcow2', '-c 1 -o 2G a.qcow2'],
];

describe.skipIf(!available)('bench -w: the same answer, and nothing is written, to', () => {
  const note =
    'qemu-img: note: the image was not changed: writes went to a layer that is dropped\n';

  it.each(WRITES)('%s', async (line) => {
    const args = ['bench', '-w', ...words(line)];
    const before = await hashOf('a.qcow2');
    const own = await ours(args);
    expect(await hashOf('a.qcow2')).toBe(before);
    copyFileSync('a.qcow2', 'kept.qcow2');
    const real = await qemuImg(args);
    copyFileSync('kept.qcow2', 'a.qcow2');
    if (own.exitCode === 0) expect(own.stderr).toBe(note);
    expect(timeless({ ...own, stderr: own.stderr.replace(note, '') })).toEqual(timeless(real));
  });
});

describe.skipIf(!available)('bench: what is not copied', () => {
  it('the real program waits for ever with -d 0, and divides by an empty disk', async () => {
    const text = 'qemu-img: Invalid queue depth specified\n';
    const expected = { stdout: '', stderr: text, exitCode: 1 };
    expect(await ours(['bench', '-d', '0', 'a.qcow2'])).toEqual(expected);
    expect((await qemuImg(['bench', '-c', '1', 'empty'])).exitCode).toBe('SIGFPE');
    const own = await ours(['bench', '-c', '1', 'empty']);
    expect(own.stderr).toBe('qemu-img: Failed request: Input/output error\n');
    expect(own.exitCode).toBe(1);
  });
});

describe('bench', () => {
  /** Notes how many reads are under way at once, and where they begin. */
  class Observed extends MemoryStorage {
    running = 0;
    most = 0;
    readonly offsets: number[] = [];

    override async read(offset: number, target: Uint8Array): Promise<number> {
      this.most = Math.max(this.most, ++this.running);
      this.offsets.push(offset);
      await new Promise((done) => setTimeout(done, 1));
      this.running--;
      return super.read(offset, target);
    }
  }

  it('reads at the depth and at the places that were asked for', async () => {
    const size = 100 * 1024;
    const step = 7 * 1024;
    const file = new Observed({ content: noise(size, 1) });
    const disk = await openImage(file, { format: 'raw' });
    await benchReads(disk, { count: 60, depth: 7, size: 1000, offset: 2048, step });
    expect(file.most).toBe(7);
    const wanted = Array.from({ length: 60 }, (_, i) => (2048 + i * step) % size);
    expect(file.offsets.sort()).toEqual(wanted.sort());
  });

  it('stops when it is told to', async () => {
    const file = new Observed({ content: noise(100_000, 1) });
    const disk = await openImage(file, { format: 'raw' });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    const { signal } = controller;
    const task = { count: 1e6, depth: 4, size: 1000, offset: 0, step: 1000 };
    await expect(benchReads(disk, { ...task, signal })).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect(file.running).toBe(0);
  });
});
