/**
 * What appliances and phones are made of: SquashFS (`squashfs_super_block`), EROFS («On-disk
 * details» of the kernel's documentation) and F2FS (`f2fs_super_block`). Little-endian.
 */
import { crc32c } from '../../binary/crc32c.ts';
import { struct, u16le, u32le, u64le, u8 } from '../../binary/struct.ts';
import { bytesOf, type Recognised, textAt, unnamed, uuidAt, wideTextAt } from '../file-system.ts';

const SQUASHFS = struct({
  magic: u32le(0, 'Signature', 'bytes'),
  blockSize: u32le(12, 'Block size, bytes', 'bytes'),
  blockBits: u16le(22, 'The same as 2^n'),
  version: u16le(28, 'Version of the format'),
  bytes: u64le(40, 'Bytes of all of it', 'bytes'),
});
const SQUASHFS_MAGIC = 0x73717368;

export function readSquashfs(first: Uint8Array): Recognised | undefined {
  if (first.length < 96) return undefined;
  const { magic, blockSize, blockBits, version, bytes } = SQUASHFS.read(first);
  const isSane = version === 4 && blockBits <= 20 && blockSize === 2 ** blockBits;
  if (magic !== SQUASHFS_MAGIC || !isSane) return undefined;
  const size = bytesOf(bytes, 1);
  return { found: { ...unnamed('squashfs'), size, blockSize } };
}

const AT = 1024;

const EROFS = struct({
  magic: u32le(0, 'Signature', 'bytes'),
  checksum: u32le(4, 'Checksum of the first block from here on', 'bytes'),
  compat: u32le(8, 'Features that may be ignored', 'bits'),
  blockBits: u8(12, 'Block size as 2^n'),
  blocks: u32le(36, 'Blocks'),
});
const EROFS_MAGIC = 0xe0f5e1e2;
const EROFS_HAS_CHECKSUM = 1;
const EROFS_UUID_AT = 48;
const EROFS_LABEL_AT = 64;
const EROFS_LABEL_BYTES = 16;

export function readErofs(first: Uint8Array): Recognised | undefined {
  const bytes = first.subarray(AT);
  if (bytes.length < 128) return undefined;
  const { magic, checksum, compat, blockBits, blocks } = EROFS.read(bytes);
  if (magic !== EROFS_MAGIC || blockBits < 9 || blockBits > 16) return undefined;
  const blockSize = 2 ** blockBits;
  const hasChecksum = (compat & EROFS_HAS_CHECKSUM) !== 0 && blockSize > AT;
  const found = {
    ...unnamed('erofs'),
    label: textAt(bytes, EROFS_LABEL_AT, EROFS_LABEL_BYTES),
    uuid: uuidAt(bytes, EROFS_UUID_AT),
    size: bytesOf(blocks, blockSize),
    blockSize,
    isDamaged: hasChecksum && erofsChecksum(bytes, blockSize - AT) !== checksum,
  };
  return { found };
}

/** With zeros in its own place, and without the inversion at the end. */
function erofsChecksum(bytes: Uint8Array, length: number): number {
  const blank = bytes.slice(0, length);
  blank.fill(0, 4, 8);
  return ~crc32c(blank) >>> 0;
}

const F2FS = struct({
  magic: u32le(0, 'Signature', 'bytes'),
  blockBits: u32le(16, 'Block size as 2^n'),
  blocks: u64le(36, 'Blocks', 'count'),
});
const F2FS_MAGIC = 0xf2f52010;
const F2FS_UUID_AT = 108;
const F2FS_LABEL_AT = 124;
const F2FS_LABEL_BYTES = 1024;

export function readF2fs(first: Uint8Array): Recognised | undefined {
  const bytes = first.subarray(AT);
  if (bytes.length < F2FS_LABEL_AT + F2FS_LABEL_BYTES) return undefined;
  const { magic, blockBits, blocks } = F2FS.read(bytes);
  if (magic !== F2FS_MAGIC || blockBits < 9 || blockBits > 16) return undefined;
  const blockSize = 2 ** blockBits;
  const found = {
    ...unnamed('f2fs'),
    label: wideTextAt(bytes, F2FS_LABEL_AT, F2FS_LABEL_BYTES),
    uuid: uuidAt(bytes, F2FS_UUID_AT),
    size: bytesOf(blocks, blockSize),
    blockSize,
  };
  return { found };
}
