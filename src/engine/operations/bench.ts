/** Reading and writing for the sake of how long it takes. */
import { InlinePool, type CodecPool } from '../codecs/pool.ts';
import { ImageError, throwIfCancelled } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import { mapChain } from './chain.ts';
import type { Range } from './finding.ts';
import { Lanes, Transfer, type TransferOptions } from './transfer.ts';
import { yieldToEvents } from './yield.ts';

export interface BenchOptions {
  /** How many reads. */
  count: number;
  /** How many of them are under way at once. */
  depth: number;
  /** Bytes of one read. */
  size: number;
  /** Where the first begins, bytes. */
  offset: number;
  /** From the beginning of one to that of the next, bytes; behind the end it goes on in front. */
  step: number;
  pool?: CodecPool | undefined;
  signal?: AbortSignal | undefined;
}

/** Where writes go. Offsets and lengths are whatever was asked for, within the disk. */
export interface BenchTarget {
  readonly size: number;
  write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  flush(): Promise<void>;
}

export interface BenchWriteOptions extends BenchOptions {
  /** What is written. */
  pattern: number;
  /** Flushes after so many writes; 0: never. */
  flushInterval: number;
}

/** Bytes under way at once, at most: very long reads wait for each other. */
const BYTES_AT_ONCE = 256 * 1024 * 1024;
/** Events are let in after so many reads. */
const READS_AT_ONCE = 256;

/**
 * Reads as told and keeps nothing of it.
 * @returns seconds
 * @throws ImageError read-failed for a read that begins or ends outside of the disk; those of
 * reading
 */
export async function benchReads(disk: Disk, options: BenchOptions): Promise<number> {
  const { count, depth, size, step, signal } = options;
  const own = options.pool === undefined ? new InlinePool() : undefined;
  const pool = options.pool ?? own ?? new InlinePool();
  const lanes = new Lanes(Math.min(depth, Math.max(1, Math.floor(BYTES_AT_ONCE / size))));
  const started = performance.now();
  let { offset } = options;
  try {
    for (let index = 0; index < count; index++) {
      throwIfCancelled(signal);
      const at = offset;
      await lanes.add(() => readOnce(disk, { offset: at, length: size }, { pool, signal }));
      offset = disk.size === 0 ? 0 : (offset + step) % disk.size;
      if (index % READS_AT_ONCE === READS_AT_ONCE - 1) await yieldToEvents();
    }
    await lanes.end();
  } finally {
    // Nothing may be under way when the image is closed.
    await lanes.end().catch(() => undefined);
    own?.close();
  }
  return (performance.now() - started) / 1000;
}

/**
 * Writes as told, one after the other: whoever keeps tables of what is where can do one at a time.
 * @returns seconds
 * @throws ImageError write-failed for a write that begins or ends outside of the disk; those of
 * writing
 */
export async function benchWrites(
  target: BenchTarget,
  options: BenchWriteOptions,
): Promise<number> {
  const { count, size, step, signal, pattern, flushInterval } = options;
  const bytes = new Uint8Array(size).fill(pattern);
  const started = performance.now();
  let { offset } = options;
  for (let index = 0; index < count; index++) {
    throwIfCancelled(signal);
    if (offset + size > target.size) {
      const where = { name: '', offset, length: size };
      throw new ImageError('write-failed', { ...where, reason: 'Input/output error' });
    }
    await target.write(offset, bytes);
    if (flushInterval > 0 && (index + 1) % flushInterval === 0) await target.flush();
    offset = target.size === 0 ? 0 : (offset + step) % target.size;
    if (index % READS_AT_ONCE === READS_AT_ONCE - 1) await yieldToEvents();
  }
  return (performance.now() - started) / 1000;
}

async function readOnce(
  disk: Disk,
  { offset, length }: Range,
  options: TransferOptions,
): Promise<void> {
  if (offset + length > disk.size) {
    const { name } = disk.storage;
    throw new ImageError('read-failed', { name, offset, length, reason: 'Input/output error' });
  }
  const transfer = new Transfer(() => undefined, options);
  for await (const batch of mapChain(disk, offset, length)) await transfer.add(batch);
  await transfer.end();
}
