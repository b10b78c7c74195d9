import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { available, builtQemuImg, hashOf, make, qemuImg, runNode } from './programs.ts';

const PROGRAM = resolve('dist/cli/qemu-img.mjs');
const built = existsSync(PROGRAM);
let folder = '';

beforeAll(async () => {
  if (!available || !built) return;
  folder = mkdtempSync(join(tmpdir(), 'program-'));
  const path = join(folder, 'a.qcow2');
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', path, '64M']);
  await make('qemu-io', ['-c', 'write -P 1 0 8M', '-c', 'write -P 2 32M 8M', path]);
});

afterAll(() => {
  if (folder !== '') rmSync(folder, { recursive: true });
});

if (!built) process.stderr.write('\n*** TESTS OF THE BUILT PROGRAM SKIPPED: no dist/cli ***\n\n');

describe.skipIf(!available || !built)('the program as it is delivered', () => {
  it.each([
    [['info', 'a.qcow2']],
    [['info', '--output=json', 'a.qcow2']],
    [['check', 'a.qcow2']],
    [['map', '--output=json', 'a.qcow2']],
    [['compare', 'a.qcow2', 'a.qcow2']],
    [['info', 'nothing']],
    [['what']],
    [[]],
  ])('%j', async (args) => {
    const [real, own] = await Promise.all([qemuImg(args, folder), builtQemuImg(args, folder)]);
    expect(own).toEqual(real);
  });

  it('copies out', async () => {
    await qemuImg(['convert', '-O', 'raw', 'a.qcow2', 'real.raw'], folder);
    const own = await builtQemuImg(['convert', '-p', '-O', 'raw', 'a.qcow2', 'own.raw'], folder);
    expect(own.exitCode).toBe(0);
    expect(own.stdout).toMatch(/^ {4}\(0\.00\/100%\)\r[^\n]* {4}\(100\.00\/100%\)\r\n$/);
    expect(await hashOf(join(folder, 'own.raw'))).toBe(await hashOf(join(folder, 'real.raw')));
  });

  it('packs and unpacks in threads where it is worth it', async () => {
    const pack = (target: string) => ['convert', '-c', '-O', 'qcow2', 'a.qcow2', target];
    await qemuImg(pack('real-packed.qcow2'), folder);
    const packed = await builtQemuImg(pack('packed.qcow2'), folder);
    expect(packed).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    const hash = await hashOf(join(folder, 'real-packed.qcow2'));
    expect(await hashOf(join(folder, 'packed.qcow2'))).toBe(hash);
    const own = await builtQemuImg(['convert', '-O', 'raw', 'packed.qcow2', 'out.raw'], folder);
    expect(own).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    const same = await qemuImg(['compare', '-f', 'raw', 'out.raw', 'a.qcow2'], folder);
    expect(same.exitCode).toBe(0);
  });

  it('starts quickly', async () => {
    // Against a start of Node that does nothing: others may keep this machine busy.
    let nothing = Infinity;
    let info = Infinity;
    for (let run = 0; run < 7; run++) {
      const start = performance.now();
      await runNode(['-e', '0'], folder);
      const middle = performance.now();
      await builtQemuImg(['info', 'a.qcow2'], folder);
      nothing = Math.min(nothing, middle - start);
      info = Math.min(info, performance.now() - middle);
    }
    // A megabyte of program, all of it read by Node at every start: 110 to 130 ms on two cores.
    expect(info - nothing).toBeLessThan(200);
  });

  it('is stopped by SIGINT and leaves with what a shell expects', async () => {
    const target = join(folder, 'stopped.raw');
    const child = spawn(
      process.execPath,
      [PROGRAM, ...['convert', '-p', '-S', '0']].concat([join(folder, 'a.qcow2'), target]),
    );
    const exit = new Promise<number | null>((done) => child.on('exit', done));
    child.stdout.once('data', () => child.kill('SIGINT'));
    expect(await exit).toBe(130);
  });

  it('does not mind a reader that has seen enough', async () => {
    const child = spawn(process.execPath, [PROGRAM, 'map', '--output=json', 'a.qcow2'], {
      cwd: folder,
    });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    await new Promise((done) => child.on('exit', done));
    expect(stderr).toBe('');
  });
});
