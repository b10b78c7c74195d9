/** Bytes of the metadata changed at random (always the same ones): whatever comes of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BASES, makeBases, type Base } from './damage.ts';
import { randomNumbers } from './make-images.ts';
import { available, hashOf, ours, qemuImg, type Outcome } from './programs.ts';
import { Qcow2Editor } from './qcow2-editor.ts';

/** How many images; more to look for trouble: GOLDEN_MUTATIONS=first-last */
const [FIRST = 0, LAST = 60] = (process.env['GOLDEN_MUTATIONS'] ?? '0-60').split('-').map(Number);
const SEEDS = Array.from({ length: LAST - FIRST }, (_, index) => FIRST + index);

let folder = '';
let bases: Record<Base, string> | undefined;

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'mutations-'));
  bases = await makeBases(folder);
});

afterAll(() => {
  if (folder !== '') rmSync(folder, { recursive: true });
});

/** Seeds that end where the real program gets lost, and why ours does not follow. */
const NOT_COPIED = new Map([[53, 'a snapshot’s L1 table at a negative offset: memory runs out']]);

/** Changes one to three places where tables are. */
function mutate(image: Qcow2Editor, random: (below: number) => number): void {
  const places: (readonly [offset: number, length: number])[] = [
    [0, 112],
    [112, 400],
    [image.get('l1Offset'), image.get('l1Size') * 8],
    [image.l2(0), 40 * 8],
    [image.get('refcountTableOffset'), 16],
    [image.refcountBlock, 80],
    [image.snapshots, image.get('snapshotCount') * 80],
  ];
  for (let change = 1 + random(3); change > 0; change--) {
    const [offset, length] = places[random(places.length)] ?? [0, 112];
    if (length === 0) continue;
    const at = offset + random(length);
    const old = image.bytes[at] ?? 0;
    const values = [old ^ (1 << random(8)), random(256), 0, 0xff];
    image.bytes[at] = values[random(values.length)] ?? 0;
  }
}

/**
 * What the two may differ in: several readers complain in any order, and the real program counts
 * clusters before it reads, which may make it complain of refcounts.
 */
function comparable({ stdout, stderr, exitCode }: Outcome, reads: boolean): Outcome {
  if (!reads) return { stdout, stderr, exitCode };
  const lines = stderr
    .split('\n')
    .filter((line) => !line.startsWith('qcow2: Image is corrupt: Refblock'));
  return { stdout, stderr: lines.join('\n'), exitCode };
}

async function expectAlike(args: readonly string[], other?: readonly string[]): Promise<boolean> {
  const [real, own] = await Promise.all([qemuImg(args), ours(other ?? args)]);
  expect(own.stderr).not.toContain('Internal error');
  // The real program crashed or took too long: ours has not, and that is all that can be said.
  if (typeof real.exitCode !== 'number') return false;
  const reads = args[0] !== 'check' && args[0] !== 'info';
  expect(comparable(own, reads), args.join(' ')).toEqual(comparable(real, reads));
  return real.exitCode === 0;
}

describe.skipIf(!available)('bytes changed at random', () => {
  it.each(SEEDS)('seed %d', async (seed) => {
    const random = randomNumbers(seed + 1000);
    const base = BASES[random(BASES.length - 1)] ?? 'plain';
    const path = join(folder, 'mutated.qcow2');
    const image = new Qcow2Editor(bases?.[base] ?? '');
    mutate(image, random);
    image.save(path);
    await expectAlike(['info', '--output=json', path]);
    if (NOT_COPIED.has(seed)) {
      expect((await ours(['check', path])).exitCode).toBe(2);
      return;
    }
    await expectAlike(['check', path]);
    await expectAlike(['check', '--output=json', path]);
    await expectAlike(['map', '--output=json', path]);
    // What grew to a giant is not written out.
    if (image.get('size') > 16 * 1024 * 1024) return;
    const real = join(folder, 'real.raw');
    const own = join(folder, 'own.raw');
    const convert = ['convert', '-m', '1', '-O', 'raw', path];
    if (await expectAlike([...convert, real], [...convert, own])) {
      expect(await hashOf(own)).toBe(await hashOf(real));
    }
  });
});
