/**
 * Apple's disk images (UDIF): a trailer, tables of chunks («blkx»), and the chunks. Apple has no
 * specification in public; the names are those of «DMG file structure» (newosxbook.com).
 */
import type { Packing } from '../../codecs/packing.ts';
import { struct, u32, u64 } from '../../binary/struct.ts';

export const KOLY_BYTES = 512;
export const KOLY_TEXT = 'koly';

/** The trailer. */
export const KOLY = struct({
  signature: u32(0, 'Signature: koly', 'bits'),
  version: u32(4, 'Version of the format: 4'),
  headerSize: u32(8, 'Bytes of this trailer', 'bytes'),
  flags: u32(12, 'Flags of the image', 'bits'),
  runningOffset: u64(16, 'Where the data of this segment begin in those of all'),
  dataOffset: u64(24, 'Where the chunks begin'),
  dataLength: u64(32, 'Bytes of the chunks', 'bytes'),
  resourceOffset: u64(40, 'Where the resource fork is, with the tables of old images'),
  resourceLength: u64(48, 'Bytes of the resource fork; 0: none', 'bytes'),
  segment: u32(56, 'Number of this segment'),
  segments: u32(60, 'How many files the image is cut into'),
  dataChecksumType: u32(80, 'Checksum over the chunks; 2: CRC-32'),
  dataChecksumBits: u32(84, 'Bits of that checksum'),
  dataChecksum: u32(88, 'Its first 32 bits', 'bits'),
  xmlOffset: u64(216, 'Where the property list is, with the tables'),
  xmlLength: u64(224, 'Bytes of the property list; 0: none', 'bytes'),
  masterChecksumType: u32(352, 'Checksum over those of the tables; 2: CRC-32'),
  masterChecksumBits: u32(356, 'Bits of that checksum'),
  masterChecksum: u32(360, 'Its first 32 bits', 'bits'),
  variant: u32(488, 'Kind of image: 1 a whole device, 2 a partition'),
  sectors: u64(492, 'Size of the disk in sectors', 'count'),
});

/** A table: the chunks of one partition. */
export const TABLE = struct({
  signature: u32(0, 'Signature: mish', 'bits'),
  version: u32(4, 'Version: 1'),
  firstSector: u64(8, 'Where the partition begins, in sectors', 'count'),
  sectors: u64(16, 'Size of the partition in sectors', 'count'),
  dataOffset: u64(24, 'Added to the offsets of the chunks'),
  checksumType: u32(64, 'Checksum over the content; 2: CRC-32'),
  checksumBits: u32(68, 'Bits of that checksum'),
  checksum: u32(72, 'Its first 32 bits', 'bits'),
  chunks: u32(200, 'Number of chunks'),
});
export const TABLE_SIGNATURE = 0x6d697368;
export const TABLE_BYTES = 204;

export const CHUNK = struct({
  type: u32(0, 'How it is packed', 'bits'),
  sector: u64(8, 'First sector, from that of the table on', 'count'),
  sectors: u64(16, 'Number of sectors', 'count'),
  offset: u64(24, 'Where its bytes are'),
  length: u64(32, 'How many they are', 'bytes'),
});
export const CHUNK_BYTES = 40;

export const CHECKSUM_CRC32 = 2;

/** Kinds of chunks. Those that were never written («ignore») read as zeros, and have no checksum. */
export const ZERO = 0;
export const RAW = 1;
export const IGNORE = 2;
export const COMMENT = 0x7ffffffe;
export const END = 0xffffffff;

/** Names are those that hdiutil has for images of such chunks. */
export const PACKINGS: ReadonlyMap<number, { packing: Packing; name: string }> = new Map([
  [0x80000004, { packing: 'adc', name: 'UDCO (ADC)' }],
  [0x80000005, { packing: 'zlib-stream', name: 'UDZO (zlib)' }],
  [0x80000006, { packing: 'bzip2', name: 'UDBZ (bzip2)' }],
  [0x80000007, { packing: 'lzfse', name: 'ULFO (LZFSE)' }],
  [0x80000008, { packing: 'lzma', name: 'ULMO (LZMA)' }],
]);

/** QEMU's limits of a chunk: bytes in the file, and sectors. */
export const MAX_LENGTH = 64 * 1024 * 1024;
export const MAX_SECTORS = MAX_LENGTH / 512;
/** And of a property list; ours of a resource fork, too. Bytes. */
export const MAX_TABLES = 16 * 1024 * 1024;

/** All that the real program says of most faults, with the name of the file in front. */
export const INVALID = 'Invalid argument';
