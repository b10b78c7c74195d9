/**
 * Entries of L1 and L2 tables. Specification: «Cluster mapping».
 */
import { TWO_32 } from '../../binary/units.ts';

export { decodeTable, L2Cache, readTable, type Table } from '../tables.ts';

/** Bits 9 to 55 of an L1 or L2 entry, high and low half. */
export const OFFSET_HIGH = 0x00ffffff;
export const OFFSET_LOW = 0xfffffe00;
/** Bit 63, in the high half: the refcount of the cluster is exactly one. */
export const COPIED_HIGH = 0x80000000;
/** Bit 62, in the high half: a compressed cluster. */
export const COMPRESSED_HIGH = 0x40000000;
/** Bit 0, in the low half: reads as zeros (version 3, not with extended L2). */
export const ZERO_LOW = 1;

/** The host offset (bytes) in an L1 or standard L2 entry. Exact: at most 2^56, in 512-byte steps. */
export function entryOffset(high: number, low: number): number {
  return (high & OFFSET_HIGH) * TWO_32 + ((low & OFFSET_LOW) >>> 0);
}
