import type { ImageError } from '../errors.ts';

/** Which of the two disks is meant: the first or the second that was given. */
export type CompareSide = 1 | 2;

/**
 * How a comparison ended. The first difference ends it, as in qemu-img.
 * Offsets are guest bytes; those of content are rounded down to 512 within their run, as qemu-img
 * prints them.
 */
export type CompareOutcome =
  | { kind: 'identical' }
  /** The contents differ first in the 512 bytes at `offset` (also: data behind the shorter disk). */
  | { kind: 'content'; offset: number }
  /** Strict only: the sizes differ. Found before anything is read. */
  | { kind: 'strict-size' }
  /** Strict only: the runs that begin at `offset` are not kept in the same way (data, zero, hole). */
  | { kind: 'strict-status'; offset: number }
  /** The tables of one disk do not tell where the bytes at `offset` are. */
  | { kind: 'map-failed'; side: CompareSide; offset: number; error: ImageError }
  /** The bytes of one disk could not be had; `offset` is where the piece began that was read. */
  | { kind: 'read-failed'; side: CompareSide; offset: number; error: ImageError };

/** The result of comparing two disks by their guest content. Plain data but for the errors. */
export interface CompareReport {
  outcome: CompareOutcome;
  /**
   * The common part was equal and the sizes differ, so the rest of the longer disk was compared
   * with zeros: qemu-img warns of it, whatever the outcome.
   */
  sizeMismatch: boolean;
  /** Bytes of the common part and of the rest that were looked at. */
  compared: number;
}
