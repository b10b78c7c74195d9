/** What `qemu-img map` has a line for: runs as the guest sees them. */
import { ImageError, isImageError, mapChain, throwIfCancelled } from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import type { ChainExtent } from '../engine/operations/chain.ts';
import { CommandFailure, type Context } from './context.ts';
import { reportCorruption } from './corruption.ts';
import { errorText } from './messages.ts';

/** A part of a disk, bytes. */
export interface Range {
  offset: number;
  length: number;
}

/** A line of the output: a run as the guest sees it. Bytes. */
export interface Entry {
  start: number;
  length: number;
  depth: number;
  /** Some image of the chain says something of it. */
  present: boolean;
  zero: boolean;
  data: boolean;
  /** Offset in the file, or -1 where there is none that leads to the bytes as they are. */
  offset: number;
  file: string;
}

/** Some lines; the last line comes in a batch of its own. */
export interface EntryBatch {
  entries: Entry[];
  isLast: boolean;
}

/**
 * The runs of a range in batches, neighbours that say the same as one.
 * @throws CommandFailure where the tables are damaged, with the runs before already given out
 */
export async function* mapEntries(
  context: Context,
  disk: Disk,
  range: Range,
): AsyncGenerator<EntryBatch> {
  let last: Entry | undefined;
  try {
    for await (const batch of mapChain(disk, range.offset, range.length)) {
      throwIfCancelled(context.signal);
      const done: Entry[] = [];
      for (const extent of batch) {
        if (extent.kind === 'invalid' && extent.disk.isOpaque !== true) {
          // The run before it is lost: it would have been printed when the next began.
          if (done.length > 0) yield { entries: done, isLast: false };
          throw unreadable(extent);
        }
        const entry = toEntry(extent);
        if (last !== undefined && merge(last, entry)) continue;
        if (last !== undefined) done.push(last);
        last = entry;
      }
      if (done.length > 0) yield { entries: done, isLast: false };
    }
  } catch (error) {
    if (!isImageError(error) || error.code === 'cancelled') throw error;
    await reportCorruption(context, disk, error);
    throw new CommandFailure(`Could not read file metadata: ${errorText(error)}`, 1, error);
  }
  if (last !== undefined) yield { entries: [last], isLast: true };
}

function unreadable(extent: ChainExtent): ImageError {
  return new ImageError('unreadable-cluster', {
    guestOffset: extent.offset,
    hostOffset: extent.hostOffset,
    length: extent.length,
    reason: extent.reason ?? 'data-unaligned',
  });
}

function toEntry(extent: ChainExtent): Entry {
  const isOpaque = extent.disk.isOpaque === true;
  const data = isOpaque || extent.kind === 'data' || extent.kind === 'compressed';
  return {
    start: extent.offset,
    length: extent.length,
    depth: extent.depth,
    present: isOpaque || extent.present,
    zero: !data,
    data,
    offset: isPlain(extent) && !isOpaque ? extent.hostOffset : -1,
    file: extent.storage.name,
  };
}

/** Whether the bytes in the file are those of the guest. */
function isPlain({ kind, disk }: ChainExtent): boolean {
  const isEncrypted = disk.cipher !== undefined || disk.contentMissing === 'locked';
  return kind !== 'compressed' && !isEncrypted;
}

function merge(last: Entry, next: Entry): boolean {
  const same =
    last.depth === next.depth &&
    last.present === next.present &&
    last.zero === next.zero &&
    last.data === next.data &&
    (last.offset < 0
      ? next.offset < 0
      : next.offset === last.offset + last.length && next.file === last.file);
  if (same) last.length += next.length;
  return same;
}
