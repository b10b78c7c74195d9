/**
 * The bitmaps before the blocks: which sectors are in this file. Of a differencing disk, the others
 * are the parent's. Specification: «Data Blocks».
 */
import { gather } from '../../storage/gather.ts';
import type { Storage } from '../../storage/storage.ts';
import type { BlockTable } from './table.ts';

/** Bytes of bitmaps that are kept. */
const CACHE_BYTES = 8 * 1024 * 1024;

export type Bitmap = Uint8Array<ArrayBuffer>;

/** Recently used bitmaps by the number of their block, the least recently used one goes first. */
export class Bitmaps {
  readonly #storage: Storage;
  readonly #table: BlockTable;
  readonly #limit: number;
  readonly #kept = new Map<number, Bitmap>();

  constructor(storage: Storage, table: BlockTable) {
    this.#storage = storage;
    this.#table = table;
    this.#limit = Math.max(2, Math.floor(CACHE_BYTES / table.header.bitmapSize));
  }

  /** How many blocks a caller may ask for at once. */
  get batch(): number {
    return Math.max(1, this.#limit >>> 1);
  }

  /** The bitmaps of these blocks, which must be in the file. */
  async load(blocks: readonly number[]): Promise<Map<number, Bitmap>> {
    const { bitmapSize: length } = this.#table.header;
    const found = new Map<number, Bitmap>();
    const missing: { index: number; offset: number; length: number }[] = [];
    for (const index of blocks) {
      const bitmap = this.#kept.get(index);
      if (bitmap === undefined) {
        missing.push({ index, offset: this.#table.blockAt(index), length });
        continue;
      }
      this.#kept.delete(index);
      this.#kept.set(index, bitmap);
      found.set(index, bitmap);
    }
    await gather(this.#storage, missing, ({ index }, bytes) => {
      const bitmap = bytes.slice();
      found.set(index, bitmap);
      this.#kept.set(index, bitmap);
    });
    for (const index of this.#kept.keys()) {
      if (this.#kept.size <= this.#limit) break;
      this.#kept.delete(index);
    }
    return found;
  }

  /** Takes another one for the block, which is in the file now. */
  keep(index: number, bitmap: Bitmap): void {
    this.#kept.set(index, bitmap);
  }
}

/** Whether a sector of the block is in the file; the highest bit of a byte is its first sector. */
export function hasSector(bitmap: Bitmap, sector: number): boolean {
  return ((bitmap[sector >>> 3] ?? 0) & (0x80 >>> (sector & 7))) !== 0;
}

/** Behind the last sector from `from` on, below `to`, of which the same can be said. */
export function endOfRun(bitmap: Bitmap, from: number, to: number): number {
  const present = hasSector(bitmap, from);
  const whole = present ? 0xff : 0;
  let at = from + 1;
  while (at < to) {
    if ((at & 7) === 0 && bitmap[at >>> 3] === whole) at += 8;
    else if (hasSector(bitmap, at) === present) at++;
    else break;
  }
  return Math.min(at, to);
}

/** Notes that these sectors of the block are in the file. Returns whether that was news. */
export function addSectors(bitmap: Bitmap, from: number, to: number): boolean {
  let changed = false;
  for (let at = from; at < to; at++) {
    const byte = bitmap[at >>> 3] ?? 0;
    const bit = 0x80 >>> (at & 7);
    if ((byte & bit) !== 0) continue;
    bitmap[at >>> 3] = byte | bit;
    changed = true;
  }
  return changed;
}
