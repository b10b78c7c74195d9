/**
 * FAT12, FAT16 and FAT32: «Microsoft Extensible Firmware Initiative FAT32 File System
 * Specification», version 1.03.
 */
import { struct, u16le, u32le, u8 } from '../../binary/struct.ts';
import {
  bytesOf,
  isPowerOfTwo,
  type More,
  type Recognised,
  says,
  type Superblock,
  unnamed,
  usedOf,
} from '../file-system.ts';

const BOOT = struct({
  jump: u8(0, 'Jump over the parameters', 'bytes'),
  sectorSize: u16le(11, 'Bytes of a sector', 'bytes'),
  clusterSectors: u8(13, 'Sectors of a cluster'),
  reserved: u16le(14, 'Sectors before the first FAT'),
  fats: u8(16, 'Copies of the FAT'),
  rootEntries: u16le(17, 'Entries of the root directory; 0 in FAT32'),
  sectors16: u16le(19, 'Sectors of the volume, where 16 bits suffice'),
  media: u8(21, 'Kind of the medium', 'bytes'),
  fatSectors16: u16le(22, 'Sectors of a FAT; 0 in FAT32'),
  sectors32: u32le(32, 'Sectors of the volume'),
  state: u8(37, 'Bit 0: in use, or not closed cleanly (FAT12, FAT16)', 'bits'),
  serial: u32le(39, 'Serial number (FAT12, FAT16)', 'bytes'),
  fatSectors32: u32le(36, 'Sectors of a FAT (FAT32)'),
  rootCluster: u32le(44, 'First cluster of the root directory (FAT32)'),
  infoSector: u16le(48, 'Where the FSInfo sector is (FAT32)'),
  state32: u8(65, 'Bit 0: in use, or not closed cleanly (FAT32)', 'bits'),
  serial32: u32le(67, 'Serial number (FAT32)', 'bytes'),
  signature: u16le(510, 'End of the boot sector', 'bytes'),
});
const LABEL_AT = 43;
const LABEL_32_AT = 71;
const NAME_BYTES = 11;
const NO_NAME = 'NO NAME';

/** «FSInfo Sector Structure». */
const INFO = struct({
  lead: u32le(0, 'Signature «RRaA»', 'bytes'),
  signature: u32le(484, 'Signature «rrAa»', 'bytes'),
  free: u32le(488, 'Free clusters, as far as known'),
});
const INFO_LEAD = 0x41615252;
const INFO_SIGNATURE = 0x61417272;

const ENTRY_BYTES = 32;
const MOST_OF_FAT12 = 4085;
/** Entries of the root directory that are looked through for the label. */
const MOST_ENTRIES = 512;

interface Fat {
  readonly kind: 'fat12' | 'fat16' | 'fat32';
  readonly sectorSize: number;
  readonly clusterSize: number;
  readonly clusters: number;
  /** Bytes from the start of the volume. */
  readonly fatAt: number;
  readonly fatBytes: number;
  readonly rootAt: number;
  readonly rootBytes: number;
  readonly size: number | undefined;
}

type Boot = ReturnType<typeof BOOT.read>;

export function readFat(first: Uint8Array): Recognised | undefined {
  if (first.length < 512) return undefined;
  const boot = BOOT.read(first);
  const fat = layoutOf(boot);
  if (fat === undefined) return undefined;
  const is32 = fat.kind === 'fat32';
  const serial = is32 ? boot.serial32 : boot.serial;
  const state = is32 ? boot.state32 : boot.state;
  const free = is32 ? freeOf(first, boot, fat) : undefined;
  const label = nameAt(first, is32 ? LABEL_32_AT : LABEL_AT);
  const found = {
    ...unnamed(fat.kind),
    label: label === NO_NAME ? '' : label,
    uuid: serialText(serial),
    size: fat.size,
    used: usedOf(fat.size, free),
    blockSize: fat.clusterSize,
    isDirty: (state & 1) !== 0 || saysDirty(first, fat),
  };
  return { found, more: rootOf(fat, found) };
}

/** Where everything is; undefined where the numbers are those of no FAT. */
function layoutOf(boot: Boot): Fat | undefined {
  const { sectorSize, clusterSectors, reserved, fats, media, rootEntries } = boot;
  const isSane =
    (boot.jump === 0xeb || boot.jump === 0xe9) &&
    boot.signature === 0xaa55 &&
    isPowerOfTwo(sectorSize, 512, 4096) &&
    isPowerOfTwo(clusterSectors, 1, 128) &&
    (media === 0xf0 || media >= 0xf8);
  if (!isSane || reserved === 0 || fats === 0 || fats > 2) return undefined;
  const fatSectors = boot.fatSectors16 === 0 ? boot.fatSectors32 : boot.fatSectors16;
  const sectors = boot.sectors16 === 0 ? boot.sectors32 : boot.sectors16;
  const rootSectors = Math.ceil((rootEntries * ENTRY_BYTES) / sectorSize);
  const before = reserved + fats * fatSectors + rootSectors;
  if (fatSectors === 0 || sectors <= before) return undefined;
  const clusters = Math.floor((sectors - before) / clusterSectors);
  const clusterSize = clusterSectors * sectorSize;
  const is32 = boot.fatSectors16 === 0;
  if (is32 ? rootEntries !== 0 || boot.rootCluster < 2 : rootEntries === 0) return undefined;
  const rootAt = (reserved + fats * fatSectors) * sectorSize;
  return {
    kind: is32 ? 'fat32' : clusters < MOST_OF_FAT12 ? 'fat12' : 'fat16',
    ...{ sectorSize, clusterSize, clusters },
    fatAt: reserved * sectorSize,
    fatBytes: fatSectors * sectorSize,
    rootAt: is32 ? rootAt + (boot.rootCluster - 2) * clusterSize : rootAt,
    rootBytes: is32 ? clusterSize : rootEntries * ENTRY_BYTES,
    size: bytesOf(sectors, sectorSize),
  };
}

