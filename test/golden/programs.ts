/** The real qemu-img, ours, and the differences between them. */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect } from 'vitest';
import { NodeHost } from '../../src/command/node/host.ts';
import { runCommand } from '../../src/command/run.ts';

/** What a program did. */
export interface Outcome {
  stdout: string;
  stderr: string;
  exitCode: number | string;
}

/** Milliseconds; a damaged image may keep the real program busy for ever. */
const TIMEOUT = 30_000;

function version(program: string): string {
  try {
    return execFileSync(program, ['--version'], { encoding: 'utf8', stdio: 'pipe' });
  } catch {
    return '';
  }
}

const QEMU_IMG = process.env['QEMU_IMG'] ?? 'qemu-img';
const QEMU_IO = process.env['QEMU_IO'] ?? 'qemu-io';
const VERSION = version(QEMU_IMG);

/** Whether there is a real qemu-img to compare with. Its texts differ from one release to another. */
export const available =
  VERSION.startsWith('qemu-img version 7.2') && version(QEMU_IO).startsWith('qemu-io version 7.2');

if (!available) {
  const found = VERSION === '' ? 'none' : (VERSION.split('\n')[0] ?? '');
  process.stderr.write(
    `\n*** GOLDEN TESTS SKIPPED: they need qemu-img and qemu-io 7.2 (found: ${found}) ***\n\n`,
  );
}

function start(program: string, args: readonly string[], cwd?: string): Promise<Outcome> {
  return new Promise((done) => {
    const options = {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
      timeout: TIMEOUT,
      ...(cwd === undefined ? {} : { cwd }),
    };
    execFile(program, args, options as { encoding: 'utf8' }, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : (error.signal ?? error.code ?? 'unknown');
      done({ stdout, stderr, exitCode });
    });
  });
}

/** Runs the real program. */
export function qemuImg(args: readonly string[], cwd?: string): Promise<Outcome> {
  return start(QEMU_IMG, args, cwd);
}

/** Runs the real program that reads and writes as a guest does. It succeeds whatever fails. */
export function qemuIo(args: readonly string[], cwd?: string): Promise<Outcome> {
  return start(QEMU_IO, args, cwd);
}

/** Runs Node. */
export function runNode(args: readonly string[], cwd?: string): Promise<Outcome> {
  return start(process.execPath, args, cwd);
}

/** Runs our program as it is delivered. */
export function builtQemuImg(args: readonly string[], cwd?: string): Promise<Outcome> {
  return runNode([resolve('dist/cli/qemu-img.mjs'), ...args], cwd);
}

/** Runs a program that makes what a test needs. @throws when it fails */
export async function make(program: 'qemu-img' | 'qemu-io', args: readonly string[]) {
  const path = program === 'qemu-img' ? QEMU_IMG : QEMU_IO;
  const { exitCode, stdout, stderr } = await start(path, args);
  // qemu-io reports a failed command on its output and exits with success.
  const failed = exitCode !== 0 || / failed: /.test(stdout);
  if (failed) throw new Error(`${program} ${args.join(' ')}: ${stdout}${stderr}`);
}

/**
 * Makes an encrypted image with the real qemu-img. Deriving keys fails at random where the clock of
 * the processor is coarse.
 * @throws when it fails for another reason
 */
export async function makeEncrypted(args: readonly string[]): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const { exitCode, stderr } = await qemuImg(args);
    if (exitCode === 0) return;
    const isClock = stderr.includes('CPU usage');
    if (!isClock || attempt === 50) throw new Error(`qemu-img ${args.join(' ')}: ${stderr}`);
  }
}

/** Runs our program in this process. */
export async function ours(args: readonly string[]): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  const host = new NodeHost(
    (text) => (stdout += text),
    (text) => (stderr += text),
  );
  const exitCode = await runCommand([...args], host);
  return { stdout, stderr, exitCode };
}

/** Runs both and demands the same text on both streams and the same exit code. */
export async function expectSame(args: readonly string[]): Promise<Outcome> {
  const [real, own] = await Promise.all([qemuImg(args), ours(args)]);
  expect(own, `qemu-img ${args.join(' ')}`).toEqual(real);
  return real;
}

/** As {@link expectSame}, one after the other: for commands that write to one file. */
export async function expectSameInTurn(args: readonly string[]): Promise<Outcome> {
  const real = await qemuImg(args);
  expect(await ours(args), `qemu-img ${args.join(' ')}`).toEqual(real);
  return real;
}

/** The hash of a whole file. */
export async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest('hex');
}
