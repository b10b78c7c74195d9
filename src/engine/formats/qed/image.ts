/** A QED image as a disk. */
import { divideRoundUp, TWO_32 } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import type { CheckOptions, CheckReport } from '../../operations/check-report.ts';
import type { Description } from '../../operations/image-info.ts';
import { readFront } from '../../storage/partial.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import type { ExtentList } from '../extents.ts';
import { fieldValues } from '../field-values.ts';
import type { Disk, DriverRequest, Extent, LayeredDisk } from '../format.ts';
import { L2Cache, readTable, type Table } from '../tables.ts';
import { mapTwoLevels, type L1Entry, type TwoLevels } from '../two-levels.ts';
import { checkQed } from './check.ts';
import { isClusterPlace, isTablePlace, parseQedHeader, type QedHeader } from './header.ts';
import { HEADER, PIECE_BYTES } from './layout.ts';

/** What the L1 table of a disk may take in memory, bytes: more than any needs that is of use. */
const MOST_L1_BYTES = 32 * 1024 * 1024;

export class QedImage implements LayeredDisk {
  readonly format = 'qed';
  readonly storage: Storage;
  readonly header: QedHeader;
  readonly size: number;
  readonly clusterSize: number;
  readonly codec = undefined;
  readonly cipher = undefined;
  readonly contentMissing = undefined;
  readonly backingName: string;
  /** The L1 table as far as the disk goes. */
  readonly l1: Table;
  backing: Disk | undefined;
  withoutBacking = false;
  readonly #levels: TwoLevels;

  constructor(storage: Storage, header: QedHeader, l1: Table, backingName: string) {
    this.storage = storage;
    this.header = header;
    this.size = header.size;
    this.clusterSize = header.clusterSize;
    this.l1 = l1;
    this.backingName = backingName;
    const { clusterSize, tableEntries, tableBytes } = header;
    const pieceBytes = Math.min(PIECE_BYTES, tableBytes);
    const alignment = Math.min(clusterSize, pieceBytes);
    this.#levels = {
      ...{ storage, size: header.size, clusterSize, l2Entries: tableEntries },
      pieceEntries: pieceBytes / 8,
      cache: new L2Cache(storage, pieceBytes, { order: 'little', alignment }),
      l1Entry: (index) => this.#l1Entry(index),
      addEntry: (list, high, low, guest) => {
        this.#addEntry(list, high, low, guest);
      },
    };
  }

  get backingFormat(): string {
    return this.header.hasBacking && this.header.backingIsRaw ? 'raw' : '';
  }

  get tableBytes(): number {
    return this.l1.byteLength;
  }

  get backingMissing(): boolean {
    return this.backingName !== '' && !this.withoutBacking && this.backing === undefined;
  }

  map(offset: number, length: number, most?: number): Promise<Extent[]> {
    return mapTwoLevels(this.#levels, offset, length, most);
  }

  describe(): Description {
    const { clusterSize, needsCheck, fields } = this.header;
    return {
      // The real program forgets the flag as soon as it has opened the image.
      ...{ clusterSize, encrypted: false, dirty: false, specific: undefined },
      facts: needsCheck ? [{ key: 'in-use', value: 'yes' }] : [],
      fields: fieldValues(HEADER, fields),
    };
  }

  check(options: CheckOptions): Promise<CheckReport> {
    return checkQed(this.storage, this.header, options);
  }

  async close(): Promise<void> {
    await this.backing?.close();
    await this.storage.close();
  }

  #l1Entry(index: number): L1Entry {
    const offset = (this.l1[index * 2] ?? 0) * TWO_32 + (this.l1[index * 2 + 1] ?? 0);
    if (offset === 0 || isTablePlace(this.header, offset)) return { offset };
    const isAligned = offset % this.clusterSize === 0;
    return { offset, fault: isAligned ? 'block-outside' : 'l2-unaligned' };
  }

  #addEntry(list: ExtentList, high: number, low: number, guest: number): void {
    const { clusterSize } = this;
    const offset = high * TWO_32 + low;
    if (offset === 0) list.add('unallocated', guest, clusterSize, -1);
    else if (offset === 1) list.add('zero', guest, clusterSize, -1);
    else if (isClusterPlace(this.header, offset)) list.add('data', guest, clusterSize, offset);
    else {
      const isAligned = offset % clusterSize === 0;
      const reason = isAligned ? 'block-outside' : 'data-unaligned';
      list.addInvalid(guest, clusterSize, offset, reason);
    }
  }
}

/**
 * Opens a QED image.
 * @throws ImageError invalid-image, too-large and those of reading
 */
export async function openQed(storage: Storage, { lenient }: DriverRequest): Promise<QedImage> {
  const front = await readFront(storage, HEADER.size);
  if (front.error !== undefined) throw front.error;
  const header = parseQedHeader(front.bytes, storage.size, lenient);
  const { fields, size, l2Coverage, hasBacking } = header;
  const entries = divideRoundUp(size, l2Coverage);
  if (entries * 8 > MOST_L1_BYTES) {
    const what = 'L1 table';
    throw new ImageError('too-large', { what, value: String(entries * 8), limit: MOST_L1_BYTES });
  }
  const l1 = await readTable(storage, fields.l1TableOffset, entries, 'little');
  const name = hasBacking ? await readName(storage, header) : '';
  return new QedImage(storage, header, l1, name);
}

async function readName(storage: Storage, { fields }: QedHeader): Promise<string> {
  const bytes = await readPadded(storage, fields.backingNameOffset, fields.backingNameSize);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
