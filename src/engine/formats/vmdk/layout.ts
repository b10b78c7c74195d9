/**
 * VMDK's structures on disk, all little-endian: the header of hosted sparse extents («KDMV»), of
 * ESX's copy-on-write extents («COWD») and of space-efficient ones, and the markers of streams.
 * Sources: VMware's «Virtual Disk Format 5.0»; for seSparse what QEMU and VMware have published.
 */
import { struct, u16le, u32le, u64le, u8, type Values } from '../../binary/struct.ts';

/** First four bytes of a hosted sparse extent, as a big-endian number: «KDMV». */
export const HOSTED_MAGIC = 0x4b444d56;
/** The same of a COWD extent. */
export const COWD_MAGIC = 0x434f5744;

/** «Hosted Sparse Extent Header». */
export const HOSTED_HEADER = struct({
  version: u32le(4, 'version of the extent, 1 to 3'),
  flags: u32le(8, 'what the extent has and how it is packed', 'bits'),
  capacity: u64le(12, 'sectors of the disk that the extent holds', 'count'),
  grainSize: u64le(20, 'sectors of a grain', 'count'),
  descriptorOffset: u64le(28, 'sector of the embedded descriptor, 0 without one', 'count'),
  descriptorSize: u64le(36, 'sectors of the embedded descriptor', 'count'),
  entriesPerTable: u32le(44, 'entries of a grain table'),
  redundantDirectory: u64le(48, 'sector of the redundant grain directory', 'count'),
  directory: u64le(56, 'sector of the grain directory; all ones: in the footer', 'count'),
  overhead: u64le(64, 'sectors that the metadata takes', 'count'),
  uncleanShutdown: u8(72, 'set while the extent is written to', 'bits'),
  singleEnd: u8(73, 'a line feed, spoilt by copying as text', 'bits'),
  nonEnd: u8(74, 'a space', 'bits'),
  doubleEnd1: u8(75, 'a carriage return', 'bits'),
  doubleEnd2: u8(76, 'a line feed', 'bits'),
  compression: u16le(77, 'how grains are packed: 0 not at all, 1 deflate'),
});

export type HostedHeader = Values<typeof HOSTED_HEADER>;

/** Bits of {@link HOSTED_HEADER}.flags. */
export const FLAG = {
  newlineTest: 1 << 0,
  redundantDirectory: 1 << 1,
  zeroedGrains: 1 << 2,
  compressed: 1 << 16,
  markers: 1 << 17,
} as const;

/** {@link HOSTED_HEADER}.compression: a zlib stream for each grain. */
export const DEFLATE = 1;
/** A grain directory «at the end»: its place is in the footer. 2^64-1, as u64le reads it. */
export const AT_END = 2 ** 64;
/** Entry of a grain table: the grain is zero, whatever is below. */
export const ZEROED = 1;

/** «ESX Server Sparse Extent Header». */
export const COWD_HEADER = struct({
  version: u32le(4, 'version of the extent'),
  flags: u32le(8, 'reserved', 'bits'),
  capacity: u32le(12, 'sectors of the disk that the extent holds'),
  grainSize: u32le(16, 'sectors of a grain'),
  directory: u32le(20, 'sector of the grain directory'),
  directorySize: u32le(24, 'entries of the grain directory'),
  freeSector: u32le(28, 'first sector that is not in use'),
});

/** Entries of a COWD grain table. */
export const COWD_TABLE = 4096;

/** «Constant header» of a space-efficient sparse extent. */
export const SE_HEADER = struct({
  magic: u64le(0, 'signature', 'bits'),
  version: u64le(8, 'version of the extent', 'bits'),
  capacity: u64le(16, 'sectors of the disk that the extent holds', 'count'),
  grainSize: u64le(24, 'sectors of a grain', 'count'),
  tableSize: u64le(32, 'sectors of a grain table', 'count'),
  flags: u64le(40, 'reserved', 'bits'),
  reserved1: u64le(48, 'reserved', 'bits'),
  reserved2: u64le(56, 'reserved', 'bits'),
  reserved3: u64le(64, 'reserved', 'bits'),
  reserved4: u64le(72, 'reserved', 'bits'),
  volatileOffset: u64le(80, 'sector of the volatile header', 'count'),
  volatileSize: u64le(88, 'sectors of the volatile header', 'count'),
  journalHeaderOffset: u64le(96, 'sector of the header of the journal', 'count'),
  journalHeaderSize: u64le(104, 'its sectors', 'count'),
  journalOffset: u64le(112, 'sector of the journal', 'count'),
  journalSize: u64le(120, 'its sectors', 'count'),
  directory: u64le(128, 'sector of the grain directory', 'count'),
  directorySize: u64le(136, 'its sectors', 'count'),
  tablesOffset: u64le(144, 'sector of the first grain table', 'count'),
  tablesSize: u64le(152, 'sectors of all grain tables', 'count'),
  freeBitmapOffset: u64le(160, 'sector of the bitmap of free grains', 'count'),
  freeBitmapSize: u64le(168, 'its sectors', 'count'),
  backmapOffset: u64le(176, 'sector of the map from grains to their entries', 'count'),
  backmapSize: u64le(184, 'its sectors', 'count'),
  grainsOffset: u64le(192, 'sector of the first grain', 'count'),
  grainsSize: u64le(200, 'sectors of all grains', 'count'),
});

/** «Volatile header» of a space-efficient sparse extent. */
export const SE_VOLATILE = struct({
  magic: u64le(0, 'signature', 'bits'),
  freeTable: u64le(8, 'next free grain table', 'count'),
  nextTransaction: u64le(16, 'number of the next transaction of the journal', 'count'),
  replayJournal: u64le(24, 'the journal holds changes that are not in their places yet', 'bits'),
});

/** A marker that is followed by metadata: «Stream-Optimized Compressed Sparse Extents». */
export const MARKER = struct({
  value: u64le(0, 'sectors of what follows', 'count'),
  size: u32le(8, '0 for markers of metadata'),
  type: u32le(12, 'what follows'),
});

export const MARKER_END = 0;
export const MARKER_FOOTER = 3;

/** A marker before a packed grain; what it packs follows at once. */
export const GRAIN_MARKER = struct({
  sector: u64le(0, 'sector of the disk that the grain begins with', 'count'),
  size: u32le(8, 'bytes that the packed grain takes'),
});

/** Bytes of a grain that is packed: it is unpacked in memory as a whole. Usually it has 64 KiB. */
export const LARGEST_PACKED = 16 * 1024 * 1024;
