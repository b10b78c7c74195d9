/**
 * What every stretch of a file is, as far as the map of its disk tells: content lies where the map
 * says, everything else is the format's own.
 */
import { powerOfTwo, SECTOR } from '../binary/units.ts';
import type { Disk, Extent } from '../formats/format.ts';
import {
  cellOf,
  HAS_DAMAGE,
  kindOf,
  type CellKind,
  type FilePlace,
  type PictureRun,
  type Walk,
} from '../formats/picture-kinds.ts';

/** Pieces of content that are known at once; of more, the rest is looked for in further walks. */
const MOST_PIECES = 512 * 1024;
/** Stretches in a batch. */
const AT_ONCE = 16 * 1024;
/** Cells of a file are as fine as this allows, bytes and number; clusters of 2^16 at the coarsest. */
const FINE_CELLS = 1024 * 1024;
const COARSEST_BITS = 16;

/** A stretch of the file. Bytes. */
interface Stretch {
  offset: number;
  length: number;
  cell: number;
  /** Where the guest has it; -1: it does not, or in several places. */
  guest: number;
}

/** Pieces of content of a part of the file, as the map has them: by their place in the disk. */
class Pieces {
  readonly starts: number[] = [];
  readonly lengths: number[] = [];
  readonly guests: number[] = [];
  readonly cells: number[] = [];
  /** Only what begins in here is kept: what is in front is known, what is behind comes later. */
  readonly from: number;
  end = Infinity;
  readonly #most: number;

  constructor(from: number, most: number) {
    this.from = from;
    this.#most = most;
  }

  add(start: number, length: number, guest: number, cell: number): void {
    if (start + length <= this.from || start >= this.end || length <= 0) return;
    const last = this.starts.length - 1;
    const lastLength = this.lengths[last] ?? 0;
    if (
      last >= 0 &&
      this.cells[last] === cell &&
      cell !== PACKED &&
      start === (this.starts[last] ?? 0) + lastLength &&
      guest === (this.guests[last] ?? 0) + lastLength
    ) {
      this.lengths[last] = lastLength + length;
      return;
    }
    this.starts.push(start);
    this.lengths.push(length);
    this.guests.push(guest);
    this.cells.push(cell);
    if (this.starts.length > this.#most) this.#halve();
  }

  /** Keeps the half that lies further in front. */
  #halve(): void {
    const sorted = Float64Array.from(this.starts).sort();
    const middle = sorted[Math.floor(sorted.length / 2)] ?? Infinity;
    // All at one place: nothing would be won.
    if (middle <= this.from || middle === sorted[0]) return this.#drop(this.#most >> 1);
    this.end = middle;
    let kept = 0;
    for (let i = 0; i < this.starts.length; i++) {
      if ((this.starts[i] ?? 0) >= middle) continue;
      this.starts[kept] = this.starts[i] ?? 0;
      this.lengths[kept] = this.lengths[i] ?? 0;
      this.guests[kept] = this.guests[i] ?? 0;
      this.cells[kept] = this.cells[i] ?? 0;
      kept += 1;
    }
    this.#drop(kept);
  }

  #drop(kept: number): void {
    for (const list of [this.starts, this.lengths, this.guests, this.cells]) list.length = kept;
  }

  /** By their place in the file. */
  sorted(): Uint32Array {
    const order = Uint32Array.from(this.starts.keys());
    const isRising = this.starts.every((start, i) => i === 0 || start >= (this.starts[i - 1] ?? 0));
    return isRising
      ? order
      : order.sort((a, b) => (this.starts[a] ?? 0) - (this.starts[b] ?? 0) || a - b);
  }
}

const DATA = cellOf('data');
const PACKED = cellOf('compressed');
const HELD = cellOf('zero-held');
const ZERO = cellOf('zero');
const DAMAGED = cellOf('damaged') | HAS_DAMAGE;

export class MappedFile {
  /** Bytes of the file. */
  readonly size: number;
  /** Of the smallest cell, bytes. */
  readonly clusterSize: number;
  readonly #disk: Disk;
  readonly #most: number;
  /** All stretches of the file, where there are not too many. */
  #known: Stretch[] | undefined;

  /** @param most pieces that are known at once */
  constructor(disk: Disk, most = MOST_PIECES) {
    this.#disk = disk;
    this.#most = most;
    this.size = disk.storage.size;
    let bits = Math.log2(SECTOR);
    while (bits < COARSEST_BITS && this.size / powerOfTwo(bits) > FINE_CELLS) bits++;
    this.clusterSize = powerOfTwo(bits);
  }

