/**
 * Taking, applying and deleting snapshots: random lives of images go on with our program and the
 * real one side by side, on copies; either of them is what the next step works on.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Snapshot } from '../../src/engine/formats/qcow2/snapshots.ts';
import { MemoryStorage, openImage, planDeletion, type Qcow2Image } from '../../src/engine/index.ts';
import {
  accessTo,
  makeHistory,
  pick,
  randomFor,
  someCommands,
  type History,
  type LayerSpec,
  type Random,
} from './histories.ts';
import { available, make, ours, qemuImg, qemuIo, type Outcome } from './programs.ts';
import { Qcow2Editor } from './qcow2-editor.ts';

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'snapshot-change-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const LIVES = Number(process.env['GOLDEN_SNAPSHOT_LIVES'] ?? 8);
const FIRST = Number(process.env['GOLDEN_SNAPSHOT_FIRST'] ?? 100);

interface Listed {
  id: string;
  name: string;
}

async function snapshotsOf(path: string): Promise<Listed[]> {
  const { stdout } = await qemuImg(['info', '--output=json', path]);
  return (JSON.parse(stdout) as { snapshots?: Listed[] }).snapshots ?? [];
}

/** The table without the times, which are those of two moments. */
async function listOf(path: string): Promise<string> {
  const { stdout } = await qemuImg(['snapshot', '-l', path]);
  return stdout.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'TIME');
}

/** Digests of the disk and of every snapshot. */
async function contentOf(path: string, spec: LayerSpec): Promise<string[]> {
  const access = accessTo(path, spec);
  // Digests of many GiB take their time.
  if (spec.size > 2 ** 30) return [];
  const digests = [(await ours(['checksum', ...access])).stdout.slice(0, 64)];
  for (const { id } of await snapshotsOf(path)) {
    const { stdout, exitCode } = await ours(['checksum', '-l', `snapshot.id=${id}`, ...access]);
    expect(exitCode).toBe(0);
    digests.push(stdout.slice(0, 64));
  }
  return digests;
}

async function expectSound(message: string, ...access: string[]): Promise<void> {
  const { stdout, stderr, exitCode } = await qemuImg(['check', ...access]);
  expect(exitCode, `${message}\n${stdout}${stderr}`).toBe(0);
}

async function nextAction(random: Random, path: string): Promise<[string, string]> {
  const some = pick(random, [...(await snapshotsOf(path)), { id: '77', name: 'none' }]);
  const action = pick(random, ['-c', '-c', '-a', '-a', '-d', '-d']);
  if (action === '-c') return [action, pick(random, ['one', 'zwei ü', 'x'.repeat(300), '1', ''])];
  // The real program deletes by names only.
  return [action, action === '-a' && random(2) === 0 ? some.id : some.name];
}

function outcomeFor(path: string, { stdout, stderr, exitCode }: Outcome): Outcome {
  return { stdout, stderr: stderr.replaceAll(path, 'IMAGE'), exitCode };
}

async function guestWrites(random: Random, path: string, spec: LayerSpec): Promise<void> {
  const commands = someCommands(random, spec, `${path}.noise`).slice(0, 5);
  const access = accessTo(path, spec);
  const format = access.length === 1 ? ['-f', 'qcow2'] : [];
  await qemuIo([...format, ...commands.flatMap((one) => ['-c', one]), ...access]);
}

async function goOn(history: History, random: Random): Promise<void> {
  const { path } = history;
  const spec = history.layers.at(-1) as LayerSpec;
  const other = join(dirname(path), 'other.qcow2');
  // The guest may have died; what that leaves behind is not the matter here.
  await qemuImg(['check', '-q', '-r', 'all', ...accessTo(path, spec)]);
  const steps: string[] = [];
  for (let step = 0; step < 6; step++) {
    if (random(4) > 0) await guestWrites(random, path, spec);
    const isResize = spec.compat === '1.1' && random(5) === 0 && spec.dataFile === 'none';
    if (isResize) await qemuImg(['resize', '-q', '--shrink', path, pick(random, ['+64k', '-64k'])]);
    copyFileSync(path, other);
    const [action, word] = await nextAction(random, path);
    steps.push(`${action} ${word}${isResize ? ' after resize' : ''}`);
    const message = `${steps.join(', ')} on ${basename(path)}`;
    const own = await ours(['snapshot', action, word, ...accessTo(path, spec)]);
    const real = await qemuImg(['snapshot', action, word, ...accessTo(other, spec)]);
    expect(outcomeFor(path, own), message).toEqual(outcomeFor(other, real));
    await expectSound(message, ...accessTo(path, spec));
    expect(await listOf(path), message).toBe(await listOf(other));
    expect(await contentOf(path, spec), message).toEqual(await contentOf(other, spec));
    // Where the real program fails half way, it leaves clusters that nothing uses.
    if (random(3) === 0 && real.exitCode === 0) copyFileSync(other, path);
  }
}

