/**
 * The structures of a qcow2 file as field tables, in our words. Section names are those of the
 * specification, docs/interop/qcow2.txt of QEMU. All integers are big-endian.
 */
import { bits64, struct, u16, u32, u64, u8, type Values } from '../../binary/struct.ts';

/** "QFI" and 0xfb. */
export const MAGIC = 0x514649fb;

/** «Header», the 72 bytes that both versions have. */
export const HEADER_V2 = struct({
  magic: u32(0, 'Marks the file as qcow2: “QFI” and 0xFB', 'bits'),
  version: u32(4, 'Version of the format: 2 or 3'),
  backingFileOffset: u64(8, 'Where the name of the backing file is; 0 when there is none'),
  backingFileSize: u32(16, 'Length of that name, bytes, at most 1023'),
  clusterBits: u32(20, 'A cluster is 2 to this power bytes: 9 (512 B) to 21 (2 MiB)'),
  size: u64(24, 'Virtual size of the disk, bytes', 'bytes'),
  cryptMethod: u32(32, 'Encryption: 0 none, 1 legacy AES, 2 LUKS'),
  l1Size: u32(36, 'Entries in the active L1 table'),
  l1TableOffset: u64(40, 'Where the active L1 table is'),
  refcountTableOffset: u64(48, 'Where the refcount table is'),
  refcountTableClusters: u32(56, 'Length of the refcount table in clusters'),
  snapshotCount: u32(60, 'Number of internal snapshots'),
  snapshotsOffset: u64(64, 'Where the snapshot table is'),
});

/** «Header», what version 3 adds. */
export const HEADER_V3 = struct({
  incompatibleFeatures: bits64(72, 'Features that a reader must know to open the image'),
  compatibleFeatures: bits64(80, 'Features that a reader may ignore'),
  autoclearFeatures: bits64(88, 'Features that a writer must clear unless it knows them'),
  refcountOrder: u32(96, 'A refcount is 2 to this power bits wide: 0 (1 bit) to 6 (64 bits)'),
  headerLength: u32(100, 'Length of this header, bytes'),
});

/** «Header», additional field: present only when the header is longer than 104 bytes. */
export const HEADER_COMPRESSION = struct({
  compressionType: u8(104, 'How clusters are compressed: 0 zlib, 1 zstd'),
});

/** Every field of the header; a version 2 image gets the values that version 3 would say. */
export type HeaderFields = Values<typeof HEADER_V2> &
  Values<typeof HEADER_V3> &
  Values<typeof HEADER_COMPRESSION>;

/** «Header extensions»: what precedes the data of each. */
export const EXTENSION = struct({
  type: u32(0, 'What the extension holds', 'bits'),
  length: u32(4, 'Length of its data, bytes, without the padding to 8', 'bytes'),
});

/** Known extension types. */
export const EXTENSION_TYPE = {
  end: 0,
  backingFormat: 0xe2792aca,
  featureNames: 0x6803f857,
  bitmaps: 0x23852875,
  crypto: 0x0537be77,
  dataFile: 0x44415441,
} as const;

/**
 * An extension of our own: what the backing file was like. Programs that do not know it keep it when
 * they write the header anew, as they keep all that they do not know.
 */
export const FINGERPRINT_TYPE = 0x51626670;

/** What that extension holds; behind it the name of the backing file in UTF-8. */
export const FINGERPRINT_EXTENSION = struct({
  layout: u32(0, 'Layout of what follows: 1'),
  flags: u32(4, 'Bit 0: the content could be read', 'bits'),
  taken: u64(8, 'When it was taken, milliseconds since 1970', 'time'),
  fileSize: u64(16, 'Size of the backing file, bytes', 'bytes'),
  virtualSize: u64(24, 'Size of its disk, bytes', 'bytes'),
});

/** «Bitmaps extension». */
export const BITMAPS_EXTENSION = struct({
  count: u32(0, 'Number of bitmaps'),
  reserved: u32(4, 'Must be zero', 'bits'),
  directorySize: u64(8, 'Length of the bitmap directory, bytes', 'bytes'),
  directoryOffset: u64(16, 'Where the bitmap directory is'),
});

