/** The header of dynamic and differencing disks. Specification: «Dynamic Disk Header Format». */
import type { Values } from '../../binary/struct.ts';
import { SECTOR } from '../../binary/units.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { imageFault } from '../fault.ts';
import type { Footer } from './footer.ts';
import {
  AT,
  bitmapSize,
  checksumOf,
  hasCookie,
  HEADER,
  HEADER_COOKIE,
  HEADER_SIZE,
  LOCATOR,
  LOCATOR_AT,
  LOCATORS,
  uuidText,
} from './layout.ts';

/** One of the places for names of the parent. */
export type Locator = Values<typeof LOCATOR>;

/** What a header says, in numbers that can be worked with. Bytes. */
export interface Header {
  readonly fields: Values<typeof HEADER>;
  /** Where it is in the file. */
  readonly at: number;
  readonly tableAt: number;
  readonly entries: number;
  readonly blockSize: number;
  /** Of the bitmap before each block. */
  readonly bitmapSize: number;
  /** Its checksum is right. */
  readonly sound: boolean;
  readonly parentUuid: string;
  /** The name that is in the header itself, UTF-16. */
  readonly parentName: Uint8Array;
  readonly locators: readonly Locator[];
}

/** QEMU reads nothing behind this place, bytes. */
const FARTHEST = 2n ** 63n - 2n ** 30n;
/** Nor so much at once. */
const LONGEST = 2 ** 31 - SECTOR;
/** QEMU counts entries with a sign, and has room for so many. */
const MOST_ENTRIES = 2 ** 29 - 1;
/** Blocks smaller than this would have no sector of bitmap by QEMU's count, and nobody makes them. */
const LEAST_BLOCK = 4096;

/**
 * @param size of the disk, bytes
 * @throws ImageError invalid-image, and those of reading
 */
export async function readHeader(storage: Storage, footer: Footer, size: number): Promise<Header> {
  const { dataOffset } = footer;
  if (dataOffset > FARTHEST - BigInt(HEADER_SIZE)) {
    fault('data offset', dataOffset, 'Error reading dynamic VHD header');
  }
  const at = Number(dataOffset);
  const header = parseHeader(await readPadded(storage, at, HEADER_SIZE), at);
  checkNumbers(header.fields, size);
  const { tableOffset, tableEntries } = header.fields;
  if (tableOffset > FARTHEST - BigInt(tableEntries * 4) || tableEntries * 4 > LONGEST) {
    fault('table offset', tableOffset, 'Error reading pagetable');
  }
  return header;
}

/**
 * @param at where these bytes are in the file
 * @throws ImageError invalid-image
 */
export function parseHeader(bytes: Uint8Array<ArrayBuffer>, at: number): Header {
  if (!hasCookie(bytes, HEADER_COOKIE)) {
    imageFault('vpc', 'signature', { field: 'header', message: 'Invalid header magic' });
  }
  const fields = HEADER.read(bytes);
  const { blockSize, tableEntries, tableOffset } = fields;
  return {
    ...{ fields, at, blockSize, entries: tableEntries, bitmapSize: bitmapSize(blockSize) },
    tableAt: Number(tableOffset),
    sound: checksumOf(bytes, AT.headerChecksum) === fields.checksum,
    parentUuid: uuidText(bytes.subarray(AT.parentUuid, AT.parentUuid + 16)),
    parentName: bytes.subarray(AT.parentName, LOCATOR_AT),
    locators: Array.from({ length: LOCATORS }, (_, index) =>
      LOCATOR.read(bytes, LOCATOR_AT + index * 24),
    ),
  };
}

function checkNumbers({ blockSize, tableEntries }: Values<typeof HEADER>, size: number): void {
  const isPower = blockSize > 0 && (blockSize & (blockSize - 1)) === 0;
  if (!isPower || blockSize < SECTOR) {
    fault('block size', blockSize, `Invalid block size ${blockSize}`);
  }
  // What has the highest bit set is negative there, and passes this test.
  if (tableEntries * blockSize < size && tableEntries < 2 ** 31) {
    fault('table entries', tableEntries, 'Page table too small');
  }
  if (tableEntries > MOST_ENTRIES) {
    const message = `Max Table Entries too large (${tableEntries | 0})`;
    const limit = MOST_ENTRIES;
    imageFault('vpc', 'table-size', {
      field: 'table entries',
      value: tableEntries,
      limit,
      message,
    });
  }
  if (blockSize < LEAST_BLOCK) {
    fault('block size', blockSize, `Block size ${blockSize} is not supported`);
  }
}

function fault(field: string, number: number | bigint, message: string): never {
  return imageFault('vpc', 'field', { field, value: String(number), message });
}
