/**
 * What stops the work. Everything that is merely wrong with an image is a {@link Finding}
 * (operations/finding.ts), data and not an exception.
 *
 * An ImageError carries a stable code and the numbers that belong to it. The sentences live with
 * those who speak to somebody: `command/messages.ts` says it in qemu-img's words, `app/text` in a
 * person's words, in each language. Both are checked by the compiler to know every code.
 */

/** Details of each code. A code is added here first; the compiler then asks for its sentences. */
export interface ErrorDetails {
  /** The work was stopped on request. */
  cancelled: Record<never, never>;
  /** A header field has a value that no valid image has; `problem` says which rule it breaks. */
  'invalid-header': {
    problem: HeaderProblem;
    field: string;
    value: string;
    limit: string;
    message: string;
  };
  /**
   * An image of another format than qcow2 that cannot be opened. `format` by qemu-img's name,
   * `message` in qemu-img's words, `reported` what it says before that, if anything; `field`, `value`
   * and `limit` say what is wrong, '' where unknown.
   */
  'invalid-image': {
    format: string;
    problem: ImageProblem;
    field: string;
    value: string;
    limit: string;
    message: string;
    reported?: string;
  };
  /**
   * A file that others are wrapped in (an archive, a compressed file) cannot be used, or not the file
   * `entry` in it ('' where it is about all of it).
   */
  'container-invalid': {
    name: string;
    container: ContainerKind;
    entry: string;
    problem: ContainerProblem;
  };
  /** The image below is not the one that this image was made over. */
  'parent-mismatch': { name: string; parent: string; expected: string; found: string };
  /** The content is none of the known formats (and raw was not asked for). */
  'not-a-disk-image': { format: string; name: string; size: number; looksLike: ForeignContent };
  /** Incompatible feature bits that this version does not know; names from the image's own table. */
  'unknown-features': { features: string };
  /** A feature that the format has, but this version cannot read yet. */
  'unsupported-feature': { feature: string; message?: string };
  /** Guest content cannot be had at this place. Offsets in bytes. */
  'unreadable-cluster': {
    guestOffset: number;
    hostOffset: number;
    length: number;
    reason: UnreadableReason;
  };
  /** The image names a backing file that was not given. */
  'backing-missing': { name: string; format: string };
  /** The header cluster has no room for everything that belongs into it. Bytes. */
  'header-full': { needed: number; limit: number };
  /** A refcount would become negative or too large for its width; `offset` of its cluster, bytes. */
  'refcount-limit': { offset: number; maximum: number };
  /** The cluster at `offset` (bytes) is in use, and counted as free. */
  'refcount-wrong': { offset: number };
  /** What cannot be done with internal snapshots in this image. */
  'snapshot-refused': { reason: SnapshotRefusal };
  /** The disk cannot get that size; `name` of the bitmap that does not let it, '' for none. */
  'resize-refused': { reason: ResizeRefusal; name: string };
  /** A refcount (of the cluster at `offset`, bytes) does not fit into so many bits. */
  'refcount-width': { bits: number; offset: number; count: number };
  /** The image cannot be changed in that way; `features` are bits that version 2 does not have. */
  'amend-refused': { reason: AmendRefusal; features: string };
  /**
   * An edit of an open image that cannot be made. `name` of the image that is in the way, of the
   * backing file or the format, or the option as it was given.
   */
  'edit-refused': { reason: EditRefusal; name: string };
  /** The refcount table points between clusters (entry `index`), so nothing can be written safely. */
  'refcount-block-unaligned': { offset: number; index: number };
  /** The image is marked as corrupt: nothing but a repair may write to it. */
  'image-corrupt': { name: string };
  /**
   * The image was not closed cleanly, so that it has to be repaired before a change. `message` in
   * qemu-img's words, where it has some.
   */
  'image-dirty': { name: string; message?: string };
  /** Free clusters cannot be told from those in use, so a change could overwrite data. */
  'image-damaged': { name: string; corruptions: number };
  /** Entry `index` of the L1 table points to no L2 table, so nothing can be written there. Bytes. */
  'l2-damaged': { index: number; offset: number };
  /** A persistent bitmap's table has an entry (counted from 0) that no valid table has. */
  'bitmap-damaged': { name: string; entry: number };
  /** What cannot be done with a persistent bitmap. Sizes of disks, bytes. */
  'bitmap-refused': { reason: BitmapRefusal; name: string; size: number; sourceSize: number };
  /** The image has no persistent bitmap of that name. */
  'bitmap-missing': { name: string };
  /** The image has no internal snapshot of that id or name. */
  'snapshot-missing': { key: string };
  /** The image is encrypted and the passphrase that was given opens none of its keys. */
  'wrong-passphrase': { name: string };
  /** What cannot be done with key slot `slot` of LUKS; -1 where it is not about one of them. */
  'key-slot': { problem: KeySlotProblem; slot: number };
  /** A chain of backing files contains itself. */
  'backing-loop': { name: string };
  /** Reading the medium failed. */
  'read-failed': { name: string; offset: number; length: number; reason: string };
  /** The medium no longer holds the file, or the browser no longer lets us read it. */
  'file-gone': { name: string };
  /** The file has another size or time than when it was opened. */
  'file-changed': { name: string };
  /** Another process is putting a change into the file just now. */
  'being-changed': { name: string };
  /**
   * The journal beside the file is of a change that this file is not in: at `offset` (bytes; its
   * size when that is wrong) it has neither the old bytes nor the new ones.
   */
  'journal-foreign': { name: string; journal: string; offset: number };
  /** The change has happened, and could not be put into the file whole: the rest is in `journal`. */
  'change-unfinished': { name: string; journal: string; reason: string };
  /** Not a journal, undo file or patch that can be used. */
  'patch-invalid': { name: string; problem: PatchProblem };
  /** The file is not the one that an undo file or a patch was made for: at `offset`, bytes. */
  'patch-mismatch': { name: string; offset: number };
  /** Permission to read or write was taken back. */
  'permission-lost': { name: string };
  /** Writing the result failed for another reason than space. */
  'write-failed': { name: string; offset: number; length: number; reason: string };
  /** No room for the result. */
  'disk-full': { name: string; needed: number };
  /** The browser refused to finish a written file. */
  'finish-refused': { name: string };
  /** The storage is read only. */
  'read-only': { name: string };
  /** The browser keeps files in memory only and the result is too large for that. */
  'private-window': { needed: number };
  /** The copy differs from the source: must never happen, and is never hidden. */
  'verify-failed': { name: string; offset: number };
  /** A number beyond 2^53-1 where an exact one is needed, or an allocation beyond the budget. */
  'too-large': { what: string; value: string; limit: number };
  /** The check of this format is not supported (raw). */
  'check-unsupported': { format: string };
  /** A file of that name cannot be opened by the one who was asked for it. */
  'open-failed': { name: string; reason: string };
  /** The result was to replace the very file that it is made from. */
  'same-file': { name: string };
  /** The thread that does the work ended by itself; everything that it was doing is lost. */
  'worker-died': { reason: string };
  /** A defect of this program. */
  internal: { reason: string };
}