/** Free bytes as FSInfo says; undefined where it does not know. */
function freeOf(first: Uint8Array, { infoSector }: Boot, fat: Fat): number | undefined {
  const at = infoSector * fat.sectorSize;
  if (infoSector === 0 || at + 512 > first.length) return undefined;
  const { lead, signature, free } = INFO.read(first, at);
  if (lead !== INFO_LEAD || signature !== INFO_SIGNATURE || free > fat.clusters) return undefined;
  return free * fat.clusterSize;
}

/** The second entry of the FAT: its highest bit in use is cleared while the volume is. */
function saysDirty(first: Uint8Array, { kind, fatAt }: Fat): boolean {
  if (kind === 'fat12' || fatAt + 8 > first.length) return false;
  const view = new DataView(first.buffer, first.byteOffset, first.byteLength);
  if (kind === 'fat16') return (view.getUint16(fatAt + 2, true) & 0x8000) === 0;
  return (view.getUint32(fatAt + 4, true) & 0x08000000) === 0;
}

/** The label in the root directory is the one that systems show; after it, FATs are counted. */
function rootOf(fat: Fat, found: Superblock): More {
  return {
    offset: fat.rootAt,
    length: Math.min(fat.rootBytes, MOST_ENTRIES * ENTRY_BYTES),
    take: (bytes) => {
      const label = labelIn(bytes) ?? found.label;
      const labelled = { ...found, label };
      return { found: labelled, more: fat.kind === 'fat32' ? undefined : countOf(fat, labelled) };
    },
  };
}

/** The entry with the attribute of a label; a long name has it, too, among others. */
function labelIn(root: Uint8Array): string | undefined {
  for (let at = 0; at + ENTRY_BYTES <= root.length; at += ENTRY_BYTES) {
    const begins = root[at] ?? 0;
    if (begins === 0) return undefined;
    const attributes = root[at + 11] ?? 0;
    if (begins === 0xe5 || (attributes & 0x08) === 0 || (attributes & 0x3f) === 0x0f) continue;
    return nameAt(root, at);
  }
  return undefined;
}

/** Free clusters of the small kinds are counted: their FATs are 128 KiB at most. */
function countOf(fat: Fat, found: Superblock): More {
  const bits = fat.kind === 'fat12' ? 12 : 16;
  const length = Math.ceil(((fat.clusters + 2) * bits) / 8);
  return {
    ...{ offset: fat.fatAt, length },
    take: (bytes) => {
      if (bytes.length < length || length > fat.fatBytes) return { found };
      const free = fat.kind === 'fat12' ? free12(bytes, fat.clusters) : free16(bytes, fat.clusters);
      return { found: { ...found, used: usedOf(found.size, free * fat.clusterSize) } };
    },
  };
}

function free12(bytes: Uint8Array, clusters: number): number {
  let free = 0;
  for (let cluster = 2; cluster < clusters + 2; cluster++) {
    const at = Math.floor(cluster * 1.5);
    const pair = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    if ((cluster % 2 === 1 ? pair >> 4 : pair & 0xfff) === 0) free += 1;
  }
  return free;
}

function free16(bytes: Uint8Array, clusters: number): number {
  let free = 0;
  for (let at = 4; at < (clusters + 2) * 2; at += 2) {
    if (bytes[at] === 0 && bytes[at + 1] === 0) free += 1;
  }
  return free;
}

/** Eleven letters, filled up with spaces. What is not ASCII is of a code page that nobody names. */
function nameAt(bytes: Uint8Array, at: number): string {
  if (says(bytes, at, ' '.repeat(NAME_BYTES))) return '';
  const letters = Array.from(bytes.subarray(at, at + NAME_BYTES), (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : byte === 0 ? '' : '\ufffd',
  );
  return letters.join('').trim();
}

/** A serial number as everybody writes it: `1234-ABCD`; '' where there is none. */
export function serialText(serial: number): string {
  if (serial === 0) return '';
  const hex = serial.toString(16).toUpperCase().padStart(8, '0');
  return `${hex.slice(0, 4)}-${hex.slice(4)}`;
}
