/** Where everything is in a VHDX file. Sections of [MS-VHDX]. All numbers are little-endian. */
import { crc32c } from '../../binary/crc32c.ts';
import { bits64le, struct, u16le, u32le, u64le } from '../../binary/struct.ts';
import { KIB, MIB } from '../../binary/units.ts';

export const SIGNATURE = 'vhdxfile';
/** Of the program that made the file, in UTF-16, behind the signature (section 2.2.1). */
export const CREATOR = { offset: 8, length: 512 } as const;
/** Both headers (section 2.2.2) and what their checksum covers. */
export const HEADERS_AT = [64 * KIB, 128 * KIB] as const;
export const HEADER_BYTES = 4 * KIB;
/** Both region tables (section 2.2.3). */
export const REGION_TABLES_AT = [192 * KIB, 256 * KIB] as const;
export const TABLE_BYTES = 64 * KIB;
/** Where the log, regions and blocks begin at the earliest; all of them are so aligned. */
export const FIRST_MIB = MIB;
/** Entries that a region or metadata table has room for. */
export const MOST_ENTRIES = 2047;
export const MOST_DISK = 64 * 2 ** 40;
export const LEAST_BLOCK = MIB;
export const MOST_BLOCK = 256 * MIB;
/** Sectors of the guest that one bitmap block has bits for (section 2.4). */
export const CHUNK_SECTORS = 2 ** 23;
export const GUID_BYTES = 16;

/** What is no number in {@link HEADER}. */
export const HEADER_AT = { fileWriteGuid: 16, dataWriteGuid: 32, logGuid: 48 } as const;
export const HEADER_FIELDS_END = 80;
/** "head", and the other signatures as little-endian numbers. */
export const SIGNATURES = {
  header: 0x64616568,
  regions: 0x69676572,
  logEntry: 0x65676f6c,
  dataDescriptor: 0x63736564,
  zeroDescriptor: 0x6f72657a,
  dataSector: 0x61746164,
} as const;
/** Of all structures with a checksum: where it is. */
export const CHECKSUM_AT = 4;

/** A header: section 2.2.2. */
export const HEADER = struct({
  signature: u32le(0, '"head"', 'bits'),
  checksum: u32le(4, 'CRC-32C of the header, 4096 bytes', 'bits'),
  sequenceNumber: bits64le(8, 'The header with the larger one counts', 'count'),
  logVersion: u16le(64, 'Version of the log: 0'),
  version: u16le(66, 'Version of the format: 1'),
  logLength: u32le(68, 'Length of the log', 'bytes'),
  logOffset: u64le(72, 'Where the log is'),
});

/** Head of a region table: section 2.2.3.1. */
export const REGION_HEADER = struct({
  signature: u32le(0, '"regi"', 'bits'),
  checksum: u32le(4, 'CRC-32C of the table, 64 KiB', 'bits'),
  entryCount: u32le(8, 'How many regions there are'),
});
export const REGION_HEADER_BYTES = 16;

/** A region: section 2.2.3.2. Its identity is before that. */
export const REGION_ENTRY = struct({
  fileOffset: bits64le(16, 'Where the region is', 'offset'),
  length: u32le(24, 'Length of the region', 'bytes'),
  required: u32le(28, 'Bit 0: whoever does not know it must not open the file', 'bits'),
});
export const REGION_ENTRY_BYTES = 32;
export const REGIONS = {
  bat: '2dc27766-f623-4200-9d64-115e9bfd4a08',
  metadata: '8b7ca206-4790-4b9a-b8fe-575f050f886e',
} as const;

export const METADATA_SIGNATURE = 'metadata';
/** Head of the metadata table: section 2.6.1.1. */
export const METADATA_HEADER = struct({
  entryCount: u16le(10, 'How many metadata items there are'),
});
/** Bytes of a head or an entry. */
export const METADATA_ENTRY_BYTES = 32;
/** A metadata item: section 2.6.1.2. Its identity is before that. */
export const METADATA_ENTRY = struct({
  offset: u32le(16, 'Where the item is, from the start of the region', 'offset'),
  length: u32le(20, 'Length of the item', 'bytes'),
  flags: u32le(24, 'Bit 0: of the user; 1: of the disk; 2: required', 'bits'),
});
export const METADATA_FLAGS = { disk: 2, required: 4 } as const;
/** Section 2.6.2. */
export const METADATA = {
  fileParameters: 'caa16737-fa36-4d43-b3b6-33f0aa44e76b',
  diskSize: '2fa54224-cd1b-4876-b211-5dbed83bf4b8',
  diskId: 'beca12ab-b2e6-4523-93ef-c309e000c746',
  logicalSectorSize: '8141bf1d-a96f-4709-ba47-f233a8faab5f',
  physicalSectorSize: 'cda348c7-445d-4471-9cc9-e9885251c556',
  parentLocator: 'a8d35f2d-b30b-454d-abf7-d3d84834ab0c',
} as const;
/** Section 2.6.2.1. */
export const FILE_PARAMETERS = struct({
  blockSize: u32le(0, 'Bytes of a block', 'bytes'),
  flags: u32le(4, 'Bit 0: all blocks stay allocated; 1: there is a parent', 'bits'),
});
export const PARAMETER_FLAGS = { leaveAllocated: 1, hasParent: 2 } as const;

