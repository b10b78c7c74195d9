/** The header of qcow version 1. The order of the tests and their words are QEMU's. */
import { alignDown, divideRoundUp, powerOfTwo, SECTOR } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import { imageFault } from '../fault.ts';
import { CRYPT_AES, CRYPT_NONE, HEADER, MAGIC, VERSION, type HeaderFields } from './layout.ts';

/** The longest name of a backing file, bytes. */
export const MOST_NAME_BYTES = 1023;
/** What the L1 table may take in memory, bytes: a disk of 8 TiB in images as QEMU makes them. */
const MOST_L1_BYTES = 32 * 1024 * 1024;
/** QEMU's limit for the entries of the L1 table. */
const MOST_L1_ENTRIES = 2 ** 28 - 1;

/** A valid header and what follows from it. Sizes in bytes. */
export interface QcowHeader {
  readonly fields: HeaderFields;
  readonly clusterSize: number;
  /** Entries of an L2 table. */
  readonly l2Entries: number;
  readonly l1Entries: number;
  /** Of the disk: whole sectors. */
  readonly size: number;
  readonly encrypted: boolean;
}

/**
 * Parses and validates the header, apart from the name of the backing file.
 * @param bytes the first of the file
 * @throws ImageError invalid-image, too-large
 */
export function parseQcowHeader(bytes: Uint8Array): QcowHeader {
  const fields = HEADER.read(bytes);
  const { version, size, clusterBits, l2Bits, cryptMethod } = fields;
  const wrong = (field: string, value: number, message: string): never =>
    imageFault('qcow', 'field', { field, value, message });
  if (fields.magic !== MAGIC) {
    imageFault('qcow', 'signature', { message: 'Image not in qcow format' });
  }
  if (version !== VERSION) {
    const hint = version === 2 || version === 3 ? "\nTry the 'qcow2' driver instead." : '';
    const message = `qcow (v${VERSION}) does not support qcow version ${version}${hint}`;
    imageFault('qcow', 'version', { field: 'version', value: version, limit: VERSION, message });
  }
  if (size <= 1) wrong('size', size, 'Image size is too small (must be at least 2 bytes)');
  if (clusterBits < 9 || clusterBits > 16) {
    wrong('cluster_bits', clusterBits, 'Cluster size must be between 512 and 64k');
  }
  if (l2Bits < 6 || l2Bits > 13) {
    wrong('l2_bits', l2Bits, 'L2 table size must be between 512 and 64k');
  }
  if (cryptMethod !== CRYPT_NONE && cryptMethod !== CRYPT_AES) {
    wrong('crypt_method', cryptMethod, 'invalid encryption method in qcow header');
  }
  const coverage = powerOfTwo(clusterBits + l2Bits);
  const l1Entries = divideRoundUp(size, coverage);
  if (l1Entries > MOST_L1_ENTRIES) {
    imageFault('qcow', 'disk-size', { field: 'size', value: size, message: 'Image too large' });
  }
  if (l1Entries * 8 > MOST_L1_BYTES) {
    const value = String(l1Entries * 8);
    throw new ImageError('too-large', { what: 'L1 table', value, limit: MOST_L1_BYTES });
  }
  if (fields.backingNameOffset !== 0 && fields.backingNameSize > MOST_NAME_BYTES) {
    wrong('backing_file_size', fields.backingNameSize, 'Backing file name too long');
  }
  return {
    ...{ fields, l1Entries, l2Entries: powerOfTwo(l2Bits), clusterSize: powerOfTwo(clusterBits) },
    size: alignDown(size, SECTOR),
    encrypted: cryptMethod === CRYPT_AES,
  };
}