  /** Bytes of memory that it holds, or may. */
  get memory(): number {
    return (this.#known?.length ?? 0) * 64;
  }

  forget(): void {
    this.#known = undefined;
  }

  /** The stretches of the file in order, in batches. @throws ImageError cancelled, those of reading */
  async *stretches(walk: Walk, from = 0): AsyncGenerator<readonly Stretch[], undefined> {
    if (this.#known !== undefined) {
      const index = this.#known.findIndex(({ offset, length }) => offset + length > from);
      yield index < 0 ? [] : this.#known.slice(index);
      return undefined;
    }
    const all: Stretch[] = [];
    let isAll = from === 0;
    let at = from;
    while (at < this.size) {
      const pieces = await this.#collect(at, walk);
      const order = pieces.sorted();
      // The first stretch is told from its beginning on; further walks go on where the last ended.
      const first = pieces.starts[order[0] ?? -1] ?? at;
      const begin = at === from ? Math.min(at, first) : at;
      const stretches = new Stretches(this.#disk, begin, Math.min(pieces.end, this.size));
      for (const index of order) {
        stretches.add(pieces, index);
        if (stretches.list.length < AT_ONCE) continue;
        yield* this.#hand(stretches.take(), all, (isAll &&= all.length < this.#most));
        await walk.passed(0);
      }
      stretches.finish();
      at = stretches.end;
      yield* this.#hand(stretches.take(), all, (isAll &&= all.length < this.#most));
    }
    if (isAll) this.#known = all;
    return undefined;
  }

  *#hand(stretches: Stretch[], all: Stretch[], isKept: boolean): Generator<Stretch[], undefined> {
    if (isKept) for (const one of stretches) all.push(one);
    yield stretches;
    return undefined;
  }

  async #collect(from: number, walk: Walk): Promise<Pieces> {
    const disk = this.#disk;
    const pieces = new Pieces(from, this.#most);
    walk.expect(disk.size);
    for (let guest = 0; guest < disk.size;) {
      const batch = await disk.map(guest, disk.size - guest);
      const last = batch.at(-1);
      // A format that answers with nothing would keep us here for ever.
      if (last === undefined) break;
      for (const extent of batch) {
        const cell = contentCell(disk, extent);
        if (cell === undefined || extent.storage !== disk.storage) continue;
        const isPacked = extent.kind === 'compressed';
        const length = isPacked ? extent.hostLength : extent.length;
        const offset = isPacked ? extent.clusterOffset : extent.offset;
        pieces.add(extent.hostOffset, length, offset, cell);
      }
      const reached = last.offset + last.length;
      await walk.passed(reached - guest);
      guest = reached;
    }
    return pieces;
  }

  /** The runs from `offset` (bytes) on, at most so many. */
  async runs(offset: number, most: number, walk: Walk): Promise<PictureRun[]> {
    const runs: PictureRun[] = [];
    for await (const batch of this.stretches(walk, offset)) {
      for (const stretch of batch) {
        const kind = kindOf(stretch.cell);
        const start = Math.max(offset, stretch.offset);
        const end = stretch.offset + stretch.length;
        if (end <= start) continue;
        const other = stretch.guest < 0 ? -1 : stretch.guest + (start - stretch.offset);
        const last = runs.at(-1);
        if (last?.kind === kind) {
          const goesOn = last.other >= 0 && other === last.other + last.length;
          if (!goesOn || kind === 'compressed') last.other = -1;
          last.length = end - last.offset;
        } else if (runs.length >= most) {
          return runs;
        } else {
          runs.push({ offset: start, length: end - start, kind, other });
        }
      }
    }
    return runs;
  }

  /** What lies at an address of the file. */
  async place(offset: number, walk: Walk): Promise<FilePlace> {
    if (this.#known === undefined) {
      // Going through all of it keeps it, unless there is too much of it.
      const all = this.stretches(walk);
      while ((await all.next()).done !== true) await walk.passed(0);
    }
    const found = await this.#stretchAt(offset, walk);
    const place = { offset, length: 1, kind: 'unknown' as CellKind, guest: -1 };
    if (found !== undefined) Object.assign(place, this.#clusterAt(found, offset));
    const { guest, ...rest } = place;
    const use = {
      guestOffset: guest,
      fileOffset: rest.offset,
      snapshot: '',
      entry: undefined,
      node: undefined,
    };
    const uses = guest < 0 ? [] : [use];
    return { ...rest, uses, moreUses: false, refcount: undefined, node: undefined };
  }

  async #stretchAt(offset: number, walk: Walk): Promise<Stretch | undefined> {
    const known = this.#known;
    if (known !== undefined) {
      let low = 0;
      for (let high = known.length; low + 1 < high;) {
        const middle = (low + high) >>> 1;
        if ((known[middle]?.offset ?? Infinity) <= offset) low = middle;
        else high = middle;
      }
      return known[low];
    }
    for await (const batch of this.stretches(walk, offset)) {
      const found = batch.find((one) => offset < one.offset + one.length);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The cluster of the guest that an address is in, or all of a stretch that is none of its. */
  #clusterAt(stretch: Stretch, offset: number) {
    const kind = kindOf(stretch.cell);
    const { offset: start, length, guest } = stretch;
    if (guest < 0 || kind === 'compressed') return { offset: start, length, kind, guest };
    const unit = this.#disk.clusterSize > 0 ? this.#disk.clusterSize : this.clusterSize;
    const at = guest + (offset - start);
    const from = Math.max(guest, Math.floor(at / unit) * unit);
    const to = Math.min(guest + length, (Math.floor(at / unit) + 1) * unit);
    return { offset: start + (from - guest), length: to - from, kind, guest: from };
  }
}

/** What a run of the map is in the file; undefined where it has no place there. */
function contentCell(disk: Disk, { kind, hostOffset, unknown }: Extent): number | undefined {
  if (hostOffset < 0 || unknown === true) return undefined;
  if (kind === 'data') return DATA;
  if (kind === 'compressed') return PACKED;
  if (kind !== 'zero') return undefined;
  return disk.clusterSize > 0 ? HELD : ZERO;
}

/** Puts stretches of a part of the file together: content, and what is between it. */
class Stretches {
  list: Stretch[] = [];
  /** Behind the last stretch. */
  end: number;
  readonly #disk: Disk;
  readonly #limit: number;

  constructor(disk: Disk, from: number, limit: number) {
    this.#disk = disk;
    this.end = from;
    this.#limit = limit;
  }

  /** The next piece: where it overlaps the one before, somebody's content is lost. */
  add({ starts, lengths, guests, cells }: Pieces, index: number): void {
    const start = starts[index] ?? 0;
    const end = Math.min(start + (lengths[index] ?? 0), this.#disk.storage.size);
    const cell = cells[index] ?? DATA;
    const guest = guests[index] ?? -1;
    this.#between(start);
    if (start < this.end && cell !== PACKED) this.#overlap(start, Math.min(end, this.end));
    const from = Math.max(start, this.end);
    if (end <= from) return;
    const isWhole = cell !== PACKED || from === start;
    const at = guest + (cell === PACKED ? 0 : from - start);
    this.#push(from, end, cell, isWhole ? at : guest);
  }

  finish(): void {
    this.#between(this.#limit);
  }

  take(): Stretch[] {
    const { list } = this;
    this.list = [];
    return list;
  }

  #push(from: number, to: number, cell: number, guest: number): void {
    this.list.push({ offset: from, length: to - from, cell, guest });
    this.end = to;
  }

  /** What two places of the guest share is written by both. */
  #overlap(from: number, to: number): void {
    const last = this.list.at(-1);
    if (last === undefined || from >= to || last.cell === DAMAGED || last.cell === PACKED) return;
    this.list.pop();
    const { offset, length, cell, guest } = last;
    const start = Math.max(from, offset);
    if (start > offset) this.#push(offset, start, cell, guest);
    this.#push(start, to, DAMAGED, -1);
    const end = offset + length;
    if (end > to) this.#push(to, end, cell, guest < 0 ? -1 : guest + (to - offset));
  }

  /** What is no content is the format's own: its header at the beginning, tables, what is unused. */
  #between(to: number): void {
    const { format } = this.#disk;
    if (to <= this.end) return;
    if (format === 'luks') return this.#push(this.end, to, cellOf('crypto'), -1);
    const header = this.end === 0 && format !== 'raw' ? Math.min(to, headerSize(this.#disk)) : 0;
    if (header > 0) this.#push(0, header, cellOf('header'), -1);
    if (to > this.end) this.#push(this.end, to, cellOf('metadata'), -1);
  }
}

/** Bytes at the beginning of the file that are its header, whatever comes behind it. */
function headerSize({ format }: Disk): number {
  return format === 'vhdx' ? VHDX_HEADERS : SECTOR;
}

/** [MS-VHDX] «Header Section»: the first MiB. */
const VHDX_HEADERS = 1024 * 1024;
