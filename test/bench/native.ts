import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

const CLI = resolve('dist/cli/qemu-img.mjs');

/**
 * Seconds that a program takes from start to end.
 * @throws Error when it fails: a fast failure must not win
 */
export function timeProgram(command: string, args: string[]): Promise<number> {
  return new Promise((done, fail) => {
    const start = performance.now();
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()));
    child.on('error', fail);
    child.on('close', (code) => {
      if (code === 0) done((performance.now() - start) / 1000);
      else fail(new Error(`${command} ${args.join(' ')} ended with ${code}: ${errors}`));
    });
  });
}

export function timeQemuImg(...args: string[]): Promise<number> {
  return timeProgram('qemu-img', args);
}

/** The same command line with our own program under Node. */
export function timeCli(...args: string[]): Promise<number> {
  return timeProgram(process.execPath, [CLI, ...args]);
}
