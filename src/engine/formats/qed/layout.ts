/**
 * What a QED image consists of. «QED Image File Format», as QEMU has it in docs/interop/qed_spec.txt:
 * header, L1 table, L2 tables and data clusters, all little-endian and all in whole clusters.
 */
import { bits64le, struct, u32le, u64le } from '../../binary/struct.ts';
import { MIB } from '../../binary/units.ts';

/** «QED» and a zero, little-endian. */
export const MAGIC = 0x00444551;

/** «Specification»: the header. */
export const HEADER = struct({
  magic: u32le(0, 'QED and a zero', 'bits'),
  clusterSize: u32le(4, 'Bytes of a cluster', 'bytes'),
  tableSize: u32le(8, 'Clusters of an L1 or L2 table'),
  headerSize: u32le(12, 'Clusters of the header'),
  features: bits64le(16, 'Features that must be known to use the image'),
  compatFeatures: bits64le(24, 'Features that may be unknown'),
  autoclearFeatures: bits64le(32, 'Features that whoever does not know them clears'),
  l1TableOffset: u64le(40, 'Where the L1 table begins'),
  imageSize: u64le(48, 'Size of the disk', 'bytes'),
  backingNameOffset: u32le(56, 'Where the name of the backing file begins', 'offset'),
  backingNameSize: u32le(60, 'Bytes of the name of the backing file', 'bytes'),
});

/** Bits of `features`. */
export const BACKING_FILE = 1n;
export const NEED_CHECK = 2n;
export const BACKING_RAW = 4n;
export const KNOWN_FEATURES = BACKING_FILE | NEED_CHECK | BACKING_RAW;

export const LEAST_CLUSTER = 4096;
export const MOST_CLUSTER = 64 * MIB;
export const MOST_TABLE_CLUSTERS = 16;
export const USUAL_CLUSTER = 65536;
export const USUAL_TABLE_CLUSTERS = 4;

/** L2 tables are read and changed in pieces of at most so many bytes. */
export const PIECE_BYTES = 64 * 1024;

export type HeaderFields = ReturnType<typeof HEADER.read>;

/** Whether clusters can have this size, bytes. */
export function isClusterSize(size: number): boolean {
  return size >= LEAST_CLUSTER && size <= MOST_CLUSTER && Number.isInteger(Math.log2(size));
}

/** Whether tables can have this size, clusters. */
export function isTableSize(clusters: number): boolean {
  return clusters >= 1 && clusters <= MOST_TABLE_CLUSTERS && Number.isInteger(Math.log2(clusters));
}

/** The largest disk that two levels of tables can map, bytes: exact also where no number is. */
export function mostImageSize(clusterSize: number, tableSize: number): bigint {
  // As in QEMU, whose numbers have 32 bits where tables are counted, and 64 bits behind that.
  const entries = BigInt(((tableSize * clusterSize) >>> 0) / 8);
  return BigInt.asUintN(64, BigInt.asUintN(64, entries * BigInt(clusterSize)) * entries);
}