export type ErrorCode = keyof ErrorDetails;

/** What a file that is no disk image is instead, judged by its first bytes. */
export type ForeignContent =
  | 'empty'
  | 'too-short'
  | 'html'
  | 'lfs-pointer'
  | 'text'
  | ContainerKind
  | 'encrypted-zip'
  | '7z'
  | 'rar'
  | 'pgp'
  | 'age'
  | 'openssl'
  | 'pdf'
  | 'picture'
  | 'program'
  | 'unknown';

/** Files that others are wrapped in, and that can be looked into. */
export type ContainerKind = 'gzip' | 'xz' | 'zstd' | 'bzip2' | 'zip' | 'tar';

/**
 * Why: its bytes contradict themselves; its end is missing; a checksum is wrong; there is more or less
 * in it than it says; it is encrypted; packed in a way that is not known; unpacking takes too much
 * memory, or too much room on the medium; there are too many files in it; containers in containers too deep; none of it is a disk.
 */
export type ContainerProblem =
  | 'damaged'
  | 'cut-off'
  | 'checksum'
  | 'size'
  | 'encrypted'
  | 'method'
  | 'memory'
  | 'room'
  | 'too-many'
  | 'too-deep'
  | 'no-disk';

/** Why guest content cannot be had. */
export type UnreadableReason =
  | 'l2-unaligned'
  | 'l2-unreadable'
  | 'data-unaligned'
  | 'zero-in-v2'
  | 'compressed-corrupt'
  | 'compressed-short'
  | 'backing-missing'
  | 'data-file-missing'
  | 'extent-missing'
  | 'block-outside'
  | 'block-state'
  | 'data-file-offset'
  | 'data-file-compressed'
  | 'locked'
  | 'subcluster-invalid';

/**
 * Why: content outside of the file, persistent bitmaps that would no longer be true, another size
 * of the disk in an image of version 2, a size that no disk has.
 */
export type SnapshotRefusal = 'data-file' | 'bitmaps' | 'version' | 'size';

/** Why: not such a file at all, its end missing, checksums wrong, newer than this, another kind. */
export type PatchProblem = 'not-a-patch' | 'unfinished' | 'damaged' | 'version' | 'kind';

/**
 * Why: version 2 has refcounts of 16 bits only, no external data file, no other features, no zstd,
 * no lazy refcounts, no snapshots of another size; a data file cannot be added, nor become raw;
 * another backing file is a matter of rebase.
 */
