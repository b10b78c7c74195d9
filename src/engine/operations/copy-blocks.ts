/** Copying a part of a disk into a new image block by block, as `dd` does: zeros, too. */
import { alignUp, SECTOR } from '../binary/units.ts';
import { throwIfCancelled } from '../errors.ts';
import type { CodecPool } from '../codecs/pool.ts';
import type { Disk, DiskWriter } from '../formats/format.ts';
import { createQcow2 } from '../formats/qcow2/edit/create.ts';
import type { Storage } from '../storage/storage.ts';
import type { Range } from './finding.ts';
import type { RunOptions } from './operation.ts';
import { readDisk } from './read.ts';
import { yieldToEvents } from './yield.ts';

export interface CopyBlocksOptions extends RunOptions {
  /** Bytes that are written at once: they decide where clusters go. */
  blockSize: number;
  pool?: CodecPool | undefined;
}

/** Guest bytes that are read at once. */
const WINDOW = 8 * 1024 * 1024;
/** And written at once. */
const PIECE = 2 * 1024 * 1024;

/**
 * Makes a qcow2 image in `target` (an empty file) with a part of a disk, all of it data.
 * @throws ImageError as convertToQcow2 does
 */
export async function copyBlocksToQcow2(
  source: Disk,
  part: Range,
  target: Storage,
  { blockSize, pool, signal, progress }: CopyBlocksOptions,
): Promise<void> {
  const writer = await createQcow2(target, alignUp(part.length, SECTOR));
  const { clusterSize } = writer;
  // Blocks that fill clusters take one cluster after the other, however many they are.
  const step = clusterSize % blockSize === 0 ? clusterSize : blockSize;
  let window = { start: 0, bytes: new Uint8Array(0) };
  for (let at = 0; at < part.length; at += step) {
    throwIfCancelled(signal);
    const places = await writer.place(at, Math.min(step, part.length - at));
    for (const { guestOffset, hostOffset, length } of places) {
      for (let done = 0; done < length; done += PIECE) {
        const start = guestOffset + done;
        const end = Math.min(start + PIECE, guestOffset + length);
        if (start < window.start || end > window.start + window.bytes.length) {
          const most = Math.min(WINDOW, part.length - start);
          const bytes = await readDisk(source, part.offset + start, most, { pool, signal });
          window = { start, bytes };
          progress?.({ stage: 'copying', done: start, total: part.length });
          await yieldToEvents(signal);
        }
        const bytes = window.bytes.subarray(start - window.start, end - window.start);
        await target.write(hostOffset + done, bytes);
      }
    }
  }
  await writer.flush();
}

/**
 * The same into a new image of another format.
 * @throws ImageError as {@link copyBlocksToQcow2}; the image is unfinished then
 */
export async function copyBlocks(
  source: Disk,
  part: Range,
  writer: DiskWriter,
  { pool, signal, progress }: Omit<CopyBlocksOptions, 'blockSize'>,
): Promise<void> {
  for (let at = 0; at < part.length; at += PIECE) {
    throwIfCancelled(signal);
    const length = Math.min(PIECE, part.length - at);
    const bytes = await readDisk(source, part.offset + at, length, { pool, signal });
    // Behind the end of what is copied, the last sector holds zeros.
    const isWhole = length % SECTOR === 0;
    const sectors = isWhole ? bytes : new Uint8Array(alignUp(length, SECTOR));
    if (!isWhole) sectors.set(bytes);
    await writer.write(at, sectors);
    progress?.({ stage: 'copying', done: at + length, total: part.length });
    await yieldToEvents(signal);
  }
  await writer.flush();
}
