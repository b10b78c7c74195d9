import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  coveringSpecs,
  makeChangedCopy,
  makeImage,
  nameOf,
  noise,
  patch,
  type ImageSpec,
} from './make-images.ts';
import { available, expectSame, hashOf, make, ours, qemuImg } from './programs.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'golden-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Everything that only looks, and the copy out, byte by byte. */
async function expectSameEverything(path: string): Promise<void> {
  for (const command of ['info', 'check']) {
    await expectSame([command, path]);
    await expectSame([command, '--output=json', path]);
  }
  await expectSameMap(path);
  await expectSameCopy(path);
}

interface MapEntry {
  start: number;
  length: number;
  zero: boolean;
  data: boolean;
  offset?: number;
}

/**
 * Where much of an image is preallocated, the real program asks the file system which parts were
 * never written and shows them as data that is zero. Only the file system can know that, so there
 * the map is compared as it is without.
 */
async function expectSameMap(path: string): Promise<void> {
  const json = ['map', '--output=json', path];
  const { stdout } = await qemuImg(json);
  if (!stdout.includes('"zero": true, "data": true')) {
    await expectSame(['map', path]);
    await expectSame(json);
    return;
  }
  const entries: MapEntry[] = [];
  for (const entry of JSON.parse(stdout) as MapEntry[]) {
    const zero = entry.zero && !entry.data;
    const last = entries.at(-1);
    const follows = last?.offset !== undefined && last.offset + last.length === entry.offset;
    if (follows && last.zero === zero && last.data === entry.data) last.length += entry.length;
    else entries.push({ ...entry, zero });
  }
  const own = await ours(json);
  expect(JSON.parse(own.stdout)).toEqual(entries);
}

async function expectSameCopy(path: string, ...options: string[]): Promise<void> {
  const real = join(folder, 'real.raw');
  const own = join(folder, 'own.raw');
  const [expected, actual] = await Promise.all([
    qemuImg(['convert', ...options, '-O', 'raw', path, real]),
    ours(['convert', ...options, '-O', 'raw', path, own]),
  ]);
  expect(actual).toEqual(expected);
  if (expected.exitCode === 0) expect(await hashOf(own)).toBe(await hashOf(real));
}

async function expectSameComparisons(path: string, spec: ImageSpec): Promise<void> {
  const copy = join(folder, 'copy.qcow2');
  copyFileSync(path, copy);
  const changed = await makeChangedCopy(path, spec.size, folder);
  const own = join(folder, 'own.raw');
  await expectSame(['compare', path, own]);
  await expectSame(['compare', path, copy]);
  // Preallocated parts are known by the file system only, see expectSameMap.
  if (spec.content !== 'metadata') await expectSame(['compare', '-s', path, copy]);
  await expectSame(['compare', path, changed]);
  await expectSame(['compare', changed, own]);
  if (spec.content !== 'metadata') await expectSame(['compare', '-s', path, changed]);
}

describe.skipIf(!available)('as qemu-img has it', () => {
  it.each(coveringSpecs().map((spec) => [nameOf(spec), spec] as const))('%s', async (_, spec) => {
    const path = await makeImage(spec, folder);
    await expectSameEverything(path);
    await expectSameComparisons(path, spec);
    for (let id = 1; id <= spec.snapshots; id++) await expectSameCopy(path, '-l', String(id));
  });
});

describe.skipIf(!available)('sizes that no tool would make', () => {
  it.each([1, 511, 512, 513, 64 * 1024 - 1, 64 * 1024 + 1])('%d bytes', async (size) => {
    const path = join(folder, 'image.qcow2');
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', path, '128k']);
    await make('qemu-io', ['-c', 'write -P 0x5a 0 128k', path]);
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(size));
    patch(path, 24, bytes);
    await expectSameEverything(path);
  });
});

describe.skipIf(!available)('raw files', () => {
  it.each([0, 1, 511, 512, 513, 7000, 100_000])('of %d bytes', async (size) => {
    const path = join(folder, 'disk.raw');
    // No zeros: what is a hole and what is written as zeros, only the file system knows.
    writeFileSync(
      path,
      noise(size, 3).map((byte) => byte | 1),
    );
    await expectSameEverything(path);
    const other = join(folder, 'other.raw');
    writeFileSync(
      other,
      noise(7000, 3).map((byte) => byte | 1),
    );
    await expectSame(['compare', path, other]);
    await expectSame(['compare', '-s', path, other]);
  });
});