describe.skipIf(!available)('snapshots', () => {
  it.each(Array.from({ length: LIVES }, (_, index) => FIRST + index))(
    'are in life %d what the real program makes of them',
    { timeout: 60_000 },
    async (seed) => {
      const random = randomFor(seed);
      const home = mkdtempSync(join(folder, 'life-'));
      const history = await makeHistory(seed, home);
      if (history.layers.at(-1)?.format === 'raw') return;
      await goOn(history, random);
      rmSync(home, { recursive: true });
    },
  );

  it('can be deleted by id, where no name is the same', async () => {
    const path = join(folder, 'ids.qcow2');
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', path, '1M']);
    for (const name of ['a', 'a', '1']) await make('qemu-img', ['snapshot', '-c', name, path]);
    expect((await ours(['snapshot', '-d', '1', path])).exitCode).toBe(0);
    expect((await snapshotsOf(path)).map(({ id }) => id)).toEqual(['1', '2']);
    expect((await ours(['snapshot', '-d', '2', path])).exitCode).toBe(0);
    expect((await snapshotsOf(path)).map(({ id }) => id)).toEqual(['1']);
    await expectSound('deleted by id', path);
  });

  it('say what deleting them would free', async () => {
    const path = join(folder, 'plan.qcow2');
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', path, '8M']);
    await make('qemu-io', ['-c', 'write 0 2M', '-c', 'write -c 4M 1M', path]);
    await make('qemu-img', ['snapshot', '-c', 'one', path]);
    await make('qemu-io', ['-c', 'write 64k 128k', '-c', 'write -c 6M 64k', path]);
    await make('qemu-io', ['-c', 'write 4M 256k', path]);
    await make('qemu-img', ['snapshot', '-c', 'two', path]);
    await make('qemu-io', ['-c', 'write 64k 64k', '-c', 'discard 4M 1M', path]);
    const plans: number[] = [];
    for (const name of ['one', 'two']) {
      const disk = (await openImage(
        new MemoryStorage({ content: readFileSync(path) }),
      )) as Qcow2Image;
      const snapshot = disk.snapshots.find((one) => one.name === name) as Snapshot;
      const { freed, taken } = await planDeletion(disk, snapshot);
      expect(taken).toBe(0);
      const copy = `${path}.${name}`;
      copyFileSync(path, copy);
      await make('qemu-img', ['snapshot', '-d', name, copy]);
      expect(freed, name).toBe((usedClusters(path) - usedClusters(copy)) * 65536);
      plans.push(freed);
    }
    expect(Math.min(...plans)).toBeGreaterThan(65536);
  });

  it('keep the state of a machine', async () => {
    // What is behind the end of the disk in the L1 table is the machine.
    const path = join(folder, 'machine.qcow2');
    const small = 64 * 2 ** 20;
    const options = ['-o', 'cluster_size=4k'];
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, path, '80M']);
    await make('qemu-io', ['-c', 'write -P 1 0 1M', '-c', 'write -P 2 64M 3M', path]);
    await make('qemu-img', ['snapshot', '-c', 'vm', path]);
    const image = new Qcow2Editor(path);
    image.bytes.writeBigUInt64BE(BigInt(small), 24);
    const entry = image.get('snapshotsOffset');
    image.bytes.writeUInt32BE(3 * 2 ** 20, entry + 32);
    image.setEntry(entry + 40, 3n * 2n ** 20n);
    image.setEntry(entry + 48, BigInt(small));
    image.save(path);
    await make('qemu-io', ['-c', 'write -P 3 0 512k', path]);
    await make('qemu-img', ['snapshot', '-c', 'plain', path]);
    const other = join(folder, 'machine-real.qcow2');
    copyFileSync(path, other);
    for (const [action, word] of [
      ['-a', 'plain'],
      ['-a', 'vm'],
      ['-c', 'again'],
      ['-d', 'vm'],
      ['-a', 'again'],
      ['-d', 'again'],
      ['-d', 'plain'],
    ] as const) {
      const step = ['snapshot', action, word];
      expect(await ours([...step, path])).toEqual(await qemuImg([...step, other]));
      await expectSound(step.join(' '), path);
      expect(await listOf(path)).toBe(await listOf(other));
      // With a larger disk the machine can be seen.
      const content: Buffer[] = [];
      for (const file of [path, other]) {
        const seen = new Qcow2Editor(file);
        seen.bytes.writeBigUInt64BE(80n * 2n ** 20n, 24);
        seen.save(`${file}.seen`);
        await make('qemu-img', [
          'convert',
          '-f',
          'qcow2',
          '-O',
          'raw',
          `${file}.seen`,
          `${file}.raw`,
        ]);
        content.push(readFileSync(`${file}.raw`));
      }
      expect(content[0]?.equals(content[1] as Buffer), step.join(' ')).toBe(true);
    }
  });

  it('of version 2 and of other programs have their entries completed', async () => {
    const path = join(folder, 'old.qcow2');
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'compat=0.10', path, '1M']);
    await make('qemu-io', ['-c', 'write 0 64k', path]);
    await make('qemu-img', ['snapshot', '-c', 'first', path]);
    const image = new Qcow2Editor(path);
    const entry = image.get('snapshotsOffset');
    const { bytes } = image;
    // Without any extra data, then with more than is known.
    bytes.copy(bytes, entry + 40, entry + 64, entry + 72);
    bytes.writeUInt32BE(0, entry + 36);
    image.save(path);
    const other = join(folder, 'old-real.qcow2');
    copyFileSync(path, other);
    for (const step of [
      ['-c', 'second'],
      ['-d', 'second'],
      ['-a', 'first'],
    ]) {
      expect(await ours(['snapshot', ...step, path])).toEqual(
        await qemuImg(['snapshot', ...step, other]),
      );
      await expectSound(step.join(' '), path);
      expect(await listOf(path)).toBe(await listOf(other));
    }
    expect(tableOf(path)).toEqual(tableOf(other));
  });

  it('keep extra data that nobody knows', async () => {
    const path = join(folder, 'extra.qcow2');
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', path, '1M']);
    await make('qemu-img', ['snapshot', '-c', 'first', path]);
    const image = new Qcow2Editor(path);
    const entry = image.get('snapshotsOffset');
    image.resize(image.bytes.length + 64);
    const { bytes } = image;
    const names = Buffer.from(bytes.subarray(entry + 64, entry + 70));
    bytes.writeUInt32BE(40, entry + 36);
    bytes.write('sixteen bytes ok', entry + 64);
    names.copy(bytes, entry + 80);
    image.save(path);
    const other = join(folder, 'extra-real.qcow2');
    copyFileSync(path, other);
    await make('qemu-img', ['snapshot', '-c', 'second', other]);
    expect((await ours(['snapshot', '-c', 'second', path])).exitCode).toBe(0);
    await expectSound('unknown extra data', path);
    expect(await listOf(path)).toBe(await listOf(other));
    expect(tableOf(path).subarray(64, 80).toString()).toBe('sixteen bytes ok');
    expect(tableOf(path).subarray(0, 86)).toEqual(tableOf(other).subarray(0, 86));
  });

  it.each(['-c', '-a', '-d'])('are refused with the same words: %s', async (action) => {
    const path = join(folder, 'refused.qcow2');
    const create = ['create', '-q', '-f', 'qcow2'];
    const same = async () => {
      const before = readFileSync(path);
      const own = await ours(['snapshot', action, 'x', path]);
      expect(readFileSync(path).equals(before)).toBe(own.exitCode !== 0);
      writeFileSync(path, before);
      expect(own).toEqual(await qemuImg(['snapshot', action, 'x', path]));
    };
    await make('qemu-img', [...create, '-o', `data_file=${path}.data`, path, '1M']);
    await same();
    await make('qemu-img', [...create, '-o', 'refcount_bits=1', path, '1M']);
    await make('qemu-io', ['-c', 'write 0 64k', path]);
    await same();
    await make('qemu-img', [...create, path, '1M']);
    await make('qemu-img', ['bitmap', '--add', path, 'b']);
    await make('qemu-img', ['snapshot', '-c', 'x', path]);
    await same();
    writeFileSync(path, 'no image at all'.padEnd(4096));
    await same();
  });
});

/** How many clusters have a refcount: of 16 bits, all in the first block. */
function usedClusters(path: string): number {
  const image = new Qcow2Editor(path);
  const block = image.bytes.subarray(image.refcountBlock, image.refcountBlock + image.clusterSize);
  let used = 0;
  for (let at = 0; at < block.length; at += 2) if (block.readUInt16BE(at) > 0) used++;
  return used;
}

/** The snapshot table of a file. */
function tableOf(path: string): Buffer {
  const image = new Qcow2Editor(path);
  const at = image.get('snapshotsOffset');
  return Buffer.from(image.bytes.subarray(at, at + 120));
}
