/** A compressed loop image: blocks of one size, each a zlib stream. */
import type { Values } from '../../binary/struct.ts';
import { divideRoundUp } from '../../binary/units.ts';
import type { CheckOptions, CheckReport } from '../../operations/check-report.ts';
import type { Description } from '../../operations/image-info.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { checkPacked } from '../content-check.ts';
import { clip, ExtentList } from '../extents.ts';
import { fieldValues } from '../field-values.ts';
import type { Extent } from '../format.ts';
import { HEADER, MAX_PACKED, OFFSET_BYTES, OFFSETS_AT } from './layout.ts';
import { StandAloneDisk } from '../stand-alone.ts';

/** Offsets that are read at once: 32 KiB. */
const PAGE = 4096;

export class CloopDisk extends StandAloneDisk {
  readonly format = 'cloop';
  readonly isOpaque = true;
  readonly checkIsOurs = true;
  readonly storage: Storage;
  readonly size: number;
  readonly clusterSize: number;
  override readonly codec = 'zlib-stream';
  readonly #fields: Values<typeof HEADER>;
  #page: { first: number; offsets: Float64Array } | undefined;

  constructor(storage: Storage, fields: Values<typeof HEADER>) {
    super();
    this.storage = storage;
    this.#fields = fields;
    this.clusterSize = fields.blockSize;
    this.size = fields.blocks * fields.blockSize;
  }

  async map(offset: number, length: number, most = PAGE): Promise<Extent[]> {
    const { clusterSize: blockSize } = this;
    const end = Math.min(offset + length, this.size);
    const list = new ExtentList(this.storage);
    let block = Math.floor(offset / blockSize);
    const last = divideRoundUp(end, blockSize);
    const { first, offsets } = await this.#load(block);
    for (; block < last && list.length < most; block++) {
      const [start, next] = offsets.subarray(block - first, block - first + 2);
      if (start === undefined || next === undefined) break;
      const guest = block * blockSize;
      if (start >= this.storage.size) {
        list.addInvalid(guest, blockSize, start, 'block-outside');
      } else if (next <= start || next - start > MAX_PACKED) {
        list.addInvalid(guest, blockSize, start, 'compressed-short');
      } else list.addCompressed(guest, blockSize, start, next - start);
    }
    return clip(list.extents, offset, end);
  }

  /** A page of offsets that has the one of a block and the next. */
  async #load(block: number): Promise<{ first: number; offsets: Float64Array }> {
    const page = this.#page;
    if (page !== undefined && block >= page.first && block < page.first + page.offsets.length - 1) {
      return page;
    }
    const count = Math.min(PAGE, this.#fields.blocks - block) + 1;
    const at = OFFSETS_AT + block * OFFSET_BYTES;
    const bytes = await readPadded(this.storage, at, count * OFFSET_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const offsets = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      offsets[i] = view.getUint32(i * 8) * 2 ** 32 + view.getUint32(i * 8 + 4);
    }
    this.#page = { first: block, offsets };
    return this.#page;
  }

  /** Unpacks every block: each has a checksum of its own. */
  check(options: CheckOptions): Promise<CheckReport> {
    return checkPacked(this, options);
  }

  describe(): Description {
    const { clusterSize } = this;
    return {
      // qemu-img says nothing of it.
      ...{ clusterSize: undefined, encrypted: false, dirty: undefined, specific: undefined },
      facts: [
        { key: 'format-version', value: '2.0' },
        { key: 'compression', value: 'zlib' },
        { key: 'block-size', value: clusterSize },
      ],
      fields: fieldValues(HEADER, this.#fields),
    };
  }
}
