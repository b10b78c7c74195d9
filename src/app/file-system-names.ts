import type { FileSystemKind } from '../engine/guest/file-system.ts';

/** Proper names, the same in every language but for what says `swap` in its own words. */
export const FILE_SYSTEM_NAMES: Readonly<Record<FileSystemKind, string>> = {
  ext2: 'ext2',
  ext3: 'ext3',
  ext4: 'ext4',
  xfs: 'XFS',
  btrfs: 'Btrfs',
  ntfs: 'NTFS',
  fat12: 'FAT12',
  fat16: 'FAT16',
  fat32: 'FAT32',
  exfat: 'exFAT',
  iso9660: 'ISO 9660',
  swap: 'Linux swap',
  lvm2: 'LVM',
  luks1: 'LUKS1',
  luks2: 'LUKS2',
  apfs: 'APFS',
  'hfs-plus': 'HFS+',
  zfs: 'ZFS',
  refs: 'ReFS',
  squashfs: 'SquashFS',
  erofs: 'EROFS',
  f2fs: 'F2FS',
  bitlocker: 'BitLocker',
  'md-raid': 'Linux RAID',
};