/** «Bitmap directory entry», the fixed part. */
export const BITMAP_ENTRY = struct({
  tableOffset: u64(0, 'Where the bitmap table is'),
  tableSize: u32(8, 'Entries in the bitmap table'),
  flags: u32(
    12,
    'Bit 0 in use, bit 1 recorded automatically, bit 2 extra data may be ignored',
    'bits',
  ),
  type: u8(16, 'Kind of bitmap: 1 dirty tracking'),
  granularityBits: u8(17, 'One bit stands for 2 to this power bytes'),
  nameSize: u16(18, 'Length of the name, bytes'),
  extraDataSize: u32(20, 'Length of the extra data, bytes'),
});

/** «Full disk encryption header pointer». */
export const CRYPTO_EXTENSION = struct({
  offset: u64(0, 'Where the LUKS header is'),
  length: u64(8, 'Length of the LUKS header, bytes', 'bytes'),
});

/** «Snapshots»: the fixed part of a table entry. */
export const SNAPSHOT_ENTRY = struct({
  l1TableOffset: u64(0, 'Where the snapshot’s L1 table is'),
  l1Size: u32(8, 'Entries in it'),
  idSize: u16(12, 'Length of the id, bytes'),
  nameSize: u16(14, 'Length of the name, bytes'),
  dateSeconds: u32(16, 'When it was taken, seconds since 1970', 'time'),
  dateNanoseconds: u32(20, 'and nanoseconds'),
  vmClock: u64(24, 'Guest clock, nanoseconds', 'count'),
  vmStateSize: u32(32, 'Size of the saved machine state, bytes', 'bytes'),
  extraDataSize: u32(36, 'Length of the extra data, bytes', 'bytes'),
});

/** «Snapshots»: the extra data that version 3 requires (16 bytes) and QEMU writes (24 bytes). */
export const SNAPSHOT_EXTRA = struct({
  vmStateSize: u64(0, 'Size of the saved machine state, bytes; replaces the 32-bit one', 'bytes'),
  diskSize: u64(8, 'Virtual size of the disk at that time, bytes', 'bytes'),
  icount: bits64(16, 'Instructions executed; all ones: not recorded', 'count'),
});

/** A feature bit of the specification. */
export interface KnownFeature {
  readonly set: 'incompatible' | 'compatible' | 'autoclear';
  readonly bit: number;
  /** The specification's name. */
  readonly name: string;
}

/** «Header», feature bits. */
export const FEATURES: readonly KnownFeature[] = [
  { set: 'incompatible', bit: 0, name: 'dirty bit' },
  { set: 'incompatible', bit: 1, name: 'corrupt bit' },
  { set: 'incompatible', bit: 2, name: 'external data file' },
  { set: 'incompatible', bit: 3, name: 'compression type' },
  { set: 'incompatible', bit: 4, name: 'extended L2 entries' },
  { set: 'compatible', bit: 0, name: 'lazy refcounts' },
  { set: 'autoclear', bit: 0, name: 'bitmaps' },
  { set: 'autoclear', bit: 1, name: 'raw external data' },
];

/** QEMU 7.2's limits: what no reader needs to go beyond. */
export const LIMITS = {
  minClusterBits: 9,
  maxClusterBits: 21,
  /** Bytes of an L1 table. */
  l1Bytes: 32 * 1024 * 1024,
  /** Bytes of the refcount table. */
  refcountTableBytes: 8 * 1024 * 1024,
  snapshots: 65536,
  snapshotTableBytes: 64 * 1024 * 1024,
  snapshotExtraBytes: 1024,
  backingNameBytes: 1023,
  backingFormatBytes: 15,
  bitmaps: 65535,
  bitmapDirectoryBytes: 65535 * 1024,
  bitmapTableEntries: 0x8000000,
  bitmapNameBytes: 1023,
} as const;
