/** XFS: «Superblocks» of «XFS Algorithms & Data Structures», chapter 13. Big-endian. */
import { crc32c } from '../../binary/crc32c.ts';
import { struct, u16, u32, u32le, u64 } from '../../binary/struct.ts';
import {
  bytesOf,
  isPowerOfTwo,
  type Recognised,
  says,
  textAt,
  unnamed,
  usedOf,
  uuidAt,
} from '../file-system.ts';

const MAGIC = 'XFSB';

const SUPER = struct({
  blockSize: u32(4, 'Block size, bytes', 'bytes'),
  blocks: u64(8, 'Blocks', 'count'),
  groupBlocks: u32(84, 'Blocks of an allocation group'),
  groups: u32(88, 'Allocation groups'),
  version: u16(100, 'Version and old features', 'bits'),
  sectorSize: u16(102, 'Sector size, bytes', 'bytes'),
  freeBlocks: u64(144, 'Free blocks', 'count'),
  incompat: u32(216, 'Features that must be known', 'bits'),
  checksum: u32le(224, 'Checksum of the superblock', 'bytes'),
});
const UUID_AT = 32;
const LABEL_AT = 108;
const LABEL_BYTES = 12;
const CHECKSUM_AT = 224;

const VERSION_MASK = 0xf;
const WITH_CHECKSUMS = 5;
/** A repair has begun and not ended. */
const NEEDS_REPAIR = 0x10;

export function readXfs(first: Uint8Array): Recognised | undefined {
  if (first.length < 512 || !says(first, 0, MAGIC)) return undefined;
  const values = SUPER.read(first);
  const { blockSize, sectorSize, groups, groupBlocks } = values;
  const isSane =
    isPowerOfTwo(blockSize, 512, 65536) &&
    isPowerOfTwo(sectorSize, 512, 32768) &&
    groups > 0 &&
    groupBlocks > 0;
  if (!isSane) return undefined;
  const hasChecksum = (values.version & VERSION_MASK) === WITH_CHECKSUMS;
  const size = bytesOf(values.blocks, blockSize);
  const found = {
    ...unnamed('xfs'),
    label: textAt(first, LABEL_AT, LABEL_BYTES),
    uuid: uuidAt(first, UUID_AT),
    ...{ size, used: usedOf(size, bytesOf(values.freeBlocks, blockSize)), blockSize },
    isDirty: hasChecksum && (values.incompat & NEEDS_REPAIR) !== 0,
    isDamaged: hasChecksum && checksumOf(first, sectorSize) !== values.checksum,
  };
  return { found };
}

/** Of the whole sector, with zeros in its own place. */
function checksumOf(first: Uint8Array, sectorSize: number): number {
  const before = crc32c(first, 0, 0, CHECKSUM_AT);
  const between = crc32c(new Uint8Array(4), before);
  return crc32c(first, between, CHECKSUM_AT + 4, Math.min(sectorSize, first.length));
}
