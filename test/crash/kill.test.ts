/** The program itself, killed at random moments while it changes real files. */
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { available, ours, qemuImg } from '../golden/programs.ts';
import { pattern } from '../storage/conformance.ts';
import { generator } from './medium.ts';

const PROGRAM = resolve('dist/cli/qemu-img.mjs');
const MIB = 2 ** 20;
const KILLS = process.env['CRASH'] === 'all' ? 200 : 9;

const folder = mkdtempSync(join(tmpdir(), 'kill-'));
const pristine = join(folder, 'pristine');
const work = join(folder, 'work');
afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function run(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await ours(args);
  if (exitCode !== 0) throw new Error(`${args.join(' ')}: ${exitCode} ${stdout}${stderr}`);
  return stdout;
}

/** A disk with something in every fourth cluster. */
function disk(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size);
  const part = pattern(16384, seed);
  for (let at = 0; at < size; at += 65536) part.forEach((byte, i) => (bytes[at + i] = byte));
  return bytes;
}

beforeAll(async () => {
  mkdirSync(pristine);
  const file = (name: string) => join(pristine, name);
  for (const [name, size, seed] of [
    ['base', 24 * MIB, 1],
    ['other', 24 * MIB, 2],
    ['disk', 24 * MIB, 3],
  ] as const) {
    writeFileSync(file('raw'), disk(size, seed));
    const from = ['-f', 'raw', '-O', 'qcow2', '-o', 'cluster_size=16k'];
    await run('convert', ...from, file('raw'), file(name));
  }
  rmSync(file('raw'));
  await run('snapshot', '-c', 'one', file('disk'));
  const over = ['-f', 'qcow2', '-o', 'cluster_size=16k', '-b', 'base', '-F', 'qcow2'];
  await run('create', '-q', ...over, file('top'));
}, 120_000);

interface Killed {
  args: string[];
  /** The file that changes. */
  file: string;
}

const COMMANDS: readonly Killed[] = [
  { args: ['snapshot', '-c', 'two', 'disk'], file: 'disk' },
  { args: ['snapshot', '-d', 'one', 'disk'], file: 'disk' },
  { args: ['rebase', '-f', 'qcow2', '-b', 'other', '-F', 'qcow2', 'top'], file: 'top' },
  { args: ['rebase', '-f', 'qcow2', '-b', '', 'top'], file: 'top' },
];

function refresh(): void {
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work);
  for (const name of readdirSync(pristine)) copyFileSync(join(pristine, name), join(work, name));
}

/** Content of the active layer and of the snapshots. */
async function contentOf(name: string): Promise<string> {
  const path = join(work, name);
  const list = await run('snapshot', '-l', path);
  const names = list
    .split('\n')
    .slice(2)
    .flatMap((line) => line.split(/\s+/)[1] ?? []);
  const sums = [await run('checksum', '-q', path)];
  for (const one of names) sums.push(`${one} ${await run('checksum', '-q', '-l', one, path)}`);
  return sums.map((sum) => sum.replace(path, '')).join();
}

/** Starts the program; kills it after `delay` ms, or that long after its journal appears. */
function start(args: string[], journal: string | undefined, delay: number): Promise<boolean> {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], { cwd: work, stdio: 'ignore' });
    const kill = () => setTimeout(() => child.kill('SIGKILL'), delay);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      if (journal !== undefined && !existsSync(journal)) timer = setTimeout(look, 0);
      else timer = kill();
    };
    look();
    child.on('error', failed);
    child.on('exit', (_, signal) => {
      clearTimeout(timer);
      done(signal === 'SIGKILL');
    });
  });
}

describe('killed', () => {
  const outcomes = { before: 0, dropped: 0, finished: 0, through: 0 };

  for (const [index, { args, file }] of COMMANDS.entries()) {
    it(`qemu-img ${args.join(' ')}`, { timeout: 600_000 }, async () => {
      const random = generator(index + 100);
      refresh();
      const old = await contentOf(file);
      const began = performance.now();
      await start(args, undefined, 100_000);
      const duration = performance.now() - began;
      const next = await contentOf(file);
      const path = join(work, file);
      for (let turn = 0; turn < KILLS; turn++) {
        refresh();
        const hasJournal = turn % 3 !== 0;
        const delay = hasJournal ? random() ** 2 * 60 : duration * (0.3 + 0.8 * random());
        const killed = await start(args, hasJournal ? `${path}.journal` : undefined, delay);
        const left = existsSync(`${path}.journal`);
        const { exitCode, stdout, stderr } = await ours(['check', path]);
        const where = `turn ${turn}, ${Math.round(delay)} ms: ${stdout}${stderr}`;
        expect([0, 3], where).toContain(exitCode);
        expect(existsSync(`${path}.journal`), where).toBe(false);
        const content = await contentOf(file);
        expect([old, next], where).toContain(content);
        if (!killed) expect(content, where).toBe(next);
        if (left) expect(stderr, where).toContain('was interrupted');
        else expect(stderr, where).not.toContain('interrupted');
        if (available) expect([0, 3]).toContain((await qemuImg(['check', path])).exitCode);
        if (stderr.includes('finished now')) outcomes.finished++;
        else if (left) outcomes.dropped++;
        else outcomes[killed ? 'before' : 'through']++;
        expect(readdirSync(work).filter((name) => name.includes('scratch'))).toEqual([]);
      }
    });
  }

  it('was so in the middle of it, too', () => {
    const text = JSON.stringify(outcomes);
    expect(outcomes.dropped + outcomes.finished, text).toBeGreaterThan(4);
  });
});
