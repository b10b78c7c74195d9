/** A disk or a file from front to back: what has to be read together, and the zeros between. */
import { ImageError } from '../errors.ts';
import { cutExtent } from '../formats/extents.ts';
import type { Disk } from '../formats/format.ts';
import { mapChain, type ChainExtent } from './chain.ts';

/** Bytes that are read together: a multiple of every cluster size, so that none is read twice. */
const WINDOW = 8 * 1024 * 1024;

/** A stretch that has to be read. Bytes. */
export interface Stretch {
  offset: number;
  length: number;
  /** What is to be read of it; zeros between. Nothing for a file, which is read as it is. */
  extents: ChainExtent[];
}

/** What comes next: something to read, or so many bytes of zeros. */
export type Step = Stretch | { zeros: number };

/** The disk in guest order, from `from` up to `to` (bytes): stretches are cut at windows. */
export async function* stretches(disk: Disk, from = 0, to = disk.size): AsyncGenerator<Step> {
  let current: Stretch = { offset: from, length: 0, extents: [] };
  let mapped = from;
  for await (const batch of mapChain(disk, from, to - from)) {
    mapped = batch.reduce((end, { offset, length }) => Math.max(end, offset + length), mapped);
    for (const part of partsToRead(batch)) {
      const end = part.offset + part.length;
      if (current.extents.length > 0 && windowOf(part.offset) === windowOf(current.offset)) {
        current.extents.push(part);
        current.length = end - current.offset;
        continue;
      }
      yield* withZeros(current, part.offset);
      current = { offset: part.offset, length: part.length, extents: [part] };
    }
  }
  // Nobody said that there are zeros behind.
  if (mapped < to) throw new ImageError('internal', { reason: 'a map that ends early' });
  yield* withZeros(current, to);
}

/** A stretch, if there is anything in it, and the zeros from its end to `next`. */
function* withZeros(stretch: Stretch, next: number): Generator<Step> {
  const end = stretch.offset + stretch.length;
  if (stretch.length > 0) yield stretch;
  if (next > end) yield { zeros: next - end };
}

function* partsToRead(batch: readonly ChainExtent[]): Generator<ChainExtent> {
  for (const extent of batch) {
    if (isEmpty(extent)) continue;
    const end = extent.offset + extent.length;
    for (let at = extent.offset; at < end;) {
      const next = Math.min(end, (windowOf(at) + 1) * WINDOW);
      yield cutExtent(extent, at, next);
      at = next;
    }
  }
}

/** Reads as zeros without a look at the file. */
function isEmpty(extent: ChainExtent): boolean {
  return !extent.unknown && (extent.kind === 'zero' || extent.kind === 'unallocated');
}

function windowOf(offset: number): number {
  return Math.floor(offset / WINDOW);
}

/** A file, from `from` up to `to` (bytes), whatever it holds. */
export function* windows(from: number, to: number): Generator<Stretch> {
  for (let offset = from; offset < to;) {
    const next = Math.min(to, (windowOf(offset) + 1) * WINDOW);
    yield { offset, length: next - offset, extents: [] };
    offset = next;
  }
}
