/** `check -r` beside the real program: alike where both do the same, and judged by the real check. */
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyImage } from '../images/arbitrary.ts';
import { buildQcow2 } from '../images/build-qcow2.ts';
import { randomFor, wound } from '../images/wounds.ts';
import { FOUND_BY_CHECK, HEADERS, makeBases, type Base } from './damage.ts';
import { available, hashOf, make, ours, qemuImg } from './programs.ts';
import { COPIED, Qcow2Editor } from './qcow2-editor.ts';

/** How many images of random damage; more to look for trouble: GOLDEN_REPAIRS=first-last */
const [FIRST = 0, LAST = 40] = (process.env['GOLDEN_REPAIRS'] ?? '0-40').split('-').map(Number);
/** What the real check says of an image that is damaged and can be checked. */
const DAMAGED: readonly unknown[] = [2, 3];

let folder = '';
let bases: Record<Base, string> | undefined;
const path = (name: string) => join(folder, name);

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'repair-'));
  bases = await makeBases(folder);
});

afterAll(() => {
  if (folder !== '') rmSync(folder, { recursive: true });
});

function damaged(base: Base, edit: (image: Qcow2Editor) => void, name = 'damaged.qcow2'): string {
  const editor = new Qcow2Editor(bases?.[base] ?? '');
  edit(editor);
  editor.save(path(name));
  return path(name);
}

/** The hash of what the real program reads of an image; undefined where it cannot read all of it. */
async function contentOf(image: string): Promise<string | undefined> {
  const raw = path('content.raw');
  const { exitCode } = await qemuImg(['convert', '-O', 'raw', image, raw]);
  return exitCode === 0 ? hashOf(raw) : undefined;
}

async function realCheck(image: string) {
  return (await qemuImg(['check', image])).exitCode;
}

/** Both repair a copy of the same name, one after the other. */
async function repairBoth(image: string, level: string, output = 'human') {
  const copy = path('copy.qcow2');
  const args = ['check', '-r', level, `--output=${output}`, copy];
  copyFileSync(image, copy);
  const real = await qemuImg(args);
  copyFileSync(image, copy);
  return { real, own: await ours(args) };
}

const ALIKE: readonly (readonly [string, (image: Qcow2Editor) => void])[] = [
  ['refcount too high', (i) => i.setRefcount(i.host(1) / i.clusterSize, 3)],
  ['COPIED missing in L2', (i) => i.change(i.l2(0), (entry) => entry & ~COPIED)],
  ['COPIED missing in L1', (i) => i.change(i.l1(), (entry) => entry & ~COPIED)],
  ['dirty', (i) => i.setBit('incompatible', 0)],
  ['corrupt', (i) => i.setBit('incompatible', 1)],
  ['nothing', () => undefined],
];

describe.skipIf(!available)('what both repair', () => {
  it.each(ALIKE)('%s', async (_, edit) => {
    const image = damaged('snapshot', edit);
    for (const level of ['leaks', 'all']) {
      for (const output of ['human', 'json']) {
        const { real, own } = await repairBoth(image, level, output);
        expect(own).toEqual(real);
        expect(await realCheck(path('copy.qcow2'))).toBe(0);
        // The marks are gone, too: the real program opens it for writing.
        await make('qemu-img', ['resize', '-q', path('copy.qcow2'), '+1M']);
      }
    }
  });

  it('says so of a format without a check', async () => {
    writeFileSync(path('raw.img'), Buffer.alloc(512));
    const args = ['check', '-r', 'all', '-f', 'raw', path('raw.img')];
    expect(await ours(args)).toEqual(await qemuImg(args));
  });
});

describe.skipIf(!available)('damage of every kind', () => {
  it.each(FOUND_BY_CHECK.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const image = damaged(one.base, one.edit);
    if (!DAMAGED.includes(await realCheck(image))) return;
    const before = await contentOf(image);
    await ours(['check', '-q', '-r', 'all', image]);
    const { stderr, exitCode } = await qemuImg(['check', image]);
    expect(`${String(exitCode)} ${stderr}`).toBe('0 ');
    if (before !== undefined) expect(await contentOf(image)).toBe(before);
  });
});

const MENDABLE = [
  'header_length 103',
  'header_length behind the cluster',
  'l1_size 0',
  'l1_size 4194305',
  'refcount table at an odd place',
  'refcount_table_clusters 129',
  'extension too long',
  'bitmaps extension of 16 bytes',
  'bitmaps extension: no bitmaps',
  'bitmaps extension: directory at an odd place',
  'bitmaps extension: directory of zeros',
  'crypto extension without encryption',
  'backing format of 16 bytes',
];

