/**
 * Writing into images that have content: made by the real programs in every variety, written to by
 * our engine at random, and judged by the real check and by a plain array.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FileStorage } from '../../src/command/node/file-storage.ts';
import {
  Change,
  editQcow2,
  GuestWriter,
  openImage,
  Qcow2Image,
  readDisk,
} from '../../src/engine/index.ts';
import { pick, randomFor, type Random } from './histories.ts';
import { available, make, qemuImg, qemuIo } from './programs.ts';

const SEEDS = Number(process.env['GUEST_WRITER_SEEDS'] ?? 40);
const MIB = 1024 * 1024;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'guest-writer-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Life {
  path: string;
  size: number;
  hasBacking: boolean;
  snapshots: string[];
}

/** An image with a past, and how it came to it. */
async function makeImage(random: Random, seed: number): Promise<Life> {
  const path = join(folder, `${String(seed)}.qcow2`);
  const size = 4 * MIB - random(3) * 512 * random(4);
  const isV2 = random(4) === 0;
  const extended = !isV2 && random(3) === 0;
  const clusterSize = extended ? pick(random, [16384, 65536]) : pick(random, [512, 4096, 65536]);
  const options = [`compat=${isV2 ? '0.10' : '1.1'}`, `cluster_size=${String(clusterSize)}`];
  if (extended) options.push('extended_l2=on');
  if (!isV2) options.push(`refcount_bits=${String(pick(random, [4, 16, 64]))}`);
  if (!isV2 && random(2) === 0) options.push('compression_type=zstd');
  const hasBacking = random(2) === 0;
  const args = ['create', '-q', '-f', 'qcow2', '-o', options.join(',')];
  if (hasBacking) {
    const base = `${path}.base`;
    writeFileSync(base, Buffer.alloc(3 * MIB, 'base'));
    args.push('-b', base, '-F', 'raw');
  }
  await make('qemu-img', [...args, path, String(size)]);
  const snapshots: string[] = [];
  for (let round = 0; round < 2; round++) {
    const commands: string[] = [];
    for (let i = 0; i < 12; i++) commands.push(ioCommand(random, size, clusterSize));
    // A packed write over what is there already fails, as it should.
    await qemuIo(['-f', 'qcow2', ...commands.flatMap((one) => ['-c', one]), path]);
    if (random(2) === 0) {
      snapshots.push(`s${String(round)}`);
      await make('qemu-img', ['snapshot', '-c', `s${String(round)}`, path]);
    }
  }
  return { path, size, hasBacking, snapshots };
}

function ioCommand(random: Random, size: number, clusterSize: number): string {
  const start = random(size / 512) * 512;
  const length = Math.min(size - start, (1 + random((3 * clusterSize) / 512)) * 512);
  const pattern = String(1 + random(255));
  const where = `${String(start)} ${String(length)}`;
  const kind = random(5);
  if (kind === 0) return `write -z ${where}`;
  if (kind === 1) return `write -zu ${where}`;
  if (kind === 2) return `discard ${where}`;
  const cluster = Math.floor(start / clusterSize) * clusterSize;
  if (kind === 3 && cluster + clusterSize <= size) {
    return `write -c -P ${pattern} ${String(cluster)} ${String(clusterSize)}`;
  }
  return `write -P ${pattern} ${where}`;
}

async function rawOf(life: Life, ...more: string[]): Promise<Buffer> {
  const target = `${life.path}.raw`;
  await make('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', ...more, life.path, target]);
  return readFileSync(target);
}

/** Random writes by our engine; `model` is changed alike. */
async function write(life: Life, random: Random, model: Buffer): Promise<void> {
  const base = await FileStorage.open(life.path, 'modify');
  const change = new Change(base);
  const gate = ({ name }: { name: string }) => FileStorage.open(name, 'read');
  const image = await openImage(change.storage, { gate });
  if (!(image instanceof Qcow2Image)) throw new Error('not qcow2');
  const writer = await editQcow2(image);
  const { backing } = image;
  const below = backing && ((offset: number, length: number) => readDisk(backing, offset, length));
  const guest = new GuestWriter(image, writer, below);
  for (let i = 0; i < 25; i++) {
    const start = random(life.size / 512) * 512;
    const most = pick(random, [512, image.clusterSize, 5 * image.clusterSize, 200_000]);
    const length = Math.min(life.size - start, (1 + random(Math.ceil(most / 512))) * 512);
    if (random(3) === 0) {
      await guest.zero(start, length);
      model.fill(0, start, start + length);
    } else {
      const bytes = new Uint8Array(length).fill(1 + random(255));
      await guest.write(start, bytes);
      model.set(bytes, start);
    }
  }
  await writer.flush();
  await image.backing?.close();
  await change.apply();
  await base.close();
}

describe.skipIf(!available)('writing into images with a past', () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    test(`seed ${String(seed)}`, { timeout: 60_000 }, async () => {
      const random = randomFor(seed);
      const life = await makeImage(random, seed);
      const model = await rawOf(life);
      const before = await Promise.all(life.snapshots.map((name) => rawOfSnapshot(life, name)));
      await write(life, random, model);
      const checked = await qemuImg(['check', life.path]);
      expect(checked.stdout + checked.stderr).toMatch(/^No errors were found/);
      expect((await rawOf(life)).equals(model)).toBe(true);
      for (const [index, name] of life.snapshots.entries()) {
        expect((await rawOfSnapshot(life, name)).equals(before[index] as Buffer)).toBe(true);
      }
    });
  }
});

async function rawOfSnapshot(life: Life, snapshot: string): Promise<Buffer> {
  const target = `${life.path}.${snapshot}.raw`;
  await make('qemu-img', ['convert', '-l', snapshot, '-f', 'qcow2', life.path, target]);
  return readFileSync(target);
}