/** The only kind of parent that is specified: section 2.6.2.6.3. */
export const PARENT_VHDX = 'b04aefb7-d19e-4a81-b789-25b8e9445913';

/** Unit of the log, bytes. */
export const LOG_SECTOR = 4 * KIB;
/** Head of an entry of the log: section 2.3.1.1. */
export const LOG_ENTRY = struct({
  signature: u32le(0, '"loge"', 'bits'),
  checksum: u32le(4, 'CRC-32C of the entry', 'bits'),
  entryLength: u32le(8, 'Length of the entry', 'bytes'),
  tail: u32le(12, 'Where the oldest entry is that has to be replayed', 'offset'),
  sequenceNumber: bits64le(16, 'One more than that of the entry before', 'count'),
  descriptorCount: u32le(24, 'How many descriptors there are'),
  flushedFileOffset: u64le(48, 'The file was at least so long', 'bytes'),
  lastFileOffset: u64le(56, 'The file has to be at least so long', 'bytes'),
});
export const LOG_ENTRY_BYTES = 64;
export const LOG_GUID_AT = 32;

/** What a log entry does: sections 2.3.1.2 and 2.3.1.3. */
export const LOG_DESCRIPTOR = struct({
  signature: u32le(0, '"desc" or "zero"', 'bits'),
  trailingBytes: u32le(4, 'The last four bytes of the sector', 'bits'),
  leadingBytes: bits64le(8, 'The first eight bytes of the sector, or how many bytes are zeros'),
  fileOffset: u64le(16, 'Where in the file'),
  sequenceNumber: bits64le(24, 'That of the entry', 'count'),
});
export const LOG_DESCRIPTOR_BYTES = 32;
/** Bytes of a sector that are kept in the descriptor: section 2.3.1.4. */
export const LEADING_BYTES = 8;
export const TRAILING_BYTES = 4;

/** States of a payload block: section 2.5.1.1. */
export const PAYLOAD = {
  notPresent: 0,
  undefined: 1,
  zero: 2,
  unmapped: 3,
  /** Of drafts of the format. */
  unmappedDraft: 5,
  fullyPresent: 6,
  partiallyPresent: 7,
} as const;
/** State of a bitmap block that is in the file: section 2.5.1.2. */
export const BITMAP_PRESENT = 6;
/** Bytes of a bitmap block. */
export const BITMAP_BYTES = MIB;

/** What the words of a BAT entry say: section 2.5.1. */
export function entryState(low: number): number {
  return low & 7;
}

/** Bytes from the start of the file; beyond 2^53 still exact, since it is a multiple of 1 MiB. */
export function entryOffset(high: number, low: number): number {
  return high * 4294967296 + ((low & 0xfff00000) >>> 0);
}

/** The checksum of a structure, with zeros in its place. */
export function checksumOf(bytes: Uint8Array): number {
  const head = crc32c(bytes, 0, 0, CHECKSUM_AT);
  return crc32c(bytes, crc32c(new Uint8Array(4), head), CHECKSUM_AT + 4);
}

/** Puts the checksum of a structure in its place. */
export function seal(bytes: Uint8Array): void {
  const sum = checksumOf(bytes);
  for (let i = 0; i < 4; i++) bytes[CHECKSUM_AT + i] = (sum >>> (8 * i)) & 0xff;
}

/** Whether a structure has the checksum that it should. */
export function isSealed(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(CHECKSUM_AT, true) === checksumOf(bytes);
}

/** The order of the bytes of a GUID, by its text. */
const GUID_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15] as const;
/** The sixteen bytes of a GUID. */
export function guidBytes(text: string): Uint8Array<ArrayBuffer> {
  const hex = text.replaceAll('-', '');
  const bytes = new Uint8Array(GUID_BYTES);
  for (const [index, place] of GUID_ORDER.entries()) {
    bytes[place] = parseInt(hex.slice(index * 2, index * 2 + 2), 16);
  }
  return bytes;
}

/** One that nobody has. */
export function newGuid(): Uint8Array<ArrayBuffer> {
  return guidBytes(crypto.randomUUID());
}

/** Whether bytes are the letters of a text. */
export function hasText(bytes: Uint8Array, text: string, at = 0): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}
