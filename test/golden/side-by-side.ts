/** Two copies of a folder, in which both programs change the same image, and what comes of it. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { make, ours, qemuImg, type Outcome } from './programs.ts';

let folder = '';
const before = process.cwd();

/** Goes into a new folder. */
export function enterFolder(name: string): void {
  folder = mkdtempSync(join(tmpdir(), `${name}-`));
  process.chdir(folder);
}

/** Leaves and removes it. */
export function leaveFolder(): void {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
  folder = '';
}

/** Copies files into the folders `real` and `own`. */
export function fork(...names: readonly string[]): void {
  for (const side of ['real', 'own']) {
    mkdirSync(side, { recursive: true });
    for (const name of names) {
      if (existsSync(name)) copyFileSync(name, join(side, name));
    }
  }
}

/** Each program in its folder; they say the same. */
export async function both(args: readonly string[]): Promise<Outcome> {
  const real = await qemuImg(args, 'real');
  expect(await inOwn(args), args.join(' ')).toEqual(real);
  return real;
}

/** Our program in its folder. */
export async function inOwn(args: readonly string[]): Promise<Outcome> {
  process.chdir('own');
  try {
    return await ours(args);
  } finally {
    process.chdir('..');
  }
}

interface Info {
  /** Bytes of the file. Only the real program can make holes in it. */
  size: number;
  clusterSize: number;
  rest: Record<string, unknown>;
}

/** What the real program says of an image. */
async function describeImage(side: string, format: string[], name: string): Promise<Info> {
  const { stdout } = await qemuImg(['info', '--output=json', ...format, name], side);
  const rest = JSON.parse(stdout) as Record<string, unknown>;
  delete rest['actual-size'];
  const { size } = statSync(join(side, name));
  return { size, clusterSize: Number(rest['cluster-size'] ?? 0), rest };
}

/**
 * Both results are whole, hold the same, are described the same, and ours is not longer, but for a few
 * clusters.
 */
export async function expectSameImage(
  name: string,
  { isRaw = false, isCompared = true, isAsLong = true } = {},
): Promise<void> {
  const format = ['-f', isRaw ? 'raw' : 'qcow2'];
  if (!isRaw) {
    const { exitCode, stdout, stderr } = await qemuImg(['check', name], 'own');
    expect(exitCode, stdout + stderr).toBe(0);
  }
  if (isCompared) {
    const args = ['compare', ...format, '-F', format[1] ?? ''];
    const compared = await qemuImg([...args, join('real', name), join('own', name)]);
    expect(compared.stdout, compared.stderr).toBe('Images are identical.\n');
  }
  const real = await describeImage('real', format, name);
  const own = await describeImage('own', format, name);
  expect(own.rest).toEqual(real.rest);
  if (!isAsLong) return;
  const difference = own.size - real.size;
  expect(difference).toBeLessThanOrEqual(Math.max(192 * 1024, 4 * real.clusterSize));
}

/** Writes with the real qemu-io. */
export function writeTo(name: string, commands: readonly string[], format = 'qcow2') {
  return make('qemu-io', ['-f', format, ...commands.flatMap((one) => ['-c', one]), name]);
}
