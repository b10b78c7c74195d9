/** Writing what the images above a backing image hold into that backing image. */
import { InlinePool, type CodecPool } from '../codecs/pool.ts';
import { throwIfCancelled } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import { cutExtent } from '../formats/extents.ts';
import { readPadded, type Storage } from '../storage/storage.ts';
import { mapChain, type ChainExtent } from './chain.ts';
import type { RunOptions } from './operation.ts';
import { readExtents } from './read.ts';
import { pacer, yieldToEvents } from './yield.ts';
import { isZero } from './zeros.ts';

export interface CommitOptions extends RunOptions {
  pool?: CodecPool | undefined;
}

/** Guest bytes. */
export interface CommitReport {
  copied: number;
  zeroed: number;
}

/** What is written into. Guest offsets in bytes, multiples of 512. */
export interface CommitTarget {
  write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  zero(offset: number, length: number): Promise<void>;
}

/** Guest bytes that are read and written at once. */
const COPY_BYTES = 4 * 1024 * 1024;

/**
 * Copies everything that the images above number `depth` of the chain decide into `target`, which
 * stands for that image and is at least as long as the disk.
 * @throws ImageError unreadable-cluster, cancelled and those of reading and writing
 */
export async function commitContent(
  disk: Disk,
  depth: number,
  target: CommitTarget,
  options: CommitOptions = {},
): Promise<CommitReport> {
  const own = options.pool === undefined ? new InlinePool() : undefined;
  const pool = options.pool ?? own ?? new InlinePool();
  const { signal, progress } = options;
  const report: CommitReport = { copied: 0, zeroed: 0 };
  let writing: Promise<void> = Promise.resolve();
  try {
    for await (const run of runsAbove(disk, depth)) {
      throwIfCancelled(signal);
      const [first] = run;
      const last = run.at(-1);
      if (first === undefined || last === undefined) continue;
      const { offset } = first;
      const length = last.offset + last.length - offset;
      if (isData(first)) {
        // The next run is read while this one is written.
        const bytes = await readExtents(run, offset, length, { pool, signal });
        await writing;
        writing = target.write(offset, bytes);
        writing.catch(() => undefined);
        report.copied += length;
      } else {
        await writing;
        writing = Promise.resolve();
        await target.zero(offset, length);
        report.zeroed += length;
      }
      progress?.({ stage: 'copying', done: offset + length, total: disk.size });
      await yieldToEvents(signal);
    }
    await writing;
    return report;
  } finally {
    await writing.catch(() => undefined);
    own?.close();
  }
}

/**
 * What a commit into number `depth` of the chain would copy, and what would become zeros, by the
 * tables alone: exact. Guest bytes.
 * @throws ImageError cancelled and those of reading
 */
export async function planCommit(
  disk: Disk,
  depth: number,
  { signal, progress }: RunOptions = {},
): Promise<{ data: number; zeros: number }> {
  const sums = { data: 0, zeros: 0 };
  const pace = pacer(signal);
  for await (const batch of mapChain(disk)) {
    const pause = pace();
    if (pause !== undefined) await pause;
    throwIfCancelled(signal);
    for (const extent of batch) {
      if (extent.depth >= depth) continue;
      if (isData(extent)) sums.data += extent.length;
      else sums.zeros += extent.length;
    }
    const last = batch.at(-1);
    if (last === undefined) continue;
    progress?.({ stage: 'planning', done: last.offset + last.length, total: disk.size });
  }
  return sums;
}

/** What the images above `depth` decide, in runs of one kind and of bounded length. */
async function* runsAbove(disk: Disk, depth: number): AsyncGenerator<ChainExtent[]> {
  let run: ChainExtent[] = [];
  let bytes = 0;
  let end = -1;
  for await (const batch of mapChain(disk)) {
    for (const extent of batch) {
      // Zeros behind the end of a short backing image are decided by the image above it.
      if (extent.depth >= depth) continue;
      const limit = isData(extent) ? COPY_BYTES : Infinity;
      for (let at = extent.offset; at < extent.offset + extent.length;) {
        const follows = at === end && run[0] !== undefined && isData(run[0]) === isData(extent);
        if (!follows || bytes >= limit) {
          if (run.length > 0) yield run;
          run = [];
          bytes = 0;
        }
        const to = Math.min(extent.offset + extent.length, at + limit - bytes);
        run.push(cutExtent(extent, at, to));
        bytes += to - at;
        at = to;
        end = to;
      }
    }
  }
  if (run.length > 0) yield run;
}

function isData({ kind, unknown }: ChainExtent): boolean {
  return unknown || (kind !== 'zero' && kind !== 'unallocated');
}

/**
 * The raw disk in `storage` as a target: zeros are written only where there is something else, so
 * that holes stay holes.
 */
export function rawTarget(storage: Storage): CommitTarget {
  return {
    write: (offset, bytes) => storage.write(offset, bytes),
    zero: async (offset, length) => {
      for (let done = 0; done < length; done += COPY_BYTES) {
        const at = offset + done;
        const bytes = await readPadded(storage, at, Math.min(COPY_BYTES, length - done));
        if (!isZero(bytes)) await storage.write(at, bytes.fill(0));
      }
    },
  };
}