describe.skipIf(!available)('headers that keep an image from being opened', () => {
  it.each(MENDABLE)('%s', async (name) => {
    const header = HEADERS.find((one) => one.name === name);
    const image = damaged('big', header?.edit ?? (() => undefined));
    expect(await realCheck(image)).toBe(1);
    await ours(['check', '-q', '-r', 'all', image]);
    expect(await realCheck(image)).toBe(0);
    expect(await contentOf(image)).toBe(await contentOf(bases?.big ?? ''));
  });

  it('says what it cannot mend, and leaves that alone', async () => {
    const image = damaged('big', (i) => i.setBit('incompatible', 5));
    const bytes = readFileSync(image);
    const { exitCode, stderr } = await ours(['check', '-r', 'all', image]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('Unsupported qcow2 feature(s)');
    expect(readFileSync(image).equals(bytes)).toBe(true);
  });
});

describe.skipIf(!available)('damage at random', () => {
  const tally = { damaged: 0, clean: 0 };

  function anyDamage(seed: number): string {
    const [spec] = fc.sample(anyImage, { numRuns: 1, seed: Math.floor(seed / 4) });
    writeFileSync(path('any.qcow2'), wound(buildQcow2(spec!), randomFor(seed)).bytes);
    return path('any.qcow2');
  }

  it('is repaired in nine of ten cases, and nothing that can be read is lost', async () => {
    for (let seed = FIRST; seed < LAST; seed++) {
      const image = anyDamage(seed);
      if (!DAMAGED.includes(await realCheck(image))) continue;
      tally.damaged += 1;
      const before = await contentOf(image);
      const { stderr } = await ours(['check', '-q', '-r', 'all', image]);
      expect(stderr, `seed ${seed}`).not.toContain('Internal error');
      if ((await realCheck(image)) === 0) tally.clean += 1;
      if (before !== undefined) expect(await contentOf(image), `seed ${seed}`).toBe(before);
    }
    expect(tally.clean / tally.damaged).toBeGreaterThanOrEqual(0.9);
  }, 600_000);
});

describe.skipIf(!available)('what would destroy', () => {
  it('does not free what a damaged snapshot entry may lead to', async () => {
    const image = damaged('snapshot', (i) => i.change(i.snapshots, (offset) => offset + 512n));
    const sound = path('sound.raw');
    const args = ['convert', '-l', 's1', '-O', 'raw'];
    expect((await qemuImg([...args, bases?.snapshot ?? '', sound])).exitCode).toBe(0);
    const leaks = await ours(['check', '-r', 'leaks', image]);
    expect(leaks.stderr).toContain('damaged pointers may have led to the clusters');
    await ours(['check', '-r', 'all', image]);
    expect(await realCheck(image)).toBe(0);
    const again = path('again.raw');
    expect((await qemuImg([...args, image, again])).exitCode).toBe(0);
    expect(await hashOf(again)).toBe(await hashOf(sound));
  });

  it('keeps a lost table as a snapshot, or puts it back when asked to', async () => {
    const lose = (i: Qcow2Editor) => i.setEntry(i.l1(), COPIED | 0x10000000000n);
    const image = damaged('big', lose);
    const empty = await contentOf(image);
    await ours(['check', '-r', 'all', image]);
    expect(await realCheck(image)).toBe(0);
    expect(await contentOf(image)).toBe(empty);
    expect((await qemuImg(['snapshot', '-l', image])).stdout).toContain('lost+found');
    const lost = path('lost.raw');
    await make('qemu-img', ['convert', '-l', 'lost+found', '-O', 'raw', image, lost]);
    const whole = await contentOf(bases?.big ?? '');
    expect(await hashOf(lost)).toBe(whole);
    const other = damaged('big', lose);
    await ours(['check', '-r', 'all', '--recover', other]);
    expect(await realCheck(other)).toBe(0);
    expect(await contentOf(other)).toBe(whole);
  });
});

describe.skipIf(!available)('plan, undo and dirty images', () => {
  const wrong = (i: Qcow2Editor) => i.setEntry(i.l2(1), i.entry(i.l2(0)));

  it('says what it would do and changes nothing', async () => {
    const image = damaged('plain', wrong);
    const bytes = readFileSync(image);
    const { stdout } = await ours(['check', '--repair-plan', image]);
    expect(stdout).toContain('[guess] data at 0x');
    expect(stdout).toContain('Nothing has been changed.');
    const json = await ours(['check', '-r', 'all', '--repair-plan', '--output=json', image]);
    expect(JSON.parse(json.stdout)).toMatchObject({ after: { corruptions: 0, leaks: 0 } });
    expect(readFileSync(image).equals(bytes)).toBe(true);
  });

  it('keeps the old bytes', async () => {
    const image = damaged('plain', wrong);
    const bytes = readFileSync(image);
    const undo = path('undo');
    expect((await ours(['check', '-r', 'all', '--undo', undo, image])).exitCode).toBe(0);
    expect(readFileSync(image).equals(bytes)).toBe(false);
    expect(existsSync(undo)).toBe(true);
    expect((await ours(['undo', image, undo])).exitCode).toBe(0);
    expect(readFileSync(image).equals(bytes)).toBe(true);
  });

  it('repairs an image that was not closed cleanly before it is changed', async () => {
    const image = damaged('plain', (i) => {
      i.setBit('incompatible', 0);
      i.setRefcount(i.host(1) / i.clusterSize, 0);
    });
    expect((await ours(['snapshot', '-c', 'new', image])).exitCode).toBe(0);
    expect(await realCheck(image)).toBe(0);
    expect((await qemuImg(['snapshot', '-l', image])).stdout).toContain('new');
  });
});
