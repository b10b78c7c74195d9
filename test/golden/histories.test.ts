/**
 * Images with a random life (histories.ts), and everything that only reads: the two programs must
 * agree in every field and every byte. To look for trouble: GOLDEN_HISTORIES=first-last; a seed that
 * failed is looked at with GOLDEN_HISTORIES=seed-seed+1 GOLDEN_KEEP=folder.
 */
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  makeChanged,
  makeHistory,
  nameOf,
  pick,
  randomFor,
  type History,
  type LayerSpec,
  type Random,
} from './histories.ts';
import { available, expectSame, hashOf, ours, qemuImg } from './programs.ts';

const RANGE = (process.env['GOLDEN_HISTORIES'] ?? '0-60').split('-').map(Number);
const [FIRST = 0, LAST = 60] = RANGE;
const SEEDS = Array.from({ length: LAST - FIRST }, (_, index) => FIRST + index);
const KEEP = process.env['GOLDEN_KEEP'];

/** Bytes; larger disks are not compared byte by byte but by what is in them. */
const HASHED_MOST = 64 * 1024 * 1024;

let parent = '';

beforeAll(() => {
  parent = KEEP ?? mkdtempSync(join(tmpdir(), 'histories-'));
});

afterAll(() => {
  if (KEEP === undefined) rmSync(parent, { recursive: true });
});

const THERE = new Map<string, boolean>();
async function there(command: string) {
  if (!THERE.has(command)) {
    const { stderr } = await ours([command]);
    THERE.set(command, !stderr.includes('not supported by this version'));
  }
  return THERE.get(command);
}

async function expectSameDescription({ path, access }: History, random: Random): Promise<void> {
  await expectSame(['info', path]);
  await expectSame(['info', '--output=json', path]);
  await expectSame(['info', '--backing-chain', path]);
  await expectSame(['info', '--backing-chain', '--output=json', path]);
  if (await there('snapshot')) await expectSame(['snapshot', '-l', path]);
  await expectSame(['check', ...access]);
  await expectSame(['check', '--output=json', ...access]);
  await expectSame(['map', ...access]);
  await expectSame(['map', '--output=json', ...access]);
  const part = [`--start-offset=${random(2 ** 22)}`, `--max-length=${1 + random(2 ** 21)}`];
  await expectSame(['map', '--output=json', ...part, ...access]);
}

/** What a conversion makes of it, with both programs. */
async function expectSameCopy(
  { access, layers }: History,
  options: readonly string[],
  folder: string,
): Promise<void> {
  const real = join(folder, 'real.raw');
  const own = join(folder, 'own.raw');
  const args = ['convert', ...options, '-O', 'raw', ...access];
  const [expected, actual] = await Promise.all([qemuImg([...args, real]), ours([...args, own])]);
  expect(actual, args.join(' ')).toEqual(expected);
  if (expected.exitCode !== 0) return;
  expect(statSync(own).size).toBe(statSync(real).size);
  if (statSync(real).size <= HASHED_MOST) {
    expect(await hashOf(own), `${args.join(' ')} ${layers.length}`).toBe(await hashOf(real));
    return;
  }
  const { exitCode, stdout } = await qemuImg(['compare', '-f', 'raw', '-F', 'raw', own, real]);
  expect(stdout, args.join(' ')).toBe('Images are identical.\n');
  expect(exitCode).toBe(0);
}

async function expectSameCopies(history: History, random: Random, folder: string): Promise<void> {
  const sparse = pick(random, [[], [], ['-S', '0'], ['-S', '64k'], ['-S', '512']]);
  const size = history.layers.at(-1)?.size ?? 0;
  await expectSameCopy(history, size > HASHED_MOST ? [] : sparse, folder);
  for (const id of history.snapshots) await expectSameCopy(history, ['-l', id], folder);
}

async function expectSameComparisons(history: History, seed: number, folder: string) {
  const { access, path } = history;
  if (access.length > 1) return;
  const changed = await makeChanged(history, seed, folder);
  const raw = join(folder, 'real.raw');
  await expectSame(['compare', path, changed]);
  await expectSame(['compare', changed, path]);
  await expectSame(['compare', '-s', path, changed]);
  await expectSame(['compare', raw, path]);
  await expectSame(['compare', path, raw]);
}

async function expectSameMeasures({ access, layers, snapshots }: History, random: Random) {
  if (!(await there('measure'))) return;
  const spec = layers.at(-1) as LayerSpec;
  const cluster = pick(random, [512, 4096, 65536, 2 ** 21]);
  const options = [
    `cluster_size=${Math.max(cluster, spec.size > HASHED_MOST ? 65536 : 0)}`,
    ...(random(3) === 0 ? ['refcount_bits=64'] : []),
    ...(random(4) === 0 ? ['preallocation=full'] : []),
    ...(random(4) === 0 ? ['extended_l2=on'] : []),
  ].join(',');
  await expectSame(['measure', '-O', 'raw', ...access]);
  await expectSame(['measure', '-O', 'qcow2', ...access]);
  await expectSame(['measure', '-O', 'qcow2', '-o', options, '--output=json', ...access]);
  for (const id of snapshots) await expectSame(['measure', '-O', 'qcow2', '-l', id, ...access]);
}

/** Without count and skip together: there the real program is wrong. */
async function expectSameBlocks({ path, layers }: History, random: Random, folder: string) {
  if (!(await there('dd'))) return;
  const { encryption, size } = layers.at(-1) as LayerSpec;
  if (encryption !== 'none' || size > HASHED_MOST) return;
  const block = pick(random, [512, 1000, 4096, 65536]);
  const amount = random(Math.ceil(size / block) + 3);
  const part = pick(random, [`count=${amount}`, `skip=${amount}`]);
  const args = ['dd', '-O', 'raw', `bs=${block}`, part, `if=${path}`];
  const real = join(folder, 'real.dd');
  const own = join(folder, 'own.dd');
  const expected = await qemuImg([...args, `of=${real}`]);
  expect(await ours([...args, `of=${own}`]), args.join(' ')).toEqual(expected);
  if (expected.exitCode === 0) expect(await hashOf(own), args.join(' ')).toBe(await hashOf(real));
}

describe.skipIf(!available)('random lives of images', () => {
  it.each(SEEDS)('seed %d', async (seed) => {
    const folder = join(parent, String(seed));
    mkdirSync(folder);
    const history = await makeHistory(seed, folder);
    const random = randomFor(seed + 0x2000000);
    try {
      await expectSameDescription(history, random);
      await expectSameCopies(history, random, folder);
      await expectSameComparisons(history, seed, folder);
      await expectSameMeasures(history, random);
      await expectSameBlocks(history, random, folder);
    } catch (error) {
      const life = [history.layers.map(nameOf).join(' <- '), ...history.steps].join('\n  ');
      process.stderr.write(`\nseed ${seed}: ${life}\n`);
      throw error;
    }
    if (KEEP === undefined) rmSync(folder, { recursive: true });
  });
});
