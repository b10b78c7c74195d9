/**
 * What is wrong with an image: data, not an exception. The words for it live in
 * `command/check-messages.ts` (qemu-img's) and in `app/text` (a person's).
 */

/** Kinds of findings. qcow2-facts section 10 names the qemu-img message of each. */
export const FINDING_KINDS = [
  'leak', // refcount > references
  'refcount-low', // 0 < refcount < references
  'refcount-zero', // refcount = 0, but the cluster is used
  'refcount-unreadable', // no refcount can be had for a cluster (misaligned block)
  'reftable-reserved-bits',
  'refblock-unaligned',
  'refblock-outside',
  'refblock-shared', // a refcount block referenced not exactly once
  'reference-outside', // something points behind the end of the file
  'refcount-overflow', // more references than the refcount width can count
  'l1-reserved-bits',
  'l2-reserved-bits',
  'l2-unaligned', // L1 entry points to a misaligned L2 table
  'data-unaligned',
  'zero-unaligned', // preallocated zero cluster at a misaligned offset
  'compressed-copied', // COPIED set on a compressed entry
  'copied-l1', // COPIED of an L1 entry disagrees with the refcount
  'copied-l2', // COPIED of an L2 entry disagrees with the refcount
  'snapshot-l1-unaligned',
  'snapshot-l1-too-large',
  'snapshot-incomplete',
  'snapshot-table-invalid', // the table could not be read; the check ends there
  'snapshots-with-data-file',
  'bitmap-invalid', // a bitmap table could not be read; the check ends there
  'compressed-data-file', // compressed cluster in an image with an external data file
  'compressed-subclusters', // compressed cluster with a subcluster bitmap
  'subclusters-contradict', // allocation and zero bit of a subcluster both set
  'subclusters-unallocated', // subclusters marked as allocated in an unallocated cluster
  'zero-in-v2', // zero flag in a version 2 image: qemu-img's check is silent, reading fails
  'io-error', // a table could not be read
  'dirty', // incompatible bit 0: not closed cleanly
  'corrupt-bit', // incompatible bit 1: QEMU stopped using the image for writing
  'truncated', // tables point behind the end of the file: likely an incomplete download
  'overlap', // a cluster is claimed by two owners of different kind
  // Of the other formats. values.message: qemu-img's line with its end, '' where it is silent.
  'block-outside', // a table entry points outside of the file, or into its metadata
  'block-duplicate', // two entries of a table point to the same place
  'block-unaligned', // a table entry points between two blocks
  'block-state', // a table entry has a state that does not exist
  'allocation-count', // the header counts another number of blocks than the tables have
  'header-copy', // one of two copies of a header or footer is damaged; the other was used
  'header-checksum', // a checksum is wrong, and the content makes sense all the same
  'table-copy', // the two copies of a table differ
  'size-contradiction', // two places of the header name different sizes of the disk
  'log-pending', // changes are in a log and not yet in their places
  'tail-leak', // space at the end of the file that nothing uses
  'parent-changed', // the parent is not as it was when this image was made over it
  'extension-damaged', // something optional in the header cannot be read
  'content-checksum', // a checksum over the content is wrong
] as const;

export type FindingKind = (typeof FINDING_KINDS)[number];

/**
 * How qemu-img counts it: `corruption`, `leak` or `error` (check could not look). `notice` is what
 * qemu-img does not count but a person should know.
 */
export type Severity = 'corruption' | 'leak' | 'error' | 'notice';

/** A range in bytes. */
export interface Range {
  offset: number;
  length: number;
}

/** One thing that is wrong. Plain data: goes through postMessage and JSON as it is. */
export interface Finding {
  kind: FindingKind;
  severity: Severity;
  /** Where in the file. */
  host?: Range;
  /** Which guest bytes are concerned, as far as known. */
  guest?: Range;
  /** The numbers of the message. 64-bit table entries are hex text without 0x. */
  values: Record<string, number | string>;
  /** Who uses the cluster, as far as looked up: for refcount findings and overlaps. */
  owners?: Owner[];
  /** Whether a repair is known: without doubt, as a guess, or not at all. */
  repair: 'safe' | 'guess' | 'none';
}

/** One use of a cluster. */
export interface Owner {
  kind:
    | 'header'
    | 'l1'
    | 'l2'
    | 'refcount-table'
    | 'refcount-block'
    | 'snapshot-table'
    | 'snapshot-l1'
    | 'bitmaps'
    | 'luks'
    | 'data'
    | 'compressed';
  /** Guest offset of the data, or of what the L2 table maps; -1 where it has none. */
  guestOffset: number;
  /** The snapshot whose tables lead here ('' for the active layer). */
  snapshot: string;
}
