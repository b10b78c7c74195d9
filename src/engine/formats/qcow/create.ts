/** New qcow images of version 1. */
import { alignUp, divideRoundUp, powerOfTwo, SECTOR } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import { imageFault } from '../fault.ts';
import type { DiskWriter, NewFiles, ReadBelow } from '../format.ts';
import { MOST_NAME_BYTES, parseQcowHeader } from './header.ts';
import { aesOf } from './image.ts';
import { CRYPT_AES, CRYPT_NONE, HEADER, MAGIC, VERSION } from './layout.ts';
import { QcowWriter } from './writer.ts';

/** Bits of clusters and L2 tables, which are QEMU's choice: small ones over another image. */
const ALONE = { clusterBits: 12, l2Bits: 9 };
const LAYERED = { clusterBits: 9, l2Bits: 12 };

export interface QcowOptions {
  /** Name of the backing file; '' for none. */
  backingName?: string | undefined;
  /** Encrypts the content with the legacy AES. Stays as it is. */
  passphrase?: Uint8Array | undefined;
  /** What lies below, for what is written in part. */
  below?: ReadBelow | undefined;
}

/**
 * Makes an empty image.
 * @param size of the disk, bytes, whole sectors
 * @throws ImageError invalid-image, too-large and those of writing
 */
export async function createQcow(
  { main }: NewFiles,
  size: number,
  { backingName = '', passphrase, below }: QcowOptions = {},
): Promise<DiskWriter> {
  checkQcowSize(size, backingName);
  const name = new TextEncoder().encode(backingName);
  if (name.length > MOST_NAME_BYTES) {
    throw new ImageError('header-full', { needed: name.length, limit: MOST_NAME_BYTES });
  }
  const bits = name.length > 0 ? LAYERED : ALONE;
  const l1TableOffset = alignUp(HEADER.size + name.length, 8);
  const fields = {
    ...{ magic: MAGIC, version: VERSION, mtime: 0, size, ...bits, l1TableOffset },
    backingNameOffset: name.length > 0 ? HEADER.size : 0,
    backingNameSize: name.length,
    cryptMethod: passphrase === undefined ? CRYPT_NONE : CRYPT_AES,
  };
  const bytes = new Uint8Array(HEADER.size + name.length);
  HEADER.write(bytes, fields);
  bytes.set(name, HEADER.size);
  const header = parseQcowHeader(bytes);
  await main.write(0, bytes);
  await main.resize(l1TableOffset + alignUp(header.l1Entries * 8, SECTOR));
  const cipher = passphrase === undefined ? undefined : await aesOf(passphrase);
  const l1 = new Uint32Array(header.l1Entries * 2);
  return new QcowWriter(main, header, l1, { cipher, below });
}

/**
 * Whether there can be a disk of that size, in QEMU's words. Larger ones than can be opened are not
 * made.
 * @throws ImageError invalid-image, too-large
 */
export function checkQcowSize(size: number, backingName: string): void {
  if (size === 0) {
    const message = 'Image size is too small, cannot be zero length';
    imageFault('qcow', 'disk-size', { field: 'size', value: size, message });
  }
  const { clusterBits, l2Bits } = backingName === '' ? ALONE : LAYERED;
  const bytes = divideRoundUp(size, powerOfTwo(clusterBits + l2Bits)) * 8;
  const limit = 32 * 1024 * 1024;
  if (bytes > limit)
    throw new ImageError('too-large', { what: 'L1 table', value: String(bytes), limit });
}
