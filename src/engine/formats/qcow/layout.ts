/**
 * What a qcow image of version 1 consists of, all big-endian: header, L1 table, L2 tables and
 * clusters, of which the compressed ones follow each other without regard to their size. There is
 * no count of clusters: what is taken is taken at the end of the file.
 */
import { struct, u32, u64, u8 } from '../../binary/struct.ts';
import { TWO_32 } from '../../binary/units.ts';

/** «QFI» and 0xfb. */
export const MAGIC = 0x514649fb;
export const VERSION = 1;

export const HEADER = struct({
  magic: u32(0, 'QFI and 0xfb', 'bits'),
  version: u32(4, 'Version of the format'),
  backingNameOffset: u64(8, 'Where the name of the backing file begins, or 0'),
  backingNameSize: u32(16, 'Bytes of the name of the backing file', 'bytes'),
  mtime: u32(20, 'Time of the backing file, seconds since 1970; nobody looks at it', 'time'),
  size: u64(24, 'Size of the disk', 'bytes'),
  clusterBits: u8(32, 'Bits of an offset within a cluster'),
  l2Bits: u8(33, 'Bits of an index into an L2 table'),
  cryptMethod: u32(36, 'How the content is encrypted'),
  l1TableOffset: u64(40, 'Where the L1 table begins'),
});

export type HeaderFields = ReturnType<typeof HEADER.read>;

/** Values of `cryptMethod`. */
export const CRYPT_NONE = 0;
export const CRYPT_AES = 1;

/** Bit 63 of an L2 entry, in the high word: the cluster is compressed. */
export const COMPRESSED_HIGH = 0x80000000;

/** A compressed cluster: bits of its offset first, above them its length in bytes. */
export interface PackedLayout {
  /** Bits of the offset in the high word, as a mask. */
  readonly offsetMask: number;
  readonly lengthShift: number;
  readonly lengthMask: number;
}

export function packedLayout(clusterBits: number): PackedLayout {
  const bits = 63 - clusterBits - 32;
  return {
    offsetMask: 2 ** bits - 1,
    lengthShift: bits,
    lengthMask: 2 ** clusterBits - 1,
  };
}

/** Where a compressed cluster begins, bytes. */
export function packedOffset({ offsetMask }: PackedLayout, high: number, low: number): number {
  return (high & offsetMask) * TWO_32 + (low >>> 0);
}

/** Bytes that it takes. */
export function packedLength({ lengthShift, lengthMask }: PackedLayout, high: number): number {
  return (high >>> lengthShift) & lengthMask;
}
