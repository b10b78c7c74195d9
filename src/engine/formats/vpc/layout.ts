/**
 * The structures of a VHD: «Virtual Hard Disk Image Format Specification», version 1.0. All numbers
 * are big-endian.
 */
import { bits64, struct, u16, u32, u64, u8 } from '../../binary/struct.ts';
import { SECTOR, TWO_32 } from '../../binary/units.ts';

/** Bytes of the footer, and of its copy at the beginning. */
export const FOOTER_SIZE = 512;
/** Bytes of the header of dynamic and differencing disks. */
export const HEADER_SIZE = 1024;
export const COOKIE = 'conectix';
export const HEADER_COOKIE = 'cxsparse';
/** A BAT entry of a block that is not in the file. */
export const UNUSED = 0xffffffff;
/** Both versions, the footer's and the header's. */
export const VERSION_1 = 0x00010000;

/** «Disk Type». */
export const TYPE_FIXED = 2;
export const TYPE_DYNAMIC = 3;
export const TYPE_DIFFERENCING = 4;

/** Sectors of the largest disk that can be had: 2040 GiB. */
export const MAX_SECTORS = 0xff000000;
/** Times count from 2000-01-01 00:00 UTC: seconds since 1970 of that. */
export const EPOCH = 946684800;

/** «Hard Disk Footer Format», all numbers but the version of the creator's system in letters. */
export const FOOTER = struct({
  features: u32(8, 'Bit 0: may be deleted when the machine stops; bit 1: always set', 'bits'),
  version: u32(12, 'Version of the format: 1.0', 'bits'),
  dataOffset: bits64(16, 'Where the next header is; all bits set in a fixed disk', 'offset'),
  timestamp: u32(24, 'When the disk was created, seconds since 2000', 'time'),
  creatorApp: u32(28, 'Which program created it, four letters', 'bits'),
  creatorVersion: u32(32, 'Version of that program', 'bits'),
  creatorOs: u32(36, 'The system that it ran on, four letters', 'bits'),
  originalSize: u64(40, 'Size of the disk when it was created', 'bytes'),
  currentSize: u64(48, 'Size of the disk', 'bytes'),
  cylinders: u16(56, 'Cylinders of the geometry'),
  heads: u8(58, 'Heads of the geometry'),
  sectors: u8(59, 'Sectors of a track of the geometry'),
  type: u32(60, '2: fixed, 3: dynamic, 4: differencing'),
  checksum: u32(64, 'One’s complement of the sum of all other bytes', 'bits'),
  savedState: u8(84, '1: the machine that uses it was suspended'),
});

/** «Dynamic Disk Header Format». */
export const HEADER = struct({
  nextOffset: bits64(8, 'Not used, all bits set', 'offset'),
  tableOffset: bits64(16, 'Where the block allocation table is', 'offset'),
  version: u32(24, 'Version of this header: 1.0', 'bits'),
  tableEntries: u32(28, 'Entries of that table: blocks of the disk'),
  blockSize: u32(32, 'Bytes of a block, without its bitmap', 'bytes'),
  checksum: u32(36, 'One’s complement of the sum of all other bytes', 'bits'),
  parentTimestamp: u32(56, 'When the parent was changed last, seconds since 2000', 'time'),
});

/** «Parent Locator Entries»: one of eight places for names of the parent. */
export const LOCATOR = struct({
  platform: u32(0, 'How the name is written, four letters', 'bits'),
  space: u32(4, 'Room for the name: sectors, or bytes as many programs have it'),
  length: u32(8, 'Bytes of the name', 'bytes'),
  offset: u64(16, 'Where the name is'),
});
export const LOCATOR_AT = 576;
export const LOCATORS = 8;

/** Places of what is no number. */
export const AT = {
  /** In the footer: 16 bytes. */
  uuid: 68,
  footerChecksum: 64,
  /** In the header: 16 bytes. */
  parentUuid: 40,
  headerChecksum: 36,
  /** In the header: 512 bytes of UTF-16, big-endian. */
  parentName: 64,
} as const;
export const PARENT_NAME_BYTES = 512;

/** The checksum of a footer or header: of all bytes but those of the checksum at `at` itself. */
export function checksumOf(bytes: Uint8Array, at: number): number {
  let sum = 0;
  for (const [index, byte] of bytes.entries()) {
    if (index < at || index >= at + 4) sum += byte;
  }
  return ~sum >>> 0;
}

/**
 * Bytes of the bitmap before each block: a bit for each sector, in whole sectors.
 * @param blockSize bytes
 */
export function bitmapSize(blockSize: number): number {
  return Math.ceil(blockSize / SECTOR / 8 / SECTOR) * SECTOR;
}

/** 32 bits as the four letters that they are; what is no letter is left out. */
export function lettersOf(value: number): string {
  const codes = [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  return String.fromCharCode(...codes.filter((code) => code > 32 && code < 127));
}

/** Four letters as 32 bits. */
export function fromLetters(text: string): number {
  let value = 0;
  for (let i = 0; i < 4; i++) value = value * 256 + (text.charCodeAt(i) || 0);
  return value % TWO_32;
}

/** A UUID as text. */
export function uuidText(bytes: Uint8Array): string {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Seconds since 2000 as ISO 8601; '' for none. */
export function timeText(seconds: number): string {
  return seconds === 0 ? '' : new Date((EPOCH + seconds) * 1000).toISOString();
}

/** Whether a structure begins with a text. */
export function hasCookie(bytes: Uint8Array, cookie: string): boolean {
  for (let i = 0; i < cookie.length; i++) if (bytes[i] !== cookie.charCodeAt(i)) return false;
  return true;
}
