/** Copying a disk into a raw file: the copy pipeline. */
import { InlinePool, type CodecPool } from '../codecs/pool.ts';
import { ImageError, throwIfCancelled } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import type { Storage } from '../storage/storage.ts';
import { mapChain, type ChainExtent } from './chain.ts';
import { inFileOrder, type ReadOrder } from './file-order.ts';
import type { Range } from './finding.ts';
import type { RunOptions } from './operation.ts';
import type { Salvage } from './salvage.ts';
import { recycle, Transfer } from './transfer.ts';
import { yieldToEvents } from './yield.ts';
import { nonZeroRuns } from './zeros.ts';

export interface ConvertOptions extends RunOptions {
  /** Zero runs of at least this many bytes become holes (a multiple of 512); 0: write all data. */
  sparse?: number | undefined;
  /** The part of the disk that is copied; without it, all of it. Bytes, within the disk. */
  part?: Range | undefined;
  /** Where in the target the copy begins, bytes: for several sources behind each other. */
  targetOffset?: number | undefined;
  /** The target may hold something already: zeros must be written, not left out. */
  overwrite?: boolean | undefined;
  /** Takes what cannot be read, down to sectors of 512 bytes; zeros stand for it in the target. */
  salvage?: Salvage | undefined;
  /** In which order the disk is read: `auto` by default. The target is the same. */
  order?: ReadOrder | undefined;
  pool?: CodecPool | undefined;
}

/** What was done. Bytes. */
export interface ConvertReport {
  /** Virtual size of the source, or the length of the part that was asked for. */
  size: number;
  /** Guest bytes that were read and copied; the rest are zeros and were not read, or lost. */
  copied: number;
}

/** What will be done, in numbers. Bytes. */
export interface ConvertPlan {
  size: number;
  /** Guest bytes that the tables say hold data. */
  data: number;
  compressed: number;
  zero: number;
  /**
   * Guest bytes that nobody can tell: they are in a file that is missing, behind a passphrase that
   * was not given, or where the tables are damaged. They are never zeros: a conversion stops there.
   */
  unknown: number;
}

/** qemu-img's default of `-S`. */
export const DEFAULT_SPARSE = 4096;
/** Written at once where zeros must be written out. */
const ZERO_CHUNK = 1024 * 1024;

/** Reads the tables only and says what a conversion would copy. */
export async function planConvert(source: Disk, options: RunOptions = {}): Promise<ConvertPlan> {
  const plan: ConvertPlan = { size: source.size, data: 0, compressed: 0, zero: 0, unknown: 0 };
  for await (const batch of mapChain(source)) {
    for (const extent of batch) {
      if (extent.unknown || extent.kind === 'invalid') plan.unknown += extent.length;
      else if (extent.kind === 'data') plan.data += extent.length;
      else if (extent.kind === 'compressed') plan.compressed += extent.length;
      else plan.zero += extent.length;
    }
    const done = plan.data + plan.compressed + plan.zero + plan.unknown;
    options.progress?.({ stage: 'planning', done, total: source.size });
    await yieldToEvents(options.signal);
    throwIfCancelled(options.signal);
  }
  return plan;
}

/**
 * Writes the guest content of `source` to `target` (an empty file, unless `overwrite`) and gives
 * the target its size. The order of writes is that of the source file, not of the guest.
 * @throws ImageError unreadable-cluster, cancelled and those of reading and writing; the target is
 * then unfinished
 */
export async function convertToRaw(
  source: Disk,
  target: Storage,
  options: ConvertOptions = {},
): Promise<ConvertReport> {
  const own = options.pool === undefined ? new InlinePool() : undefined;
  try {
    return await copy(source, target, { ...options, pool: options.pool ?? own });
  } finally {
    own?.close();
  }
}

async function copy(
  source: Disk,
  target: Storage,
  options: ConvertOptions,
): Promise<ConvertReport> {
  const { sparse = DEFAULT_SPARSE, overwrite = false, salvage, order = 'auto', pool } = options;
  if (pool === undefined) throw new ImageError('internal', { reason: 'no codec pool' });
  const { offset: first, length: size } = options.part ?? { offset: 0, length: source.size };
  /** From an offset of the guest's to one of the target. */
  const shift = (options.targetOffset ?? 0) - first;
  const end = shift + first + size;
  if (target.size < end) await target.resize(end);
  let copied = 0;
  let passed = 0;
  const report = (): void => {
    options.progress?.({ stage: 'copying', done: copied + passed, total: size });
  };
  const keepZeros = overwrite || sparse === 0;
  // Without a promise where nothing is written: there may be a run of zeros for every cluster.
  const passZeros = ({ offset, length }: Range): Promise<void> | undefined => {
    passed += length;
    return keepZeros ? writeZeros(target, shift + offset, length, options) : undefined;
  };
  const transfer = new Transfer(
    keepZeros
      ? (offset, bytes) => target.write(shift + offset, bytes)
      : (offset, bytes) => writeSparse(target, shift + offset, bytes, sparse),
    {
      pool,
      signal: options.signal,
      used: recycle,
      onBytes: (bytes) => {
        copied += bytes;
        report();
      },
      lost:
        salvage &&
        ((loss) => {
          salvage.add(loss);
          return passZeros(loss);
        }),
    },
  );
  for await (const batch of inFileOrder(mapChain(source, first, size), order)) {
    throwIfCancelled(options.signal);
    await transfer.add(batch);
    for (const extent of batch.filter(isZeroExtent)) {
      const pending = passZeros(extent);
      if (pending !== undefined) await pending;
    }
    report();
    await yieldToEvents(options.signal);
  }
  await transfer.end();
  return { size, copied };
}

/** Whether a run reads as zeros; what nobody knows is no zeros. */
function isZeroExtent({ kind, unknown }: ChainExtent): boolean {
  return !unknown && (kind === 'zero' || kind === 'unallocated');
}

async function writeSparse(
  target: Storage,
  offset: number,
  bytes: Uint8Array<ArrayBuffer>,
  grain: number,
): Promise<void> {
  for (const { start, end } of nonZeroRuns(bytes, offset, grain)) {
    await target.write(offset + start, bytes.subarray(start, end));
  }
}

async function writeZeros(
  target: Storage,
  offset: number,
  length: number,
  options: ConvertOptions,
): Promise<void> {
  const zeros = new Uint8Array(Math.min(length, ZERO_CHUNK));
  for (let done = 0; done < length; done += zeros.length) {
    throwIfCancelled(options.signal);
    await target.write(offset + done, zeros.subarray(0, Math.min(zeros.length, length - done)));
    await yieldToEvents(options.signal);
  }
}
