/**
 * One long table of 32-bit entries, little-endian, as several formats map their blocks with: read
 * and changed a page at a time, with few pages in memory however long it is.
 */
import { isImageError } from '../errors.ts';
import { readPartially } from '../storage/partial.ts';
import { readPadded, type Storage } from '../storage/storage.ts';
import type { ExtentList } from './extents.ts';

/** Entries of a page: 256 KiB. */
const PAGE_ENTRIES = 65536;
/** Pages that are kept, 8 MiB for reading and 32 MiB for changing. */
const PAGES_READ = 32;
const PAGES_CHANGED = 128;

/** A part of the table. */
export interface EntryPage {
  /** Index of its first entry. */
  readonly first: number;
  readonly values: Uint32Array<ArrayBuffer>;
  /** Entries that the medium does not give, from `from` up to `to`, counted from `first`. */
  readonly holes: readonly { readonly from: number; readonly to: number }[];
}

interface KeptPage extends EntryPage {
  /** What has changed, counted from `first`; nothing where `to` is 0. */
  changed: { from: number; to: number };
}

export class EntryTable {
  /** Entries. */
  readonly count: number;
  readonly #storage: Storage;
  readonly #offset: number;
  readonly #fill: number | ((index: number) => number) | undefined;
  /** By number, most recently used last. */
  readonly #pages = new Map<number, KeptPage>();
  /** Pages of a new table that were written: these are not as it began any more. */
  readonly #written = new Set<number>();
  #limit = PAGES_READ;

  /**
   * @param offset of the table, bytes
   * @param fill what the entries of a new table are in the file; without it, they are read
   */
  constructor(
    storage: Storage,
    offset: number,
    count: number,
    fill?: number | ((index: number) => number),
  ) {
    this.#storage = storage;
    this.#offset = offset;
    this.count = count;
    this.#fill = fill;
  }

  /** The page with an entry. What lies behind the end of the file is zeros. */
  async page(index: number): Promise<EntryPage> {
    const number = Math.floor(index / PAGE_ENTRIES);
    const known = this.#pages.get(number);
    if (known !== undefined) {
      if (this.#pages.size >= this.#limit) {
        this.#pages.delete(number);
        this.#pages.set(number, known);
      }
      return known;
    }
    await this.#makeRoom();
    const page = await this.#bring(number);
    this.#pages.set(number, page);
    return page;
  }

  /** As {@link page}. @throws ImageError read-failed where the medium does not give all of it */
  async whole(index: number): Promise<EntryPage> {
    const page = await this.page(index);
    const [hole] = page.holes;
    // Once more, for the reason.
    if (hole !== undefined) {
      const at = this.#offset + (page.first + hole.from) * 4;
      await readPadded(this.#storage, at, (hole.to - hole.from) * 4);
    }
    return page;
  }

  /** The value of an entry. @throws ImageError as {@link whole} */
  async get(index: number): Promise<number> {
    const { first, values } = await this.whole(index);
    return values[index - first] ?? 0;
  }

  /** Gives an entry another value; {@link flush} writes it. */
  async set(index: number, value: number): Promise<void> {
    this.#limit = PAGES_CHANGED;
    const { first, values, changed } = (await this.whole(index)) as KeptPage;
    const at = index - first;
    values[at] = value;
    if (changed.to === 0) changed.from = at;
    changed.from = Math.min(changed.from, at);
    changed.to = Math.max(changed.to, at + 1);
  }

  /** Writes what has changed. */
  async flush(): Promise<void> {
    const changed = [...this.#pages].filter(([, page]) => page.changed.to > 0);
    changed.sort(([a], [b]) => a - b);
    for (const [number, page] of changed) await this.#write(number, page);
  }

  async #makeRoom(): Promise<void> {
    for (const [number, page] of this.#pages) {
      if (this.#pages.size < this.#limit) return;
      if (page.changed.to > 0) await this.#write(number, page);
      this.#pages.delete(number);
    }
  }

  async #bring(number: number): Promise<KeptPage> {
    const first = number * PAGE_ENTRIES;
    const length = Math.min(PAGE_ENTRIES, this.count - first);
    const changed = { from: 0, to: 0 };
    const fill = this.#fill;
    if (fill !== undefined && !this.#written.has(number)) {
      const values = new Uint32Array(length);
      if (typeof fill === 'number') values.fill(fill);
      else for (let i = 0; i < length; i++) values[i] = fill(first + i);
      return { first, values, holes: [], changed };
    }
    const at = this.#offset + first * 4;
    try {
      const bytes = await readPadded(this.#storage, at, length * 4);
      return { first, values: decode(bytes), holes: [], changed };
    } catch (error) {
      if (!isImageError(error, 'read-failed')) throw error;
      const { bytes, holes } = await readPartially(this.#storage, at, length * 4);
      const bad = holes.map((hole) => ({
        from: Math.floor((hole.offset - at) / 4),
        to: Math.ceil((hole.offset - at + hole.length) / 4),
      }));
      return { first, values: decode(bytes), holes: bad, changed };
    }
  }

  async #write(number: number, page: KeptPage): Promise<void> {
    const { from, to } = page.changed;
    const bytes = encodeEntries(page.values.subarray(from, to));
    await this.#storage.write(this.#offset + (page.first + from) * 4, bytes);
    page.changed = { from: 0, to: 0 };
    if (this.#fill !== undefined) this.#written.add(number);
  }
}

function decode(bytes: Uint8Array): Uint32Array<ArrayBuffer> {
  const values = new Uint32Array(bytes.length >>> 2);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < values.length; i++) values[i] = view.getUint32(i * 4, true);
  return values;
}

/** Entries as bytes of a file. */
export function encodeEntries(values: Uint32Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) view.setUint32(i * 4, values[i] as number, true);
  return bytes;
}

/** Pages of one batch: the caller hears from us now and then. */
const PAGES_AT_ONCE = 16;
/** Runs of one batch, unless somebody wants fewer. */
const MOST_RUNS = 65536;

/**
 * Maps guest blocks: calls `add` for each entry from that of `offset` on, until `end` (guest bytes)
 * or until there is enough for a batch.
 * @param blockSize guest bytes of an entry
 */
export async function mapEntries(
  table: EntryTable,
  { blockSize, offset, end, most = MOST_RUNS }: MappedRange,
  list: ExtentList,
  add: (entry: number, guest: number) => void,
): Promise<void> {
  let index = Math.floor(offset / blockSize);
  const stop = Math.min(table.count, Math.ceil(end / blockSize));
  for (let pages = 0; index < stop && pages < PAGES_AT_ONCE && list.length < most; pages++) {
    const { first, values, holes } = await table.page(index);
    const until = Math.min(stop, first + values.length);
    for (; index < until && list.length < most; index++) {
      const at = index - first;
      const guest = index * blockSize;
      const isLost = holes.length > 0 && holes.some(({ from, to }) => at >= from && at < to);
      if (isLost) list.addInvalid(guest, blockSize, -1, 'l2-unreadable');
      else add(values[at] as number, guest);
    }
  }
}

export interface MappedRange {
  readonly blockSize: number;
  readonly offset: number;
  readonly end: number;
  readonly most?: number | undefined;
}
