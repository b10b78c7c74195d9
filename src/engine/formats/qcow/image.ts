/** A qcow image of version 1 as a disk. */
import { isAligned, SECTOR, TWO_32 } from '../../binary/units.ts';
import type { Cipher } from '../../codecs/cipher.ts';
import { ImageError } from '../../errors.ts';
import type { Description } from '../../operations/image-info.ts';
import { readFront } from '../../storage/partial.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { askPassphrase, counting, legacyCipher } from '../content-cipher.ts';
import type { ExtentList } from '../extents.ts';
import { fieldValues } from '../field-values.ts';
import type { Disk, DriverRequest, Extent, LayeredDisk } from '../format.ts';
import { L2Cache, readTable, type Table } from '../tables.ts';
import { mapTwoLevels, type L1Entry, type TwoLevels } from '../two-levels.ts';
import { parseQcowHeader, type QcowHeader } from './header.ts';
import {
  COMPRESSED_HIGH,
  HEADER,
  packedLayout,
  packedLength,
  packedOffset,
  type PackedLayout,
} from './layout.ts';

/** QEMU reads nothing from here on, bytes. */
const MAX_OFFSET = 2 ** 63 - 2 ** 30;

export class QcowImage implements LayeredDisk {
  readonly format = 'qcow';
  readonly storage: Storage;
  readonly header: QcowHeader;
  readonly size: number;
  readonly clusterSize: number;
  readonly codec = 'zlib';
  readonly backingName: string;
  readonly backingFormat = '';
  readonly l1: Table;
  backing: Disk | undefined;
  withoutBacking = false;
  cipher: Cipher | undefined;
  readonly #levels: TwoLevels;
  readonly #packed: PackedLayout;

  constructor(storage: Storage, header: QcowHeader, l1: Table, backingName: string) {
    this.storage = storage;
    this.header = header;
    this.size = header.size;
    this.clusterSize = header.clusterSize;
    this.l1 = l1;
    this.backingName = backingName;
    this.#packed = packedLayout(header.fields.clusterBits);
    const { clusterSize, l2Entries } = header;
    this.#levels = {
      ...{ storage, size: header.size, clusterSize, l2Entries, pieceEntries: l2Entries },
      // Tables may be anywhere.
      cache: new L2Cache(storage, l2Entries * 8, { alignment: 1 }),
      l1Entry: (index) => this.#l1Entry(index),
      addEntry: (list, high, low, guest) => {
        this.#addEntry(list, high, low, guest);
      },
    };
  }

  get tableBytes(): number {
    return this.l1.byteLength;
  }

  get backingMissing(): boolean {
    return this.backingName !== '' && !this.withoutBacking && this.backing === undefined;
  }

  get contentMissing(): 'locked' | undefined {
    return this.header.encrypted && this.cipher === undefined ? 'locked' : undefined;
  }

  get luksInfo(): undefined {
    return undefined;
  }

  get unlockSeconds(): number {
    return 0;
  }

  get encryption(): 'none' | 'aes' {
    return this.header.encrypted ? 'aes' : 'none';
  }

  map(offset: number, length: number, most?: number): Promise<Extent[]> {
    return mapTwoLevels(this.#levels, offset, length, most);
  }

  describe(): Description {
    const { clusterSize, encrypted, fields } = this.header;
    return {
      ...{ clusterSize, encrypted, dirty: false, specific: undefined },
      facts: [],
      fields: fieldValues(HEADER, fields),
    };
  }

  async close(): Promise<void> {
    await this.backing?.close();
    await this.storage.close();
  }

  #l1Entry(index: number): L1Entry {
    const offset = (this.l1[index * 2] ?? 0) * TWO_32 + (this.l1[index * 2 + 1] ?? 0);
    return offset < MAX_OFFSET ? { offset } : { offset, fault: 'block-outside' };
  }

  #addEntry(list: ExtentList, high: number, low: number, guest: number): void {
    const { clusterSize } = this;
    if ((high & COMPRESSED_HIGH) !== 0) {
      const length = packedLength(this.#packed, high);
      list.addCompressed(guest, clusterSize, packedOffset(this.#packed, high, low), length);
      return;
    }
    const offset = high * TWO_32 + low;
    if (offset === 0) list.add('unallocated', guest, clusterSize, -1);
    else if (!isAligned(low, SECTOR)) {
      list.addInvalid(guest, clusterSize, offset, 'data-unaligned');
    } else if (offset >= MAX_OFFSET) list.addInvalid(guest, clusterSize, offset, 'block-outside');
    else list.add('data', guest, clusterSize, offset);
  }
}

/**
 * Opens a qcow image, and in mode `read` unlocks it.
 * @throws ImageError invalid-image, too-large and those of reading
 */
export async function openQcow(
  storage: Storage,
  { mode, unlock }: DriverRequest,
): Promise<QcowImage> {
  const front = await readFront(storage, HEADER.size);
  if (front.error !== undefined) throw front.error;
  const header = parseQcowHeader(front.bytes);
  const { l1TableOffset } = header.fields;
  if (l1TableOffset + header.l1Entries * 8 > MAX_OFFSET) {
    const limit = Number.MAX_SAFE_INTEGER;
    const details = { what: 'l1_table_offset', value: String(l1TableOffset), limit };
    throw new ImageError('too-large', details);
  }
  const l1 = await readTable(storage, l1TableOffset, header.l1Entries);
  const image = new QcowImage(storage, header, l1, await readName(storage, header));
  if (mode === 'read' && unlock !== undefined && header.encrypted) {
    const request = { name: storage.name, method: 'aes', seconds: 0 } as const;
    image.cipher = await askPassphrase(unlock, request, aesOf);
  }
  return image;
}

/** What encrypts the content of a qcow image: the old way of qcow2. */
export async function aesOf(passphrase: Uint8Array): Promise<Cipher> {
  return counting('guest', await legacyCipher(passphrase));
}

async function readName(storage: Storage, { fields }: QcowHeader): Promise<string> {
  const { backingNameOffset: offset, backingNameSize: size } = fields;
  if (offset === 0 || offset >= MAX_OFFSET) return '';
  const bytes = await readPadded(storage, offset, size);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
