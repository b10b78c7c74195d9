/** `rebase`: what the guest reads stays, whatever lies below; judged by the real program. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pick, randomFor, type Random } from './histories.ts';
import { available, make, ours, qemuImg, qemuIo } from './programs.ts';

const SEEDS = Number(process.env['REBASE_SEEDS'] ?? 24);
const MIB = 1024 * 1024;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rebase-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function ioCommands(random: Random, size: number, count: number): string[] {
  return Array.from({ length: count }, () => {
    const start = random(size / 512) * 512;
    const length = Math.min(size - start, (1 + random(400)) * 512);
    const where = `${String(start)} ${String(length)}`;
    const kind = random(5);
    // Often the same bytes at the same place: equal clusters need not be taken over.
    if (kind < 3) return `write -P ${String(1 + random(3))} ${where}`;
    return kind === 3 ? `write -z ${where}` : `discard ${where}`;
  }).flatMap((command) => ['-c', command]);
}

async function makeLayer(random: Random, name: string, base?: string): Promise<string> {
  const path = join(folder, name);
  const size = (1 + random(4)) * MIB + random(2) * 512 * random(100);
  if (base === undefined && random(3) === 0) {
    writeFileSync(path, Buffer.alloc(size, 'raw'));
    return path;
  }
  const isExtended = random(4) === 0;
  const clusterSize = isExtended ? 16384 : pick(random, [512, 4096, 65536]);
  const options = [`cluster_size=${String(clusterSize)}`];
  if (isExtended) options.push('extended_l2=on');
  else if (random(4) === 0) options.push('compat=0.10');
  const backing = base === undefined ? [] : ['-b', base, '-F', formatOf(base)];
  const more = ['-o', options.join(','), ...backing, path, String(size)];
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...more]);
  await qemuIo(['-f', 'qcow2', ...ioCommands(random, size, 15), path]);
  return path;
}

function formatOf(path: string): string {
  return readFileSync(path).subarray(0, 3).toString('latin1') === 'QFI' ? 'qcow2' : 'raw';
}

async function rawOf(path: string): Promise<Buffer> {
  const target = `${path}.content`;
  await make('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', path, target]);
  return readFileSync(target);
}

describe.skipIf(!available)('rebase', () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    test(`keeps the content: seed ${String(seed)}`, { timeout: 60_000 }, async () => {
      const random = randomFor(seed);
      const name = (part: string) => `${String(seed)}-${part}`;
      const bottom = await makeLayer(random, name('bottom'));
      const middle = await makeLayer(random, name('middle'), bottom);
      const top = await makeLayer(random, name('top'), random(2) === 0 ? middle : bottom);
      const other = random(3) === 0 ? bottom : await makeLayer(random, name('other'));
      const theirs = `${top}.theirs`;
      copyFileSync(top, theirs);
      const before = await rawOf(top);
      const target = random(4) === 0 ? [''] : [other, '-F', formatOf(other)];
      const compress = random(3) === 0 ? ['-c'] : [];
      expect(await ours(['rebase', ...compress, '-b', ...target, top])).toEqual({
        ...{ stdout: '', stderr: '', exitCode: 0 },
      });
      await make('qemu-img', ['rebase', '-b', ...target, theirs]);
      const checked = await qemuImg(['check', top]);
      expect(checked.stdout + checked.stderr).toMatch(/^No errors were found/);
      expect((await rawOf(top)).equals(before)).toBe(true);
      const [mine, real] = await Promise.all([info(top), info(theirs)]);
      expect(mine['backing-filename']).toBe(real['backing-filename']);
      expect(mine['backing-filename-format']).toBe(real['backing-filename-format']);
    });
  }

  // The real program leaves some of the new file's content in sight here.
  test.each([
    ['qcow2', 'compat=1.1'],
    ['qcow2', 'compat=0.10'],
    ['qcow2', 'extended_l2=on,cluster_size=16k'],
    ['qed', 'cluster_size=4k'],
  ])('%s with %s that had nothing below keeps its zeros', async (format, options) => {
    const name = join(folder, `alone-${format}-${options}`);
    writeFileSync(`${name}.raw`, Buffer.alloc(700 * 1024, 'below'));
    await make('qemu-img', ['create', '-q', '-f', format, '-o', options, name, '1M']);
    const where = 'write -P 7 64k 8k';
    for (const commands of [[], ['-c', where]]) {
      if (commands.length > 0) await qemuIo(['-f', format, ...commands, name]);
      await make('qemu-img', ['convert', '-f', format, '-O', 'raw', name, `${name}.before`]);
      const below = ['-b', `${name}.raw`, '-F', 'raw'];
      expect((await ours(['rebase', '-f', format, ...below, name])).exitCode).toBe(0);
      const checked = await qemuImg(['check', '-f', format, name]);
      expect(checked.stdout).toMatch(/^No errors were found/);
      await make('qemu-img', ['compare', '-f', format, '-F', 'raw', name, `${name}.before`]);
      await make('qemu-img', ['create', '-q', '-f', format, '-o', options, name, '1M']);
    }
  });
});

async function info(path: string): Promise<Record<string, unknown>> {
  const { stdout } = await qemuImg(['info', '--output=json', path]);
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe.skipIf(!available)('rebase: what is said of what cannot be done', () => {
  const cases: Record<string, string[]> = {
    'no file': ['rebase', '-b', 'x'],
    'no backing file': ['rebase', 'over.qcow2'],
    'no format': ['rebase', '-b', 'base.raw', 'over.qcow2'],
    'a format that is none': ['rebase', '-u', '-b', 'base.raw', '-F', 'nonsense', 'over.qcow2'],
    'a new file that is not there': ['rebase', '-b', 'gone', '-F', 'raw', 'over.qcow2'],
    'a raw image': ['rebase', '-f', 'raw', '-b', 'base.raw', '-F', 'raw', 'other.raw'],
    'a name that is too long': ['rebase', '-u', '-b', 'x'.repeat(1024), '-F', 'raw', 'over.qcow2'],
    'no room in the header': ['rebase', '-u', '-b', 'y'.repeat(600), '-F', 'raw', 'tiny.qcow2'],
    'a name that is not looked at': ['rebase', '-u', '-b', 'gone', '-F', 'raw', 'over.qcow2'],
    'no name': ['rebase', '-u', 'over.qcow2'],
    'a cache mode that is none': ['rebase', '-t', 'x', '-b', '', 'over.qcow2'],
    'an image that is not there': ['rebase', '-b', '', 'nothing.qcow2'],
  };
  for (const [title, args] of Object.entries(cases)) {
    test(title, async () => {
      const at = join(folder, 'cases');
      const outcomes = [];
      for (const run of [qemuImg, ours]) {
        await makeCase(at);
        const isFile = (one: string) => /\.(qcow2|raw)$/.test(one) && one !== 'base.raw';
        const named = args.map((one, index) =>
          index === args.length - 1 && isFile(one) ? join(at, one) : one,
        );
        const outcome = await run(named);
        outcomes.push({ outcome, info: await infoIn(at) });
      }
      expect(outcomes[1]).toEqual(outcomes[0]);
    });
  }
});

// The real program makes an image that needs itself.
test.skipIf(!available)('rebase refuses what lies over the image', async () => {
  const at = join(folder, 'cases');
  await makeCase(at);
  const [over, top] = [join(at, 'over.qcow2'), join(at, 'top.qcow2')];
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', over, '-F', 'qcow2', top]);
  const before = readFileSync(over);
  const { stderr, exitCode } = await ours(['rebase', '-b', top, '-F', 'qcow2', over]);
  expect(stderr).toContain(`it needs '${over}' itself`);
  expect(exitCode).toBe(1);
  expect(readFileSync(over).equals(before)).toBe(true);
});

/** The same files at the same place, so that messages are the same. */
async function makeCase(at: string): Promise<void> {
  rmSync(at, { recursive: true, force: true });
  mkdirSync(at);
  writeFileSync(join(at, 'base.raw'), Buffer.alloc(MIB, 1));
  writeFileSync(join(at, 'other.raw'), Buffer.alloc(MIB, 2));
  const create = ['create', '-q', '-f', 'qcow2'];
  await make('qemu-img', [...create, '-b', 'base.raw', '-F', 'raw', join(at, 'over.qcow2')]);
  const tiny = join(at, 'tiny.qcow2');
  await make('qemu-img', [...create, '-o', 'cluster_size=512', tiny, '1M']);
}

async function infoIn(at: string): Promise<unknown> {
  const { stdout } = await qemuImg(['info', join(at, 'over.qcow2')]);
  return stdout.replace(/disk size: .*/, '');
}
