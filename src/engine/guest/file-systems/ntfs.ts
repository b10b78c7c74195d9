/**
 * NTFS, and what begins like it: ReFS, and volumes that BitLocker encrypted. Little-endian. Known
 * from the documentation of the projects Linux-NTFS, libfsrefs and libbde.
 */
import { struct, u16le, u32le, u64le, u8 } from '../../binary/struct.ts';
import {
  bytesOf,
  isPowerOfTwo,
  type More,
  type Recognised,
  says,
  type Superblock,
  unnamed,
  wideTextAt,
} from '../file-system.ts';

const BOOT = struct({
  sectorSize: u16le(11, 'Bytes of a sector', 'bytes'),
  clusterSectors: u8(13, 'Sectors of a cluster; from 0x80 on 2^(256 - n)'),
  sectors: u64le(40, 'Sectors, without the copy of the boot sector', 'count'),
  tableCluster: u64le(48, 'First cluster of the master file table', 'count'),
  recordClusters: u8(64, 'Clusters of a record; from 0x80 on 2^(256 - n) bytes'),
  serialLow: u32le(72, 'Serial number, lower half', 'bytes'),
  serialHigh: u32le(76, 'Serial number, upper half', 'bytes'),
});

/** The record of the file that holds name and state of the volume. */
const VOLUME_RECORD = 3;
const RECORD = struct({
  fixupsAt: u16le(4, 'Where the last bytes of its sectors are kept'),
  fixups: u16le(6, 'How many, and the number that stands in their places'),
  attributesAt: u16le(20, 'Where the first attribute is'),
});
const ATTRIBUTE = struct({
  type: u32le(0, 'Kind of the attribute'),
  length: u32le(4, 'Its length, bytes', 'bytes'),
  isElsewhere: u8(8, 'Its content is not in the record'),
  valueLength: u32le(16, 'Length of the content, bytes', 'bytes'),
  valueAt: u16le(20, 'Where the content begins'),
});
const VOLUME_NAME = 0x60;
const VOLUME_INFORMATION = 0x70;
const END = 0xffffffff;
const FLAGS_AT = 10;
const VOLUME_DIRTY = 1;
const FIXUP_SECTOR = 512;
const MOST_ATTRIBUTES = 64;

export function readNtfs(first: Uint8Array): Recognised | undefined {
  if (first.length < 512 || !says(first, 3, 'NTFS    ')) return undefined;
  const boot = BOOT.read(first);
  const { sectorSize, clusterSectors: code } = boot;
  const clusterSectors = code >= 0x80 ? 2 ** (256 - code) : code;
  const clusterSize = sectorSize * clusterSectors;
  if (!isPowerOfTwo(sectorSize, 256, 4096)) return undefined;
  if (!isPowerOfTwo(clusterSize, 256, 2 ** 21)) return undefined;
  const serial = (half: number) => half.toString(16).toUpperCase().padStart(8, '0');
  const found = {
    ...unnamed('ntfs'),
    uuid: `${serial(boot.serialHigh)}${serial(boot.serialLow)}`,
    size: bytesOf(boot.sectors, sectorSize),
    blockSize: clusterSize,
  };
  const { recordClusters: size } = boot;
  const recordBytes = size >= 0x80 ? 2 ** (256 - size) : size * clusterSize;
  if (!isPowerOfTwo(recordBytes, 512, 65536)) return { found };
  const offset = boot.tableCluster * clusterSize + VOLUME_RECORD * recordBytes;
  return { found, more: volumeOf(offset, recordBytes, found) };
}

function volumeOf(offset: number, length: number, found: Superblock): More {
  return {
    ...{ offset, length },
    take: (bytes) => {
      const record = bytes.length < length ? undefined : mended(bytes);
      return { found: record === undefined ? found : withVolume(record, found) };
    },
  };
}

/** A record with the last bytes of its sectors back in their places; undefined: it was torn. */
function mended(bytes: Uint8Array): Uint8Array | undefined {
  if (!says(bytes, 0, 'FILE')) return undefined;
  const { fixupsAt, fixups } = RECORD.read(bytes);
  if (fixups !== bytes.length / FIXUP_SECTOR + 1) return undefined;
  if (fixupsAt + fixups * 2 > FIXUP_SECTOR) return undefined;
  const record = bytes.slice();
  for (let index = 1; index < fixups; index++) {
    const end = index * FIXUP_SECTOR - 2;
    if (bytes[end] !== bytes[fixupsAt] || bytes[end + 1] !== bytes[fixupsAt + 1]) return undefined;
    record.set(bytes.subarray(fixupsAt + index * 2, fixupsAt + index * 2 + 2), end);
  }
  return record;
}

function withVolume(record: Uint8Array, found: Superblock): Superblock {
  let { label, isDirty } = found;
  let at = RECORD.read(record).attributesAt;
  for (let count = 0; count < MOST_ATTRIBUTES && at + ATTRIBUTE.size <= record.length; count++) {
    const { type, length, isElsewhere, valueLength, valueAt } = ATTRIBUTE.read(record, at);
    if (type === END || length < 16 || at + length > record.length) break;
    const isHere = isElsewhere === 0 && valueAt + valueLength <= length;
    if (isHere && type === VOLUME_NAME) label = wideTextAt(record, at + valueAt, valueLength);
    if (isHere && type === VOLUME_INFORMATION && valueLength > FLAGS_AT) {
      isDirty = ((record[at + valueAt + FLAGS_AT] ?? 0) & VOLUME_DIRTY) !== 0;
    }
    at += length;
  }
  return { ...found, label, isDirty };
}

const REFS = struct({
  sectors: u64le(24, 'Sectors', 'count'),
  sectorSize: u32le(32, 'Bytes of a sector', 'bytes'),
  clusterSectors: u32le(36, 'Sectors of a cluster'),
});

export function readRefs(first: Uint8Array): Recognised | undefined {
  if (first.length < 512 || !says(first, 3, 'ReFS\0\0\0\0') || !says(first, 16, 'FSRS')) {
    return undefined;
  }
  const { sectors, sectorSize, clusterSectors } = REFS.read(first);
  if (!isPowerOfTwo(sectorSize, 512, 4096)) return { found: unnamed('refs') };
  const blockSize = bytesOf(clusterSectors, sectorSize) ?? 0;
  return { found: { ...unnamed('refs'), size: bytesOf(sectors, sectorSize), blockSize } };
}

/** What stands for the volume on removable media, where the signature is that of FAT. */
const TO_GO_AT = 424;
const TO_GO = [
  0x3b, 0xd6, 0x67, 0x49, 0x29, 0x2e, 0xd8, 0x4a, 0x83, 0x99, 0xf6, 0xa3, 0x39, 0xe3, 0xd0, 0x01,
];

export function readBitlocker(first: Uint8Array): Recognised | undefined {
  if (first.length < 512) return undefined;
  const isToGo = TO_GO.every((byte, index) => first[TO_GO_AT + index] === byte);
  if (!says(first, 3, '-FVE-FS-') && !isToGo) return undefined;
  return { found: unnamed('bitlocker') };
}
