/** A disk as a raw file within a gzip-compressed tar archive: what Google Cloud imports. */
import { sparseTarHeader, tarEnd, tarPadding, type SparseRun } from '../containers/tar-writer.ts';
import { ImageError, throwIfCancelled } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import type { CodecPool } from '../codecs/pool.ts';
import type { Storage } from '../storage/storage.ts';
import { mapChain } from './chain.ts';
import type { RunOptions } from './operation.ts';
import { readDisk } from './read.ts';
import { yieldToEvents } from './yield.ts';

export interface GzipDiskOptions extends RunOptions {
  pool?: CodecPool | undefined;
  /** Seconds since 1970: the file's time in the archive. */
  time?: number | undefined;
}

/** Gaps that are shorter are written as zeros: a short list of runs, and zeros pack well. */
const GAP = 1024 * 1024;
/** Runs that a header may list: some MiB of it. */
const RUNS_MOST = 200_000;
/** Guest bytes that are read at once. */
const PIECE = 4 * 1024 * 1024;

/**
 * Writes `disk.raw`, a sparse member in GNU's old format, into `target` (an empty file).
 * @param size of the raw file, bytes: behind the disk's end are zeros
 * @returns guest bytes that were copied
 * @throws ImageError unreadable-cluster, too-large, cancelled and those of reading and writing
 */
export async function writeRawTarGz(
  disk: Disk,
  target: Storage,
  size: number,
  { pool, signal, progress, time = 0 }: GzipDiskOptions = {},
): Promise<number> {
  const runs = await dataRuns(disk, signal);
  const total = runs.reduce((sum, { length }) => sum + length, 0);
  const packer = new GzipWriter(target);
  try {
    await packer.write(sparseTarHeader({ name: 'disk.raw', size: total, time }, runs, size));
    let done = 0;
    for (const run of runs) {
      for (let at = 0; at < run.length; at += PIECE) {
        throwIfCancelled(signal);
        const length = Math.min(PIECE, run.length - at);
        await packer.write(await readDisk(disk, run.offset + at, length, { pool, signal }));
        done += length;
        progress?.({ stage: 'copying', done, total });
        await yieldToEvents(signal);
      }
    }
    await packer.write(new Uint8Array(tarPadding(total)));
    await packer.write(tarEnd());
    await packer.end();
    return total;
  } catch (error) {
    await packer.abort();
    throw error;
  }
}

/** Where a disk has data, whole sectors, with short gaps filled. */
async function dataRuns(disk: Disk, signal: AbortSignal | undefined): Promise<SparseRun[]> {
  const runs: { offset: number; length: number }[] = [];
  for await (const batch of mapChain(disk)) {
    throwIfCancelled(signal);
    for (const { kind, unknown, offset, length } of batch) {
      if (!unknown && (kind === 'zero' || kind === 'unallocated')) continue;
      const last = runs.at(-1);
      if (last !== undefined && offset - (last.offset + last.length) <= GAP) {
        last.length = offset + length - last.offset;
      } else runs.push({ offset, length });
    }
    if (runs.length > RUNS_MOST) {
      const value = String(runs.length);
      throw new ImageError('too-large', { what: 'runs of data', value, limit: RUNS_MOST });
    }
    await yieldToEvents(signal);
  }
  return runs;
}

/** Packs what it is given with the platform's own gzip, and writes it one behind the other. */
class GzipWriter {
  readonly #writer: WritableStreamDefaultWriter<BufferSource>;
  readonly #written: Promise<void>;

  constructor(target: Storage) {
    const stream = new CompressionStream('gzip');
    this.#writer = stream.writable.getWriter();
    this.#written = drain(stream.readable, target);
    // Whoever waits for it comes later; until then a failure is nobody's.
    this.#written.catch(() => undefined);
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    // What cannot be written to the medium must not leave the packing waiting for room.
    await Promise.race([this.#failure(), this.#push(bytes)]);
  }

  async end(): Promise<void> {
    await this.#writer.close();
    await this.#written;
  }

  async abort(): Promise<void> {
    await this.#writer.abort().catch(() => undefined);
    await this.#written.catch(() => undefined);
  }

  async #push(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#writer.ready;
    await this.#writer.write(bytes);
  }

  async #failure(): Promise<never> {
    await this.#written;
    throw new ImageError('internal', { reason: 'the packing ended before its time' });
  }
}

async function drain(readable: ReadableStream<Uint8Array>, target: Storage): Promise<void> {
  const reader = readable.getReader();
  let at = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      await target.write(at, value);
      at += value.length;
    }
  } catch (error) {
    await reader.cancel(error).catch(() => undefined);
    throw error;
  }
}
