/** What a persistent bitmap marks, as the real qemu-nbd exports it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect } from 'vitest';
import { qemuImg } from './programs.ts';

export interface Marked {
  start: number;
  length: number;
}

/** A dirty granule is exported as one that has no data. Bytes. */
export async function marksOfReal(folder: string, path: string, bitmap: string): Promise<Marked[]> {
  const socket = join(folder, 'socket');
  const server = spawn('qemu-nbd', ['-r', '-f', 'qcow2', '-B', bitmap, '-k', socket, path]);
  try {
    for (let tries = 0; !existsSync(socket) && tries < 200; tries++) await setTimeout(20);
    const node = `driver=nbd,export=,server.type=unix,server.path=${socket}`;
    const context = `x-dirty-bitmap=qemu:dirty-bitmap:${bitmap}`;
    const args = ['map', '--output=json', '--image-opts', `${node},${context}`];
    const { stdout, stderr, exitCode } = await qemuImg(args);
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
    const runs = JSON.parse(stdout) as (Marked & { data: boolean })[];
    const marked = runs.filter(({ data }) => !data).map(({ start, length }) => ({ start, length }));
    return joined(marked);
  } finally {
    await end(server);
    rmSync(socket, { force: true });
  }
}

/** It holds a lock on the image until it is gone. */
async function end(server: ChildProcess): Promise<void> {
  const gone = new Promise((done) => server.once('exit', done));
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill();
  await gone;
}

/** Runs that touch each other, as one. */
function joined(runs: readonly Marked[]): Marked[] {
  const result: Marked[] = [];
  for (const run of runs) {
    const last = result.at(-1);
    if (last !== undefined && last.start + last.length === run.start) last.length += run.length;
    else result.push({ ...run });
  }
  return result;
}
