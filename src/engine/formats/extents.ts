/** Building lists of extents: neighbours that belong together become one. */
import type { UnreadableReason } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { Extent, ExtentKind } from './format.ts';

/** Collects runs in guest order. */
export class ExtentList {
  readonly extents: Extent[] = [];
  readonly #storage: Storage;
  #last: Extent | undefined;

  /** @param storage the file that the runs lie in */
  constructor(storage: Storage) {
    this.#storage = storage;
  }

  get length(): number {
    return this.extents.length;
  }

  /** Adds a run; `hostOffset` -1 where it has no place in the file. Bytes. */
  add(kind: ExtentKind, offset: number, length: number, hostOffset: number): void {
    const last = this.#last;
    if (last !== undefined && last.kind === kind && follows(last, hostOffset)) {
      last.length += length;
      return;
    }
    const storage = this.#storage;
    this.#push({ kind, offset, length, storage, hostOffset, hostLength: 0, clusterOffset: offset });
  }

  /** Adds one compressed cluster; these never merge. */
  addCompressed(offset: number, length: number, hostOffset: number, hostLength: number): void {
    this.#push({
      kind: 'compressed',
      offset,
      length,
      storage: this.#storage,
      hostOffset,
      hostLength,
      clusterOffset: offset,
    });
  }

  /** Adds a run that cannot be read; `hostOffset` is what the damaged entry says. */
  addInvalid(offset: number, length: number, hostOffset: number, reason: UnreadableReason): void {
    this.#push({
      kind: 'invalid',
      offset,
      length,
      storage: this.#storage,
      hostOffset,
      hostLength: 0,
      clusterOffset: offset,
      reason,
    });
  }

  #push(extent: Extent): void {
    this.extents.push(extent);
    this.#last = extent;
  }
}

function follows(last: Extent, hostOffset: number): boolean {
  if (last.kind === 'compressed' || last.kind === 'invalid') return false;
  if (last.hostOffset < 0) return hostOffset < 0;
  return hostOffset === last.hostOffset + last.length;
}

/** The part of an extent from `offset` to `end` (guest bytes within it); all of it is no copy. */
export function cutExtent<E extends Extent>(extent: E, offset: number, end: number): E {
  if (offset === extent.offset && end === endOf(extent)) return extent;
  const part = { ...extent };
  cutHead(part, offset);
  part.length = end - offset;
  return part;
}

function cutHead(extent: Extent, offset: number): void {
  const cut = offset - extent.offset;
  extent.offset = offset;
  extent.length -= cut;
  // A compressed cluster is read whole whatever is asked of it; a damaged entry says what it says.
  if (extent.kind === 'compressed') return;
  if (extent.hostOffset >= 0 && extent.kind !== 'invalid') extent.hostOffset += cut;
  extent.clusterOffset = offset;
}

/** Cuts a list to the range asked for (bytes): what lies outside goes, the ends are shortened. */
export function clip(extents: Extent[], offset: number, end: number): Extent[] {
  // A cluster with subclusters brings several runs, of which some may lie outside altogether.
  let before = 0;
  while (before < extents.length && endOf(extents[before]) <= offset) before++;
  if (before > 0) extents.splice(0, before);
  const first = extents[0];
  if (first !== undefined && first.offset < offset) cutHead(first, offset);
  let last = extents.at(-1);
  for (; last !== undefined && last.offset >= end; last = extents.at(-1)) extents.pop();
  if (last !== undefined && last.offset + last.length > end) last.length = end - last.offset;
  return extents;
}

function endOf(extent: Extent | undefined): number {
  return extent === undefined ? Infinity : extent.offset + extent.length;
}
