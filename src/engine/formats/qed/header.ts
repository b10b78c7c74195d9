/** The QED header. The order of the tests and their words are QEMU's. */
import { isAligned, SECTOR } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import { imageFault } from '../fault.ts';
import {
  BACKING_FILE,
  BACKING_RAW,
  HEADER,
  isClusterSize,
  isTableSize,
  KNOWN_FEATURES,
  MAGIC,
  mostImageSize,
  NEED_CHECK,
  type HeaderFields,
} from './layout.ts';

/** The longest name of a backing file, bytes. */
export const MOST_NAME_BYTES = 4095;

/** A valid header and what follows from it. Sizes in bytes. */
export interface QedHeader {
  readonly fields: HeaderFields;
  readonly clusterSize: number;
  /** Of an L1 or L2 table, clusters. */
  readonly tableSize: number;
  /** Of an L1 or L2 table. */
  readonly tableBytes: number;
  readonly tableEntries: number;
  /** Guest bytes of an L2 table. */
  readonly l2Coverage: number;
  /** Of the disk. */
  readonly size: number;
  /** The header's clusters. */
  readonly headerBytes: number;
  /** Of the file, whole clusters only. */
  readonly fileSize: number;
  readonly needsCheck: boolean;
  readonly hasBacking: boolean;
  readonly backingIsRaw: boolean;
}

/**
 * Parses and validates the header, apart from the name of the backing file.
 * @param bytes the first of the file
 * @param fileBytes of the file
 * @param lenient also tables of a single cluster, which QEMU makes and then refuses
 * @throws ImageError invalid-image, too-large
 */
export function parseQedHeader(bytes: Uint8Array, fileBytes: number, lenient: boolean): QedHeader {
  const fields = HEADER.read(bytes);
  const { clusterSize, tableSize, headerSize, features, imageSize } = fields;
  if (fields.magic !== MAGIC) {
    imageFault('qed', 'signature', { message: 'Image not in QED format' });
  }
  const unknown = features & ~KNOWN_FEATURES;
  if (unknown !== 0n) {
    const message = `Unsupported QED features: ${unknown.toString(16)}`;
    const value = `0x${features.toString(16)}`;
    imageFault('qed', 'version', { field: 'features', value, message });
  }
  const wrong = (field: string, value: number, message: string): never =>
    imageFault('qed', 'field', { field, value, message });
  if (!isClusterSize(clusterSize)) {
    wrong('cluster_size', clusterSize, 'QED cluster size is invalid');
  }
  const fileSize = Math.floor(fileBytes / clusterSize) * clusterSize;
  if (!isTableSize(tableSize)) wrong('table_size', tableSize, 'QED table size is invalid');
  const most = mostImageSize(clusterSize, tableSize);
  if (!isAligned(imageSize, SECTOR) || BigInt(imageSize) > most) {
    wrong('image_size', imageSize, 'QED image size is invalid');
  }
  const headerBytes = headerSize * clusterSize;
  const places = { clusterSize, tableSize, headerBytes, fileSize };
  const isRefused = tableSize === 1 && !lenient;
  if (isRefused || !isTablePlace(places, fields.l1TableOffset)) {
    wrong('l1_table_offset', fields.l1TableOffset, 'QED table offset is invalid');
  }
  if (headerSize > Math.floor((2 ** 32 - 1) / clusterSize)) {
    wrong('header_size', headerSize, 'QED header size is too large');
  }
  if (imageSize > Number.MAX_SAFE_INTEGER) {
    const limit = Number.MAX_SAFE_INTEGER;
    throw new ImageError('too-large', { what: 'image_size', value: String(imageSize), limit });
  }
  const hasBacking = (features & BACKING_FILE) !== 0n;
  if (hasBacking && fields.backingNameOffset + fields.backingNameSize > headerBytes) {
    const message = 'QED backing filename offset is invalid';
    wrong('backing_filename_offset', fields.backingNameOffset, message);
  }
  if (hasBacking && fields.backingNameSize > MOST_NAME_BYTES) {
    const message = 'Failed to read backing filename';
    wrong('backing_filename_size', fields.backingNameSize, message);
  }
  const tableBytes = clusterSize * tableSize;
  return {
    ...{ fields, clusterSize, tableSize, tableBytes, headerBytes, fileSize, hasBacking },
    tableEntries: tableBytes / 8,
    l2Coverage: (tableBytes / 8) * clusterSize,
    size: imageSize,
    needsCheck: (features & NEED_CHECK) !== 0n,
    backingIsRaw: (features & BACKING_RAW) !== 0n,
  };
}

/** What decides whether something can be at a place. Bytes, `tableSize` in clusters. */
interface Places {
  readonly clusterSize: number;
  readonly headerBytes: number;
  readonly fileSize: number;
}

/** Whether a cluster can be at an offset (bytes). */
export function isClusterPlace(places: Places, offset: number): boolean {
  const { clusterSize, headerBytes, fileSize } = places;
  return isAligned(offset, clusterSize) && offset >= headerBytes && offset < fileSize;
}

/** Whether a table can. */
export function isTablePlace(
  places: Places & { readonly tableSize: number },
  offset: number,
): boolean {
  const end = offset + (places.tableSize - 1) * places.clusterSize;
  return isClusterPlace(places, offset) && isClusterPlace(places, end);
}
