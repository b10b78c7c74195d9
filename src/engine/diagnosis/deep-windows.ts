/** What an image itself holds, cut into stretches that are read at once. */
import { throwIfCancelled } from '../errors.ts';
import { cutExtent } from '../formats/extents.ts';
import type { ChainExtent } from '../operations/chain.ts';
import { pacer } from '../yield.ts';

/** Bytes that are read together: a multiple of every cluster size of qcow2. */
const WINDOW = 8 * 1024 * 1024;

/** A stretch and what is to be read of it, in guest order. Bytes. */
export interface Window {
  offset: number;
  length: number;
  extents: ChainExtent[];
}

/**
 * The windows of all that is to be read; what only waits for a file or a passphrase is left out.
 * @throws ImageError cancelled
 */
export async function* windowsOf(
  batches: AsyncIterable<readonly ChainExtent[]>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Window, undefined> {
  const pace = pacer(signal);
  let current: Window | undefined;
  for await (const batch of batches) {
    // A disk may be very large and have nothing in it.
    const pause = pace();
    if (pause !== undefined) await pause;
    throwIfCancelled(signal);
    for (const part of partsOf(batch)) {
      if (current !== undefined && windowAt(part.offset) === windowAt(current.offset)) {
        current.extents.push(part);
        current.length = part.offset + part.length - current.offset;
        continue;
      }
      if (current !== undefined) yield current;
      current = { offset: part.offset, length: part.length, extents: [part] };
    }
  }
  if (current !== undefined) yield current;
  return undefined;
}

/** Packed clusters stay whole, as they are unpacked whole. */
function* partsOf(batch: readonly ChainExtent[]): Generator<ChainExtent> {
  for (const extent of batch) {
    if (extent.unknown || extent.kind === 'zero') continue;
    const end = extent.offset + extent.length;
    for (let at = extent.offset; at < end;) {
      const border = (windowAt(at) + 1) * WINDOW;
      const next = extent.kind === 'compressed' ? end : Math.min(end, border);
      yield cutExtent(extent, at, next);
      at = next;
    }
  }
}

function windowAt(offset: number): number {
  return Math.floor(offset / WINDOW);
}

/** Runs without gaps between them, of extents that are in guest order. */
export function runsOf(extents: readonly ChainExtent[]): { offset: number; length: number }[] {
  const runs: { offset: number; length: number }[] = [];
  for (const { offset, length } of extents) {
    const last = runs.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += length;
    else runs.push({ offset, length });
  }
  return runs;
}

/** The parts of extents within runs, both in rising order. */
export function partsWithin(
  extents: readonly ChainExtent[],
  runs: readonly { offset: number; length: number }[],
): ChainExtent[] {
  const parts: ChainExtent[] = [];
  let index = 0;
  for (const run of runs) {
    const end = run.offset + run.length;
    let extent = extents[index];
    while (extent !== undefined && extent.offset < end) {
      const extentEnd = extent.offset + extent.length;
      const from = Math.max(run.offset, extent.offset);
      const to = Math.min(end, extentEnd);
      if (from < to) parts.push(cutExtent(extent, from, to));
      if (extentEnd > end) break;
      index += 1;
      extent = extents[index];
    }
  }
  return parts;
}
