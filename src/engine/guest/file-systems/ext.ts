/** ext2, ext3 and ext4: «The Super Block» of the Linux kernel's documentation of ext4. */
import { crc32c } from '../../binary/crc32c.ts';
import { struct, u16le, u32le, u8 } from '../../binary/struct.ts';
import { TWO_32 } from '../../binary/units.ts';
import {
  bytesOf,
  type FileSystemKind,
  type Recognised,
  textAt,
  unnamed,
  usedOf,
  uuidAt,
} from '../file-system.ts';

const AT = 1024;
const MAGIC = 0xef53;

const SUPER = struct({
  inodes: u32le(0, 'Inodes'),
  blocksLow: u32le(4, 'Blocks, lower 32 bits'),
  freeLow: u32le(12, 'Free blocks, lower 32 bits'),
  firstBlock: u32le(20, 'First block with data: 1 for blocks of 1 KiB, else 0'),
  logBlockSize: u32le(24, 'Block size as 2^(10 + n)', 'bits'),
  blocksPerGroup: u32le(32, 'Blocks of a group'),
  clustersPerGroup: u32le(36, 'What a group has bits for: blocks, or clusters of them'),
  magic: u16le(56, 'Signature', 'bytes'),
  state: u16le(58, 'Cleanly unmounted, has errors', 'bits'),
  compat: u32le(92, 'Features that may be ignored', 'bits'),
  incompat: u32le(96, 'Features that must be known', 'bits'),
  roCompat: u32le(100, 'Features that must be known for writing', 'bits'),
  blocksHigh: u32le(336, 'Blocks, upper 32 bits'),
  freeHigh: u32le(344, 'Free blocks, upper 32 bits'),
  checksumType: u8(373, 'How checksums are made: 1 is CRC-32C'),
  checksum: u32le(1020, 'Checksum of the superblock', 'bytes'),
});
const UUID_AT = 104;
const LABEL_AT = 120;
const LABEL_BYTES = 16;
const CHECKSUM_AT = 1020;

const STATE_CLEAN = 1;
const STATE_ERRORS = 2;
const HAS_JOURNAL = 0x4;
const FILE_TYPE = 0x2;
const NEEDS_RECOVERY = 0x4;
const IS_JOURNAL = 0x8;
const META_GROUPS = 0x10;
const IS_64_BIT = 0x80;
const METADATA_CHECKSUMS = 0x400;
/** Sparse superblocks, large files, trees in directories. */
const OLD_RO_COMPAT = 0x7;

type Super = ReturnType<typeof SUPER.read>;

export function readExt(first: Uint8Array): Recognised | undefined {
  const bytes = first.subarray(AT, AT + SUPER.size);
  if (bytes.length < SUPER.size) return undefined;
  const values = SUPER.read(bytes);
  if (values.magic !== MAGIC || values.logBlockSize > 6) return undefined;
  const blockSize = 1024 * 2 ** values.logBlockSize;
  // Two bytes of signature prove nothing: the rest has to make sense, too.
  const isSane =
    values.inodes > 0 &&
    values.blocksLow + values.blocksHigh > 0 &&
    values.firstBlock <= 1 &&
    values.blocksPerGroup > 0 &&
    values.clustersPerGroup <= 8 * blockSize;
  if (!isSane || (values.incompat & IS_JOURNAL) !== 0) return undefined;
  const isLong = (values.incompat & IS_64_BIT) !== 0;
  const size = bytesOf(values.blocksLow + (isLong ? values.blocksHigh * TWO_32 : 0), blockSize);
  const free = bytesOf(values.freeLow + (isLong ? values.freeHigh * TWO_32 : 0), blockSize);
  const found = {
    ...unnamed(kindOf(values)),
    label: textAt(bytes, LABEL_AT, LABEL_BYTES),
    uuid: uuidAt(bytes, UUID_AT),
    ...{ size, used: usedOf(size, free), blockSize },
    isDirty: isDirty(values),
    isDamaged: isDamaged(values, bytes),
  };
  return { found };
}

/** By its features, as everybody tells them apart. */
function kindOf({ compat, incompat, roCompat }: Super): FileSystemKind {
  const hasJournal = (compat & HAS_JOURNAL) !== 0;
  const known = FILE_TYPE | META_GROUPS | (hasJournal ? NEEDS_RECOVERY : 0);
  if ((incompat & ~known) !== 0 || (roCompat & ~OLD_RO_COMPAT) !== 0) return 'ext4';
  return hasJournal ? 'ext3' : 'ext2';
}

function isDirty({ state, incompat }: Super): boolean {
  const isClean = (state & STATE_CLEAN) !== 0 && (state & STATE_ERRORS) === 0;
  return !isClean || (incompat & NEEDS_RECOVERY) !== 0;
}

function isDamaged({ roCompat, checksum }: Super, bytes: Uint8Array): boolean {
  if ((roCompat & METADATA_CHECKSUMS) === 0) return false;
  // Without the inversion at the end.
  return ~crc32c(bytes, 0, 0, CHECKSUM_AT) >>> 0 !== checksum;
}
