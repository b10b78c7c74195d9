/** `commit`: the base becomes what the image above it showed; judged by the real program. */
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openImage, Qcow2Image, readBitmap } from '../../src/engine/index.ts';
import { memory } from '../images/memory.ts';
import { pick, randomFor, type Random } from './histories.ts';
import { available, make, ours, qemuImg, qemuIo } from './programs.ts';

const SEEDS = Number(process.env['COMMIT_SEEDS'] ?? 24);
const MIB = 1024 * 1024;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'commit-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function ioCommands(random: Random, size: number): string[] {
  return Array.from({ length: 12 }, () => {
    const start = random(size / 512) * 512;
    const length = Math.min(size - start, (1 + random(500)) * 512);
    const where = `${String(start)} ${String(length)}`;
    const kind = random(6);
    if (kind < 3) return `write -P ${String(1 + random(250))} ${where}`;
    return pick(random, [`write -z ${where}`, `write -zu ${where}`, `discard ${where}`]);
  }).flatMap((command) => ['-c', command]);
}

async function makeLayer(random: Random, at: string, name: string, base?: string): Promise<void> {
  const path = join(at, name);
  const size = (1 + random(4)) * MIB + random(2) * 512 * random(100);
  if (base === undefined && random(3) === 0) {
    writeFileSync(path, Buffer.alloc(size, 'raw'));
    return;
  }
  const isExtended = random(4) === 0;
  const clusterSize = isExtended ? 16384 : pick(random, [512, 4096, 65536]);
  const options = [`cluster_size=${String(clusterSize)}`];
  if (isExtended) options.push('extended_l2=on');
  else if (random(4) === 0) options.push('compat=0.10');
  const backing = base === undefined ? [] : ['-b', base, '-F', formatOf(join(at, base))];
  const more = ['-o', options.join(','), ...backing, path, String(size)];
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...more]);
  await qemuIo(['-f', 'qcow2', ...ioCommands(random, size), path]);
  if (random(4) === 0) await make('qemu-img', ['snapshot', '-c', 'kept', path]);
  if (random(3) === 0) await qemuIo(['-f', 'qcow2', ...ioCommands(random, size), path]);
}

function formatOf(path: string): string {
  return readFileSync(path).subarray(0, 3).toString('latin1') === 'QFI' ? 'qcow2' : 'raw';
}

async function rawOf(path: string, ...more: string[]): Promise<Buffer> {
  const target = `${path}.content`;
  const format = formatOf(path);
  await make('qemu-img', ['convert', ...more, '-f', format, '-O', 'raw', path, target]);
  return readFileSync(target);
}

async function expectClean(path: string): Promise<void> {
  if (formatOf(path) === 'raw') return;
  const checked = await qemuImg(['check', path]);
  expect(checked.stdout + checked.stderr).toMatch(/^No errors were found/);
}

/** What the snapshot holds, where there is one, as a digest. */
async function snapshotsOf(path: string): Promise<string[]> {
  if (formatOf(path) === 'raw') return [];
  const { stdout } = await qemuImg(['snapshot', '-l', path]);
  if (!stdout.includes('kept')) return [];
  const content = await rawOf(path, '-l', 'kept');
  return [createHash('sha256').update(content).digest('hex')];
}

const LAYERS = ['bottom', 'middle', 'top'];

describe.skipIf(!available)('commit', () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    test(`as the real program: seed ${String(seed)}`, { timeout: 60_000 }, async () => {
      const random = randomFor(seed + 5000);
      const at = join(folder, String(seed));
      mkdirSync(at);
      await makeLayer(random, at, 'bottom');
      await makeLayer(random, at, 'middle', 'bottom');
      await makeLayer(random, at, 'top', 'middle');
      const theirs = `${at}-theirs`;
      cpSync(at, theirs, { recursive: true });
      const content = await rawOf(join(at, 'top'));
      const how = pick(random, [[], ['-d'], ['-b', 'middle'], ['-b', 'bottom']]);
      const real = await qemuImg(['commit', ...how, join(theirs, 'top')]);
      expect(await ours(['commit', ...how, join(at, 'top')])).toEqual(real);
      expect(real.exitCode).toBe(0);
      // What lies between the image and the base means nothing any more.
      const isDeep = how[1] === 'bottom';
      const valid = isDeep ? ['bottom'] : LAYERS;
      for (const name of valid) {
        const [mine, other] = [await rawOf(join(at, name)), await rawOf(join(theirs, name))];
        expect(mine.equals(other), name).toBe(true);
      }
      for (const name of LAYERS) await expectClean(join(at, name));
      if (!isDeep) expect((await rawOf(join(at, 'top'))).equals(content)).toBe(true);
      // Snapshots show what is below them now, where they hold nothing themselves.
      for (const name of LAYERS) {
        expect(await snapshotsOf(join(at, name))).toEqual(await snapshotsOf(join(theirs, name)));
      }
      rmSync(at, { recursive: true });
      rmSync(theirs, { recursive: true });
    });
  }
});

