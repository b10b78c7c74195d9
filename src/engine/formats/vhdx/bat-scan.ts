/** Looking through all entries of the table, as QEMU does when it opens or checks an image. */
import { alignUp, SECTOR } from '../../binary/units.ts';
import { throwIfCancelled } from '../../errors.ts';
import { pacer } from '../../yield.ts';
import { ReadWindow } from '../../storage/window.ts';
import type { Storage } from '../../storage/storage.ts';
import { decodeTable } from '../tables.ts';
import type { BatLayout } from './bat.ts';
import { entryOffset, entryState, PAYLOAD } from './layout.ts';
import type { Metadata } from './metadata.ts';
import { overlapText, type Place } from './regions.ts';

/** Entries that are looked at at once. */
const ENTRIES_AT_ONCE = 32 * 1024;
const TWO_63 = 2 ** 63;

/** An entry that is wrong. */
export interface BlockFault {
  readonly entry: number;
  /** Where it points to, bytes. */
  readonly offset: number;
  readonly kind: 'outside' | 'overlap';
  /** qemu-img's line, without its name. */
  readonly message: string;
}

/** What an entry says, for those who look at all of them. */
export type EntryVisitor = (entry: number, state: number, offset: number) => boolean;

/**
 * Goes through all entries that the file has, in order, until `visit` says that it is enough.
 * @throws ImageError cancelled and those of reading
 */
export async function visitEntries(
  storage: Storage,
  layout: BatLayout,
  visit: EntryVisitor,
  signal?: AbortSignal,
): Promise<void> {
  const window = new ReadWindow(storage, layout.offset);
  const breathe = pacer(signal);
  const there = Math.ceil(Math.max(0, storage.size - layout.offset) / 8);
  const count = Math.min(layout.count, there);
  for (let first = 0; first < count; first += ENTRIES_AT_ONCE) {
    throwIfCancelled(signal);
    const length = Math.min(ENTRIES_AT_ONCE, count - first);
    const words = decodeTable(await window.read(first * 8, length * 8), 'little');
    for (let index = 0; index < length; index++) {
      const high = words[index * 2] as number;
      const low = words[index * 2 + 1] as number;
      if (low === 0 && high === 0) continue;
      if (!visit(first + index, entryState(low), entryOffset(high, low))) return;
    }
    const pause = breathe();
    if (pause !== undefined) await pause;
  }
}

/** The image as far as its blocks are judged. */
export interface Scanned {
  readonly view: Storage;
  readonly layout: BatLayout;
  readonly metadata: Metadata;
  readonly places: readonly Place[];
}

/** Finds the faults of entries, as QEMU words and counts them. */
export class EntryJudge {
  readonly #image: Scanned;
  readonly #places: PlaceIndex;
  /** QEMU looks at regions but for each entry after so many. */
  #untilSkip: number;

  constructor(image: Scanned) {
    this.#image = image;
    this.#places = new PlaceIndex(image.places);
    this.#untilSkip = image.layout.ratio;
  }

  *faults(entry: number, state: number, offset: number): Generator<BlockFault> {
    if (state !== PAYLOAD.fullyPresent) return;
    const { view, layout, metadata } = this.#image;
    const { blockSize } = metadata;
    const fileSize = alignUp(view.size, SECTOR);
    const left = metadata.size - entry * blockSize;
    const length = left < 0 ? blockSize : Math.min(blockSize, left);
    const name = `VHDX BAT entry ${entry}`;
    const truncated = `points after end of file (${fileSize}). Image has probably been truncated.`;
    const fault = (kind: BlockFault['kind'], message: string): BlockFault => ({
      ...{ entry, offset, kind, message },
    });
    if (offset >= TWO_63 - blockSize) yield fault('outside', `${name} offset overflow.`);
    if (offset >= fileSize) {
      yield fault('outside', `${name} start offset ${exact(offset)} ${truncated}`);
    } else if (offset + length > fileSize) {
      yield fault('outside', `${name} end offset ${exact(offset + length - 1)} ${truncated}`);
    }
    if (this.#untilSkip === 0) {
      this.#untilSkip = layout.ratio;
      return;
    }
    this.#untilSkip--;
    const hit = this.#places.overlapped(offset, offset + blockSize);
    if (hit === undefined) return;
    const [start, end] = [BigInt(offset), BigInt.asUintN(64, BigInt(offset) + BigInt(blockSize))];
    yield fault('overlap', overlapText({ start, end }, hit));
  }
}

function exact(value: number): string {
  return String(BigInt(value));
}

/** Places that do not touch one another, to be asked for often. */
export class PlaceIndex {
  /** In the order of the file's tables, whose last one is named first. */
  readonly #places: readonly { start: number; end: number; place: Place }[];
  readonly #sorted: readonly { start: number; end: number }[];

  constructor(places: readonly Place[]) {
    this.#places = places
      .filter(({ start, end }) => start < end)
      .map((place) => ({ start: Number(place.start), end: Number(place.end), place }))
      .reverse();
    this.#sorted = [...this.#places].sort((a, b) => a.start - b.start);
  }

  /** The place that a range lies over (bytes): of several the last of the tables. */
  overlapped(start: number, end: number): Place | undefined {
    if (!this.hits(start, end)) return undefined;
    return this.#places.find((place) => start < place.end && end > place.start)?.place;
  }

  /** Whether a range lies over any of them. */
  hits(start: number, end: number): boolean {
    // The first one that ends behind the start decides: they do not touch one another.
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle]?.end ?? 0) <= start) low = middle + 1;
      else high = middle;
    }
    const next = this.#sorted[low];
    return next !== undefined && next.start < end;
  }
}
