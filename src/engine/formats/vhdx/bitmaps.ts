/** Which sectors of a block are here and which are with the parent. [MS-VHDX] section 2.4. */
import { readPadded, type Storage } from '../../storage/storage.ts';
import type { Metadata } from './metadata.ts';

/** Bitmaps are read in pages, so that neighbouring blocks need one request. Bytes. */
const PAGE_BYTES = 64 * 1024;
const PAGES_KEPT = 64;

/** Sectors that follow one another and are all here, or all with the parent. Bytes. */
export interface PresentRun {
  readonly isPresent: boolean;
  /** From the start of the block. */
  readonly start: number;
  readonly length: number;
}

export class BitmapReader {
  readonly #storage: Storage;
  /** Of the bits of a block. */
  readonly #length: number;
  /** By their place, the most recently used last. */
  readonly #pages = new Map<number, Uint8Array>();

  constructor(storage: Storage, { blockSize, sectorSize }: Metadata) {
    this.#storage = storage;
    this.#length = blockSize / sectorSize / 8;
  }

  /**
   * The bits of a block; what lies behind the end of the file is zeros.
   * @param at of the bitmap block in the file, bytes
   * @param index of the block in its chunk
   */
  async load(at: number, index: number): Promise<Uint8Array> {
    const first = index * this.#length;
    const start = first - (first % PAGE_BYTES);
    const key = at + start;
    const page = this.#pages.get(key) ?? (await readPadded(this.#storage, key, PAGE_BYTES));
    this.#pages.delete(key);
    this.#pages.set(key, page);
    for (const old of this.#pages.keys()) {
      if (this.#pages.size <= PAGES_KEPT) break;
      this.#pages.delete(old);
    }
    return page.subarray(first - start, first - start + this.#length);
  }
}

/**
 * The runs of a part of a block.
 * @param bits of the whole block, its first sector the lowest bit of the first byte
 * @param from bytes, as `to`: where in a sector they are does not matter
 */
export function* presentRuns(
  bits: Uint8Array,
  from: number,
  to: number,
  sectorSize: number,
): Generator<PresentRun> {
  const last = Math.ceil(to / sectorSize);
  for (let sector = Math.floor(from / sectorSize); sector < last;) {
    const isPresent = bitAt(bits, sector);
    const end = Math.min(last, endOfRun(bits, sector, isPresent));
    const start = Math.max(from, sector * sectorSize);
    yield { isPresent, start, length: Math.min(to, end * sectorSize) - start };
    sector = end;
  }
}

function bitAt(bits: Uint8Array, sector: number): boolean {
  return (((bits[sector >>> 3] ?? 0) >>> (sector & 7)) & 1) === 1;
}

/** The first sector from there on that is not as it is there. */
function endOfRun(bits: Uint8Array, sector: number, isPresent: boolean): number {
  const whole = isPresent ? 0xff : 0;
  const count = bits.length * 8;
  let at = sector;
  while (at < count) {
    if ((at & 7) === 0 && bits[at >>> 3] === whole) at += 8;
    else if (bitAt(bits, at) === isPresent) at++;
    else break;
  }
  return at;
}
