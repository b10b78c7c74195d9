/** A growing image of Bochs: a catalog of extents, each with a bitmap of its sectors. */
import { divideRoundUp, SECTOR } from '../../binary/units.ts';
import type { Description } from '../../operations/image-info.ts';
import { gather } from '../../storage/gather.ts';
import type { Storage } from '../../storage/storage.ts';
import { clip, ExtentList } from '../extents.ts';
import { fieldValues } from '../field-values.ts';
import type { Extent } from '../format.ts';
import { UNALLOCATED, type HEADER_1, type HEADER_2 } from './layout.ts';
import { StandAloneDisk } from '../stand-alone.ts';

/** What the file says of itself, checked. */
interface BochsParts {
  readonly table: typeof HEADER_1 | typeof HEADER_2;
  readonly fields: ReturnType<typeof HEADER_1.read>;
  /** Of the disk, whole sectors, bytes. */
  readonly size: number;
  /** The catalog as it is in the file. */
  readonly entries: Uint8Array<ArrayBuffer>;
}

/** Bytes of bitmaps that are read at once at most; no bitmap is longer than 2 KiB. */
const BITMAPS = 2 ** 20;
const RUNS = 4096;

export class BochsDisk extends StandAloneDisk {
  readonly format = 'bochs';
  readonly isOpaque = true;
  readonly storage: Storage;
  readonly size: number;
  /** The unit of allocation within an extent. */
  readonly clusterSize = SECTOR;
  readonly #parts: BochsParts;
  readonly #catalog: DataView;
  /** Bytes of one extent's bitmap in the file, and of that and its sectors. */
  readonly #bitmapBytes: number;
  readonly #stride: number;

  constructor(storage: Storage, parts: BochsParts) {
    super();
    this.storage = storage;
    this.size = parts.size;
    this.#parts = parts;
    this.#catalog = new DataView(parts.entries.buffer, parts.entries.byteOffset);
    const { bitmap, extent } = parts.fields;
    // None at all would be one of 2^32 bytes with the real program, too.
    this.#bitmapBytes = (1 + Math.floor(((bitmap - 1) >>> 0) / SECTOR)) * SECTOR;
    this.#stride = this.#bitmapBytes + extent;
  }

  async map(offset: number, length: number, most = RUNS): Promise<Extent[]> {
    const { extent } = this.#parts.fields;
    const end = Math.min(offset + length, this.size);
    const first = Math.floor(offset / extent);
    const many = Math.max(1, Math.floor(BITMAPS / this.#usedBitmap));
    const last = Math.min(divideRoundUp(end, extent), first + Math.min(many, most));
    const bitmaps = await this.#readBitmaps(first, last);
    const list = new ExtentList(this.storage);
    for (let index = first; index < last; index++) {
      const place = this.#placeOf(index);
      const bitmap = bitmaps.get(index);
      if (place < 0) list.add('zero', index * extent, extent, -1);
      else if (bitmap === undefined) {
        list.addInvalid(index * extent, extent, place, 'block-outside');
      } else this.#addSectors(list, index * extent, place + this.#bitmapBytes, bitmap);
      if (list.length >= most) break;
    }
    return clip(list.extents, offset, end);
  }

  /** Bytes of a bitmap that mean something. */
  get #usedBitmap(): number {
    return divideRoundUp(this.#parts.fields.extent / SECTOR, 8);
  }

  /** Where the bitmap of an extent is, bytes; -1 where the extent was never written. */
  #placeOf(index: number): number {
    const entry = this.#catalog.getUint32(index * 4, true);
    if (entry === UNALLOCATED) return -1;
    const { header, catalog } = this.#parts.fields;
    return header + catalog * 4 + entry * this.#stride;
  }

  /** The bitmaps of extents, those that are in the file. */
  async #readBitmaps(first: number, last: number): Promise<Map<number, Uint8Array>> {
    const pieces: { offset: number; length: number; index: number }[] = [];
    const length = this.#usedBitmap;
    for (let index = first; index < last; index++) {
      const offset = this.#placeOf(index);
      if (offset < 0 || offset + length > this.storage.size) continue;
      pieces.push({ offset, length, index });
    }
    pieces.sort((a, b) => a.offset - b.offset);
    const bitmaps = new Map<number, Uint8Array>();
    await gather(this.storage, pieces, ({ index }, bytes) => {
      bitmaps.set(index, bytes.slice());
    });
    return bitmaps;
  }

  /** @param host where the sectors of the extent are, bytes */
  #addSectors(list: ExtentList, guest: number, host: number, bitmap: Uint8Array): void {
    const sectors = this.#parts.fields.extent / SECTOR;
    for (let sector = 0; sector < sectors; sector++) {
      const at = sector * SECTOR;
      const isWritten = (((bitmap[sector >>> 3] as number) >>> (sector & 7)) & 1) === 1;
      if (!isWritten) list.add('zero', guest + at, SECTOR, -1);
      else if (host + at < this.storage.size) list.add('data', guest + at, SECTOR, host + at);
      else list.addInvalid(guest + at, SECTOR, host + at, 'block-outside');
    }
  }

  describe(): Description {
    const { table, fields } = this.#parts;
    const { version, extent } = fields;
    return {
      // qemu-img says nothing of it.
      ...{ clusterSize: undefined, encrypted: false, dirty: undefined, specific: undefined },
      facts: [
        { key: 'subformat', value: 'growing' },
        { key: 'format-version', value: `${version >>> 16}` },
        { key: 'block-size', value: extent },
      ],
      fields: fieldValues(table, fields),
    };
  }
}
