/**
 * What the metadata of one image may take in memory, whatever the image says: a stated share for
 * each kind of table. What is larger is worked on in pieces, or refused with `too-large`.
 */
import { MIB } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';

/** Bytes of memory for the metadata of one image, at any time. */
export const METADATA_BUDGET = 256 * MIB;

/** The shares, bytes. Some are limits that the format's own limits keep already. */
export const SHARES = {
  /** The L1 table that the image is read through. */
  l1: 32 * MIB,
  /** That of a snapshot, during a check or while it is read. */
  snapshotL1: 32 * MIB,
  /** The list of snapshots. */
  snapshots: 48 * MIB,
  /** The list of persistent bitmaps. */
  bitmaps: 16 * MIB,
  /** L2 tables that are kept, or on their way during a check. */
  l2: 24 * MIB,
  /** Check: the refcount table. */
  refcountTable: 8 * MIB,
  /** Check: refcount blocks that are kept or on their way. */
  refcountBlocks: 16 * MIB,
  /** Check: the references that are counted at once; larger files are gone through in parts. */
  references: 64 * MIB,
} as const;

/** @throws ImageError too-large when `bytes` are more than the share of `what` */
export function chargeMetadata(what: 'snapshots' | 'bitmaps', bytes: number): void {
  const limit = SHARES[what];
  if (bytes > limit) throw new ImageError('too-large', { what, value: String(bytes), limit });
}

/** Bytes that a text takes in memory: one for each character, two where one needs more than that. */
export function textBytes(text: string): number {
  return /^[\0-\xff]*$/.test(text) ? text.length : text.length * 2;
}
