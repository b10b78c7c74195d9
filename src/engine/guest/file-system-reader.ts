/**
 * What is on a disk and in its partitions, by tables and superblocks. A few KiB of each are read,
 * however large it is.
 */
import { isImageError } from '../errors.ts';
import {
  FIRST_BYTES,
  type FileSystemInfo,
  type FileSystemKind,
  MORE_BYTES,
  type Reader,
  type Recognised,
} from './file-system.ts';
import { readApfs, readHfsPlus } from './file-systems/apple.ts';
import { readBtrfs } from './file-systems/btrfs.ts';
import { readExfat } from './file-systems/exfat.ts';
import { readExt } from './file-systems/ext.ts';
import { readFat } from './file-systems/fat.ts';
import { readErofs, readF2fs, readSquashfs } from './file-systems/flash.ts';
import { readIso } from './file-systems/iso9660.ts';
import { readLuks } from './file-systems/luks.ts';
import { readLvm } from './file-systems/lvm.ts';
import { MEMBER_BYTES, memberPlaces, readMdRaid, readMdRaidAtEnd } from './file-systems/md-raid.ts';
import { readBitlocker, readNtfs, readRefs } from './file-systems/ntfs.ts';
import { readSwap } from './file-systems/swap.ts';
import { readXfs } from './file-systems/xfs.ts';
import { readZfs } from './file-systems/zfs.ts';
import {
  type Partition,
  type PartitionTable,
  type ReadGuest,
  readPartitions,
} from './partitions.ts';

/**
 * What others are inside of comes first, and what begins like another before that: a container may
 * keep the superblock of what was there before it. FAT says least of itself.
 */
const READERS: readonly Reader[] = [
  ...[readMdRaid, readLuks, readLvm, readBitlocker],
  ...[readBtrfs, readXfs, readExt, readF2fs, readErofs, readSquashfs],
  ...[readExfat, readNtfs, readRefs, readApfs, readHfsPlus],
  ...[readSwap, readZfs, readIso, readFat],
];

/** What is found in steps ends: no file system needs more of them. */
const MOST_STEPS = 4;

/** Places that are looked into: no table that makes sense has more partitions. */
const MOST_PARTITIONS = 256;

/** These begin in the first sector, where an MBR would be: what looks like one is none. */
const IN_FIRST_SECTOR: readonly FileSystemKind[] = [
  ...(['fat12', 'fat16', 'fat32', 'exfat', 'ntfs', 'refs', 'bitlocker'] as const),
];

/** What the bytes at a place are; undefined: nothing that is known here. */
export function recognise(first: Uint8Array): Recognised | undefined {
  for (const reader of READERS) {
    const recognised = reader(first);
    if (recognised !== undefined) return recognised;
  }
  return undefined;
}

/** What is in a disk, as far as it could be read. */
export interface GuestContents {
  readonly table: PartitionTable | undefined;
  /** Of each partition of the table; `unreadable`: its first bytes cannot be had. */
  readonly inside: readonly (FileSystemInfo | 'unreadable' | undefined)[];
  /** What the disk is besides, or without a table: discs that also start from a stick are both. */
  readonly whole: FileSystemInfo | undefined;
}

/**
 * Looks at a disk of `size` bytes.
 * @throws what `read` throws for the beginning of the disk
 */
export async function readContents(read: ReadGuest, size: number): Promise<GuestContents> {
  const whole = await readFileSystem(read, 0, size);
  const table = await readPartitions(read, size);
  const isBoot = whole !== undefined && IN_FIRST_SECTOR.includes(whole.kind);
  if (table === undefined || (table.scheme === 'mbr' && isBoot)) {
    return { table: undefined, inside: [], whole };
  }
  const inside: (FileSystemInfo | 'unreadable' | undefined)[] = [];
  for (const [index, partition] of table.partitions.entries()) {
    inside.push(index < MOST_PARTITIONS ? await readPartition(read, partition, size) : undefined);
  }
  return { table, inside, whole: whole?.kind === 'iso9660' ? whole : undefined };
}

/** One bad place says nothing about the others. */
async function readPartition(
  read: ReadGuest,
  { start, length }: Partition,
  size: number,
): Promise<FileSystemInfo | 'unreadable' | undefined> {
  try {
    return await readFileSystem(read, start, Math.min(length, size - start));
  } catch (error) {
    if (isImageError(error, 'unreadable-cluster')) return 'unreadable';
    throw error;
  }
}

/**
 * The file system in a place. Bytes.
 * @throws what `read` throws
 */
export async function readFileSystem(
  read: ReadGuest,
  start: number,
  length: number,
): Promise<FileSystemInfo | undefined> {
  if (length < 512) return undefined;
  const first = await read(start, Math.min(FIRST_BYTES, length));
  // What cannot be read behind it does not keep what is known from being said.
  const within = async (offset: number, most: number): Promise<Uint8Array> => {
    const bytes = Math.min(most, length - offset);
    if (offset < 0 || bytes <= 0) return NOTHING;
    try {
      return await read(start + offset, bytes);
    } catch (error) {
      if (isImageError(error, 'unreadable-cluster')) return NOTHING;
      throw error;
    }
  };
  let recognised: Recognised | undefined;
  for (const at of memberPlaces(length)) {
    recognised ??= readMdRaidAtEnd(await within(at, MEMBER_BYTES), at);
  }
  recognised ??= recognise(first);
  for (let step = 0; step < MOST_STEPS && recognised?.more !== undefined; step++) {
    const { offset, length: most, take } = recognised.more;
    recognised = take(await within(offset, Math.min(most, MORE_BYTES)));
  }
  if (recognised === undefined) return undefined;
  const { found } = recognised;
  return { ...found, isCut: found.size !== undefined && found.size > length };
}

const NOTHING = new Uint8Array();