describe.skipIf(!available)('commit: what is said of what cannot be done', () => {
  const cases: Record<string, string[]> = {
    'no file': ['commit'],
    'no backing file': ['commit', 'base.qcow2'],
    'not in the chain': ['commit', '-b', 'nobody', 'over.qcow2'],
    'a cache mode that is none': ['commit', '-t', 'x', 'over.qcow2'],
    'a rate that is none': ['commit', '-r', 'x', 'over.qcow2'],
    'a file that is not there': ['commit', 'nothing.qcow2'],
    'a raw image': ['commit', '-f', 'raw', 'base.qcow2'],
    quiet: ['commit', '-q', 'over.qcow2'],
    'as wanted': ['commit', 'over.qcow2'],
    'with progress': ['commit', '-p', '-d', 'over.qcow2'],
  };
  for (const [title, args] of Object.entries(cases)) {
    test(title, async () => {
      const at = join(folder, 'cases');
      const outcomes = [];
      for (const run of [qemuImg, ours]) {
        rmSync(at, { recursive: true, force: true });
        mkdirSync(at);
        const create = ['create', '-q', '-f', 'qcow2'];
        await make('qemu-img', [...create, join(at, 'base.qcow2'), '1M']);
        const base = ['-b', 'base.qcow2', '-F', 'qcow2'];
        await make('qemu-img', [...create, ...base, join(at, 'over.qcow2')]);
        await make('qemu-io', ['-c', 'write -P 3 64k 192k', join(at, 'over.qcow2')]);
        const last = args.at(-1) ?? '';
        const named = last.endsWith('.qcow2') ? [...args.slice(0, -1), join(at, last)] : args;
        const outcome = await run(named);
        // How far it is in between is a matter of how much is copied at once.
        const stdout = outcome.stdout.replace(/ {4}\(\d+\.\d+\/100%\)\r/g, '');
        outcomes.push({ ...outcome, stdout });
      }
      expect(outcomes[1]).toEqual(outcomes[0]);
    });
  }
});

/** Ranges that a bitmap marks: [offset, length], bytes. */
async function markedIn(path: string, name: string): Promise<number[][]> {
  const disk = await openImage(await memory(readFileSync(path)), { format: 'qcow2' });
  const bitmap =
    disk instanceof Qcow2Image ? disk.bitmaps.find((one) => one.name === name) : undefined;
  if (!(disk instanceof Qcow2Image) || bitmap === undefined) throw new Error(`no bitmap ${name}`);
  const ranges: number[][] = [];
  for await (const batch of readBitmap(disk, bitmap)) {
    for (const { offset, length } of batch) ranges.push([offset, length]);
  }
  return ranges;
}

describe.skipIf(!available)('commit: what comes with it', () => {
  /** A base with a bitmap, and an image over it that holds something. Committed by both programs. */
  async function bothCommit(how: readonly string[]) {
    const places: string[] = [];
    for (const [index, run] of [qemuImg, ours].entries()) {
      const at = join(folder, `with-${how.join('')}-${String(index)}`);
      mkdirSync(at);
      const create = ['create', '-q', '-f', 'qcow2'];
      await make('qemu-img', [...create, join(at, 'base.qcow2'), '1M']);
      await make('qemu-img', ['bitmap', '--add', join(at, 'base.qcow2'), 'b']);
      const base = ['-b', 'base.qcow2', '-F', 'qcow2'];
      await make('qemu-img', [...create, ...base, join(at, 'over.qcow2')]);
      await make('qemu-io', ['-c', 'write -P 3 64k 192k', join(at, 'over.qcow2')]);
      const { exitCode } = await run(['commit', '-q', ...how, join(at, 'over.qcow2')]);
      expect(exitCode).toBe(0);
      places.push(at);
    }
    return places as [string, string];
  }

  test('bitmaps of the base mark what was written', async () => {
    const [real, own] = await bothCommit([]);
    const marked = await markedIn(join(own, 'base.qcow2'), 'b');
    expect(marked).toEqual([[65536, 192 * 1024]]);
    expect(await markedIn(join(real, 'base.qcow2'), 'b')).toEqual(marked);
  });

  test('the image is emptied, but not with -d', async () => {
    const maps: string[] = [];
    for (const [index, how] of [['-r', '0'], ['-d']].entries()) {
      const [real, own] = await bothCommit(how);
      const command = (at: string) => ['map', '--output=json', join(at, 'over.qcow2')];
      const { stdout } = await qemuImg(command(real));
      expect((await qemuImg(command(own))).stdout, String(index)).toBe(stdout);
      maps.push(stdout);
    }
    expect(maps[0]).not.toBe(maps[1]);
  });
});
