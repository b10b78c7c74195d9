import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { patchScripts } from '../../src/engine/operations/patch-scripts.ts';
import { writePatch } from '../../src/engine/storage/change.ts';
import { MemoryStorage } from '../../src/engine/storage/memory.ts';
import { OverlayStorage } from '../../src/engine/storage/overlay.ts';
import type { Storage } from '../../src/engine/storage/storage.ts';
import { pattern } from '../storage/conformance.ts';

const folder = mkdtempSync(join(tmpdir(), 'patch-scripts-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Shells that are here. */
const FOUND = ['dash', 'bash', 'busybox'].filter(
  (name) => spawnSync(name, name === 'busybox' ? ['true'] : ['-c', 'exit 0']).status === 0,
);
const SHELLS = FOUND.length === 0 ? ['sh'] : FOUND;

/** With busybox, all programs are its own. */
const TOOLS = join(folder, 'tools');
if (FOUND.includes('busybox')) {
  mkdirSync(TOOLS);
  execFileSync('busybox', ['--install', '-s', TOOLS]);
}

async function all(storage: Storage): Promise<Buffer> {
  const bytes = Buffer.alloc(storage.size);
  await storage.read(0, bytes);
  return bytes;
}

interface Case {
  /** Of the file, bytes. */
  size: number;
  edit: (overlay: OverlayStorage) => Promise<void>;
}

const CASES: Record<string, Case> = {
  'a few tables': {
    size: 300_000,
    edit: async (overlay) => {
      await overlay.write(0, pattern(100, 2));
      await overlay.write(70_000, pattern(9000, 3));
      await overlay.write(200_000, new Uint8Array(5000));
    },
  },
  'a file that grows, from between two blocks': {
    size: 100_001,
    edit: async (overlay) => {
      await overlay.write(99_990, pattern(30_000, 4));
      await overlay.write(200_000, pattern(77, 4));
    },
  },
  'a file that is cut, between two blocks': {
    size: 200_001,
    edit: async (overlay) => {
      await overlay.write(90_000, pattern(700, 5));
      await overlay.resize(100_333);
    },
  },
  'more than a script holds': {
    size: 900_000,
    edit: (overlay) => overlay.write(1000, pattern(600_000, 6)),
  },
};

let count = 0;

/** A file, the scripts beside it and what the file is to become. */
async function make({ size, edit }: Case, name = `disk${++count}.qcow2`) {
  const base = new MemoryStorage({ content: pattern(size) });
  const overlay = new OverlayStorage(base);
  await edit(overlay);
  const patch = new MemoryStorage({ name: `${name}.patch` });
  await writePatch(overlay, patch);
  const scripts = await patchScripts(patch, base, name);
  const image = join(folder, name);
  const script = join(folder, scripts.posix.name);
  const old = await all(base);
  writeFileSync(image, old);
  writeFileSync(script, scripts.posix.text);
  if (!scripts.standAlone) writeFileSync(join(folder, patch.name), await all(patch));
  return { image, script, scripts, old, next: await all(overlay), patch: join(folder, patch.name) };
}

function run(shell: string, ...args: string[]) {
  const isBusy = shell === 'busybox';
  const { status, stdout, stderr } = spawnSync(isBusy ? join(TOOLS, 'sh') : shell, args, {
    encoding: 'utf8',
    cwd: '/',
    env: isBusy ? { PATH: TOOLS } : process.env,
  });
  return { status, text: stdout + stderr };
}

function expectFile(path: string, content: Buffer): void {
  const now = readFileSync(path);
  expect(now.length).toBe(content.length);
  expect(now.equals(content)).toBe(true);
}

describe.each(SHELLS)('the script under %s', (shell) => {
  for (const [title, one] of Object.entries(CASES)) {
    it(`changes, and takes back: ${title}`, async () => {
      const { image, script, old, next } = await make(one);
      expect(run(shell, script, '--check')).toMatchObject({ status: 0 });
      expectFile(image, old);
      expect(run(shell, script)).toMatchObject({ status: 0 });
      expectFile(image, next);
      expect(existsSync(`${image}.patching`)).toBe(false);
      expect(run(shell, script).text).toContain('made before');
      expect(run(shell, script, '--check').text).toContain('has been made');
      expect(run(shell, script, '--undo')).toMatchObject({ status: 0 });
      expectFile(image, old);
      expect(existsSync(`${image}.before-patch`)).toBe(false);
      expect(run(shell, script, '--undo').text).toContain('has not been made');
    });

    it(`goes on or back where it was interrupted: ${title}`, async () => {
      const { image, script, old, next } = await make(one);
      expect(run(shell, script).status).toBe(0);
      for (const [args, result] of [
        [[], next],
        [['--undo'], old],
      ] as const) {
        // As if it had been killed: some of the new bytes, some of the old, another size.
        const mixed = Buffer.concat([next.subarray(0, 75_000), old.subarray(75_000)]);
        writeFileSync(image, mixed);
        writeFileSync(`${image}.patching`, '');
        expect(run(shell, script, '--check').status).toBe(1);
        expect(run(shell, script, ...args)).toMatchObject({ status: 0 });
        expectFile(image, result);
      }
    });
  }

  it('takes any name, and another file', async () => {
    const one = CASES['a few tables'];
    if (one === undefined) throw new Error('no case');
    const odd = await make(one, `it's a "disk" $HOME 磁盘 \`x\` -n.qcow2`);
    expect(run(shell, odd.script)).toMatchObject({ status: 0 });
    expectFile(odd.image, odd.next);
    const other = await make(one);
    writeFileSync(`${other.image}-2`, other.old);
    expect(run(shell, other.script, `${other.image}-2`)).toMatchObject({ status: 0 });
    expectFile(`${other.image}-2`, other.next);
    expectFile(other.image, other.old);
  });

  it('writes nothing to a file that is not the expected one', async () => {
    for (const one of Object.values(CASES)) {
      const { image, script, old, next } = await make(one);
      for (const content of [Buffer.concat([old, Buffer.from('x')]), old.subarray(1)]) {
        writeFileSync(image, content);
        expect(run(shell, script)).toMatchObject({ status: 1 });
        expectFile(image, content);
      }
      // What was changed after the change is not undone.
      writeFileSync(image, old);
      expect(run(shell, script).status).toBe(0);
      const later = Buffer.from(next);
      const at = old.length === 200_001 ? 90_100 : old.length === 100_001 ? 110_000 : 71_000;
      later[at] = (later[at] ?? 0) ^ 1;
      writeFileSync(image, later);
      expect(run(shell, script, '--undo')).toMatchObject({ status: 1 });
      expect(run(shell, script)).toMatchObject({ status: 1 });
      expectFile(image, later);
      // A bit in the old bytes.
      const early = Buffer.from(old);
      const where = old.length === 100_001 ? 99_995 : at;
      early[where] = (early[where] ?? 0) ^ 1;
      writeFileSync(image, early);
      expect(run(shell, script)).toMatchObject({ status: 1 });
      expectFile(image, early);
    }
  });

  it('writes nothing without the whole patch, or what it would need to go back', async () => {
    const one = CASES['more than a script holds'];
    if (one === undefined) throw new Error('no case');
    const { image, script, patch, old, next } = await make(one);
    const content = readFileSync(patch);
    const broken = Buffer.from(content);
    broken[5000] = (broken[5000] ?? 0) ^ 1;
    writeFileSync(patch, broken);
    expect(run(shell, script)).toMatchObject({ status: 1 });
    rmSync(patch);
    expect(run(shell, script)).toMatchObject({ status: 1 });
    expectFile(image, old);
    writeFileSync(patch, content);
    expect(run(shell, script)).toMatchObject({ status: 0 });
    writeFileSync(`${image}.before-patch`, 'something else');
    expect(run(shell, script, '--undo')).toMatchObject({ status: 1 });
    expectFile(image, next);
  });
});

describe('the scripts', () => {
  it('are ASCII with one kind of line end each', async () => {
    const one = CASES['a few tables'];
    if (one === undefined) throw new Error('no case');
    const { scripts } = await make(one, '磁盘\n.qcow2');
    expect(scripts.powerShell.text).toMatch(/^[\r\n\x20-\x7e]*$/);
    expect(scripts.powerShell.text.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
    expect(scripts.posix.text).not.toContain('\r');
    expect(scripts.powerShell.text).toContain(Buffer.from('磁盘\n.qcow2').toString('base64'));
  });

  it('have no mistakes that a shell sees without running them', async () => {
    const one = CASES['a few tables'];
    if (one === undefined) throw new Error('no case');
    const { script } = await make(one);
    for (const shell of SHELLS) expect(run(shell, '-n', script)).toEqual({ status: 0, text: '' });
  });
});