export type AmendRefusal =
  | 'refcount-bits'
  | 'narrow-in-v2'
  | 'data-file'
  | 'snapshots'
  | 'features'
  | 'zstd'
  | 'lazy'
  | 'no-data-file'
  | 'data-file-raw'
  | 'backing';

/**
 * Why: the other image has changes that are not saved; a backing file is named without its format,
 * or with a name that is too long for a header; with a raw data file there is none; no such option
 * or value; the image is not below the other one; nothing lies below it; the disk is kept in several
 * files, of which a change is made to one; the other image lies packed in its file;
 * the format (`name`) has no such change.
 */
export type EditRefusal =
  | 'unsaved'
  | 'backing-format'
  | 'backing-name'
  | 'raw-data-file'
  | 'option'
  | 'not-below'
  | 'nothing-below'
  | 'several-files'
  | 'format'
  | 'wrapped';

/**
 * Why: not whole sectors; version 2 does not note the size of the disk in its snapshots; a bitmap
 * that was not saved cleanly; a bitmap that would be larger than any may be; version 2 cannot hide
 * a longer backing image.
 */
export type ResizeRefusal =
  'sectors' | 'snapshots' | 'bitmap-inconsistent' | 'bitmap-too-large' | 'zeros';

/**
 * Why: there is no such slot; it is in use; all are; another passphrase is in it; it is empty already;
 * it is the last one in use; neither slot nor passphrase was given; the passphrase is in none; it is
 * in all that are in use.
 */
export type KeySlotProblem =
  | 'no-such-slot'
  | 'in-use'
  | 'none-free'
  | 'other-passphrase'
  | 'not-in-use'
  | 'last'
  | 'none-given'
  | 'none-match'
  | 'all-match';

/**
 * Why: there is one of that name; it was not saved cleanly; version 2 cannot tell whether bitmaps
 * are still true; the granularity is no power of two or too small, or larger than any may be; there
 * would be too many bits; the name is empty or too long; there are too many bitmaps, or their
 * directory has no more room; the disks that bitmaps are of differ in size; the disk has no size.
 */
export type BitmapRefusal =
  | 'exists'
  | 'inconsistent'
  | 'version'
  | 'granularity'
  | 'granularity-large'
  | 'too-large'
  | 'name-empty'
  | 'name-long'
  | 'too-many'
  | 'directory-full'
  | 'sizes'
  | 'empty-disk';

/** The rules of qcow2-spec «Header» and of QEMU's limits that a header can break. */
export type HeaderProblem =
  | 'version'
  | 'cluster-size'
  | 'header-too-short'
  | 'header-too-long'
  | 'backing-offset'
  | 'backing-name-too-long'
  | 'refcount-order'
  | 'crypt-method'
  | 'compression-bit-unset'
  | 'compression-bit-set'
  | 'compression-type'
  | 'subcluster-size'
  | 'size-too-big'
  | 'l1-too-large'
  | 'l1-too-small'
  | 'l1-offset'
  | 'l1-unreadable'
  | 'refcount-table-offset'
  | 'refcount-table-too-large'
  | 'refcount-table-missing'
  | 'refcount-table-unreadable'
  | 'snapshot-table-too-large'
  | 'snapshot-table-offset'
  | 'snapshot-table-invalid'
  | 'extension-too-large'
  | 'backing-format-too-long'
  | 'bitmaps-extension'
  | 'crypto-extension'
  | 'luks-header'
  | 'luks-version'
  | 'data-file-missing'
  | 'data-file-raw';

/**
 * Why: it is not of that format; a version that does not exist or is not known here; a field with a
 * value that no valid image has; a checksum that is wrong; a table that would be too large; a disk
 * that would be; tables that are not where they must be; text that cannot be understood; the end of
 * the file missing.
 */
export type ImageProblem =
  | 'signature'
  | 'version'
  | 'field'
  | 'checksum'
  | 'table-size'
  | 'disk-size'
  | 'table-place'
  | 'descriptor'
  | 'truncated';

/** An error with a stable code; compare codes, never messages. */
export class ImageError<Code extends ErrorCode = ErrorCode> extends Error {
  readonly code: Code;
  readonly details: ErrorDetails[Code];

  constructor(code: Code, details: ErrorDetails[Code], options?: { cause?: unknown }) {
    super(`${code} ${JSON.stringify(details)}`, options);
    this.name = 'ImageError';
    this.code = code;
    this.details = details;
  }
}

/** Whether `error` is an ImageError of that code (of any code when none is given). */
export function isImageError<Code extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: Code,
): error is ImageError<Code> {
  return error instanceof ImageError && (code === undefined || error.code === code);
}

/** Throws `cancelled` once the signal is set: called between units of work that take < 50 ms. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new ImageError('cancelled', {});
}
