/**
 * What every cluster of a qcow2 file is, who uses it, and which runs that makes. The walk over all
 * tables is made once and leaves what later questions are answered from.
 */
import { divideRoundUp } from '../../binary/units.ts';
import { kindOf, KIND_MASK, type FilePlace, type PictureRun, type Walk } from '../picture-kinds.ts';
import type { Qcow2Image } from './image.ts';
import { NO_INDEX, OWNER } from './picture-claims.ts';
import { placeOf } from './picture-place.ts';
import { collectTables } from './picture-tables.ts';
import { walkWindow, type Tables, type Window } from './picture-window.ts';
import { readRefcountTable } from './refcounts.ts';

/** Files of up to so many clusters are looked at as a whole: 1 TiB at 64 KiB. 128 MiB of memory. */
const WHOLE = 16 * 1024 * 1024;
/** Clusters of a part of what is larger: it is gone through as often as it has parts. */
const PART = 2 * WHOLE;

export class Qcow2Picture {
  readonly image: Qcow2Image;
  /** Bytes of the file. */
  readonly size: number;
  readonly clusterSize: number;
  readonly #clusters: number;
  readonly #part: number;
  #tables: Tables | undefined;
  /** The part that was looked at last. */
  #window: Window | undefined;

  constructor(image: Qcow2Image) {
    this.image = image;
    this.size = image.storage.size;
    this.clusterSize = image.clusterSize;
    this.#clusters = divideRoundUp(this.size, this.clusterSize);
    this.#part = this.#clusters <= WHOLE ? this.#clusters : PART;
  }

  /** Bytes of memory that it holds, or will. */
  get memory(): number {
    return 8 * Math.min(this.#part, this.#clusters);
  }

  /** Lets go of what was found out: the next question takes a walk of its own. */
  forget(): void {
    this.#tables = undefined;
    this.#window = undefined;
  }

  /**
   * The cells of all clusters in order, in large pieces.
   * @throws ImageError too-large, cancelled and those of reading
   */
  async *cells(walk: Walk): AsyncGenerator<Uint8Array, undefined> {
    for (let first = 0; first < this.#clusters; first += this.#part) {
      yield (await this.#windowAt(first, walk)).cells;
    }
    return undefined;
  }

  /** The runs from `offset` (bytes) on, at most so many. @throws as {@link cells} */
  async runs(offset: number, most: number, walk: Walk): Promise<PictureRun[]> {
    const runs: PictureRun[] = [];
    if (offset >= this.size) return runs;
    let cluster = Math.floor(offset / this.clusterSize);
    while (cluster < this.#clusters) {
      const window = await this.#windowAt(cluster, walk);
      const { first, length } = window.claims;
      for (let at = cluster - first; at < length;) {
        const end = endOfRun(window.cells, at);
        const last = runs.at(-1);
        const kind = kindOf(window.cells[at] as number);
        const start = Math.max(offset, (first + at) * this.clusterSize);
        const until = Math.min(this.size, (first + end) * this.clusterSize);
        if (last?.kind === kind) {
          last.length = until - last.offset;
          last.other = -1;
        } else if (runs.length >= most) {
          return runs;
        } else {
          const place = this.#guestOf(window, at, end);
          const other = place < 0 ? -1 : place + (start - (first + at) * this.clusterSize);
          runs.push({ offset: start, length: until - start, kind, other });
        }
        at = end;
      }
      cluster = first + length;
    }
    return runs;
  }

  /**
   * What lies at an address of the file, and who uses it.
   * @throws as {@link cells}
   */
  async place(offset: number, walk: Walk): Promise<FilePlace> {
    const window = await this.#windowAt(Math.floor(offset / this.clusterSize), walk);
    return placeOf(await this.#known(walk), window, offset, walk);
  }

  /** Where the guest has a run of clusters of the window; -1: nowhere, or in many places. */
  #guestOf({ claims, cells }: Window, from: number, to: number): number {
    const { users, owners, counts } = claims;
    const kind = kindOf(cells[from] as number);
    const isContent = kind === 'data' || kind === 'zero-held' || kind === 'compressed';
    if (users === undefined || !isContent) return -1;
    const user = users[from] as number;
    if (user === NO_INDEX || user + (to - from) > NO_INDEX) return -1;
    for (let at = from; at < to; at++) {
      // What snapshots share lies at the same place in the guest, mostly; packed ones share.
      if (users[at] !== user + (at - from)) return -1;
      if (owners[at] === OWNER.packed && counts[at] !== 1) return -1;
    }
    return user * this.clusterSize;
  }

  async #known(walk: Walk): Promise<Tables> {
    const { image } = this;
    this.#tables ??= {
      image,
      list: await collectTables(image, walk),
      refcounts: await readRefcountTable(image.storage, image.header),
    };
    return this.#tables;
  }

  async #windowAt(cluster: number, walk: Walk): Promise<Window> {
    const first = Math.floor(cluster / this.#part) * this.#part;
    if (this.#window?.claims.first === first) return this.#window;
    const tables = await this.#known(walk);
    const length = Math.min(this.#part, this.#clusters - first);
    // Two of them would be too much.
    this.#window = undefined;
    const keepsFirst = this.#clusters <= WHOLE;
    const window = await walkWindow(tables, { first, length, keepsFirst }, walk);
    this.#window = window;
    return window;
  }
}

function endOfRun(cells: Uint8Array, from: number): number {
  const kind = (cells[from] as number) & KIND_MASK;
  let end = from + 1;
  while (end < cells.length && ((cells[end] as number) & KIND_MASK) === kind) end++;
  return end;
}
