/** What is known of a file system, volume or the like from its superblock. */
import { NULL_GUID, uuidText } from '../binary/guid.ts';

/** By the names that people know them by, lower case. */
export type FileSystemKind =
  | 'ext2'
  | 'ext3'
  | 'ext4'
  | 'xfs'
  | 'btrfs'
  | 'ntfs'
  | 'fat12'
  | 'fat16'
  | 'fat32'
  | 'exfat'
  | 'iso9660'
  | 'swap'
  | 'lvm2'
  | 'luks1'
  | 'luks2'
  | 'apfs'
  | 'hfs-plus'
  | 'zfs'
  | 'refs'
  | 'squashfs'
  | 'erofs'
  | 'f2fs'
  | 'bitlocker'
  | 'md-raid';

export interface FileSystemInfo {
  readonly kind: FileSystemKind;
  /** '' where it has none. */
  readonly label: string;
  /** As its own tools write it; '' where it has none. */
  readonly uuid: string;
  /** Bytes; undefined where the superblock does not tell. */
  readonly size: number | undefined;
  /** Bytes of it that are in use; undefined where the superblock does not tell. */
  readonly used: number | undefined;
  /** Bytes of its blocks; 0 where it has none. */
  readonly blockSize: number;
  /** It was not unmounted cleanly, as far as it tells. */
  readonly isDirty: boolean;
  /** It is larger than the place that it lies in: the end is cut off. */
  readonly isCut: boolean;
  /** The checksum of its superblock is wrong: what is said here may be, too. */
  readonly isDamaged: boolean;
}

/** What a superblock itself tells; how it fits into its place is seen from outside. */
export type Superblock = Omit<FileSystemInfo, 'isCut'>;

/** What a reader makes of bytes: what is known by now, and where more of it would be. */
export interface Recognised {
  readonly found: Superblock;
  readonly more?: More | undefined;
}

/** Bytes that tell more: a label that lies elsewhere, a count. */
export interface More {
  /** Bytes from the start of the file system. */
  readonly offset: number;
  /** Bytes; what is asked for is cut to {@link MORE_BYTES}, and to what there is. */
  readonly length: number;
  /** Makes more of it with the bytes there; they may be fewer. */
  readonly take: (bytes: Uint8Array) => Recognised;
}

/** The most that is read at once for {@link More}, bytes: one FAT of FAT16. */
export const MORE_BYTES = 128 * 1024;

/**
 * Recognises a family of file systems.
 * @param first the first bytes of a place, up to {@link FIRST_BYTES}
 */
export type Reader = (first: Uint8Array) => Recognised | undefined;

/** The superblock that lies deepest, that of Btrfs, ends here. */
export const FIRST_BYTES = 68 * 1024;

/** What is known of nothing: what a superblock tells comes on top of it. */
export function unnamed(kind: FileSystemKind): Superblock {
  return {
    ...{ kind, label: '', uuid: '', size: undefined, used: undefined, blockSize: 0 },
    ...{ isDirty: false, isDamaged: false },
  };
}

/** Bytes of `count` blocks; undefined where no disk is that large: a number out of damage. */
export function bytesOf(count: number, blockSize: number): number | undefined {
  const bytes = count * blockSize;
  return Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : undefined;
}

/** Bytes in use; undefined where more would be free than there is. */
export function usedOf(size: number | undefined, free: number | undefined): number | undefined {
  if (size === undefined || free === undefined || free > size) return undefined;
  return size - free;
}

export function isPowerOfTwo(value: number, least: number, most: number): boolean {
  return value >= least && value <= most && Number.isInteger(Math.log2(value));
}

/** Whether the letters of `text` stand at `at`. */
export function says(bytes: Uint8Array, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (bytes[at + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

/** Text of at most `length` bytes up to the first zero, without spaces around it. */
export function textAt(bytes: Uint8Array, at: number, length: number): string {
  const part = bytes.subarray(at, at + length);
  const end = part.indexOf(0);
  return plain(new TextDecoder().decode(end < 0 ? part : part.subarray(0, end)));
}

/** The same of 16 bits each. @param length bytes */
export function wideTextAt(
  bytes: Uint8Array,
  at: number,
  length: number,
  encoding: 'utf-16le' | 'utf-16be' = 'utf-16le',
): string {
  const text = new TextDecoder(encoding).decode(bytes.subarray(at, at + length));
  return plain(text.replace(/\0.*$/su, ''));
}

/** A UUID of 16 bytes in their order; '' where all are zero. */
export function uuidAt(bytes: Uint8Array, at: number): string {
  const uuid = uuidText(bytes, at);
  return uuid === NULL_GUID || uuid.length !== NULL_GUID.length ? '' : uuid;
}

/** Nothing in it can move a cursor or turn the direction of text. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '\ufffd').trim();
}
