/** Files for what is too much for memory and not to be kept. */
import { existsSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Storage } from '../../engine/index.ts';
import { openScratch } from './journal-file.ts';

/** Where large files are better than in /tmp, which often lies in memory. */
const ROOMY = '/var/tmp';
/** Part of the free room that may be used. */
const SHARE = 0.9;

function folder(): string {
  const wanted = process.env['TMPDIR'];
  return wanted === undefined && existsSync(ROOMY) ? ROOMY : tmpdir();
}

/** An empty file without a name, so that nothing is left of it whatever happens. */
export function openTemporary(): Promise<Storage> {
  return openScratch(join(folder(), 'qemu-img'));
}

/** Bytes that may be put into such files. */
export function temporaryRoom(): number {
  try {
    const { bavail, bsize } = statfsSync(folder());
    return Math.floor(bavail * bsize * SHARE);
  } catch {
    return Infinity;
  }
}
