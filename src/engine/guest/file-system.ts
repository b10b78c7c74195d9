/** What is known of a file system, volume or the like from its superblock. */

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
}
