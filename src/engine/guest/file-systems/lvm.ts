/**
 * Physical volumes of LVM2: label, header and the place of the metadata, as its own sources declare
 * them (`label.h`, `layout.h`). Little-endian.
 */
import { crc32 } from '../../binary/crc32.ts';
import { struct, u32le, u64le } from '../../binary/struct.ts';
import {
  bytesOf,
  type More,
  type Recognised,
  says,
  type Superblock,
  unnamed,
} from '../file-system.ts';

const SECTOR = 512;
/** The label is in one of these. */
const LABEL_SECTORS = 4;

const LABEL = struct({
  sector: u64le(8, 'The sector that it is in', 'count'),
  checksum: u32le(16, 'Checksum of what follows in its sector', 'bytes'),
  headerAt: u32le(20, 'Where the header is, bytes from the label'),
});
const CHECKED_FROM = 20;
const CHECKSUM_START = 0xf597a6cf;

const UUID_LETTERS = 32;
const SIZE_AT = 32;
const AREAS_AT = 40;
const AREA_BYTES = 16;
/** Of both lists together: places of data, then of metadata, each ended by zeros. */
const MOST_AREAS = 16;

/** «mda_header» with its first location of text. */
const METADATA = struct({
  start: u64le(24, 'Where the area is'),
  size: u64le(32, 'Its length', 'bytes'),
  textAt: u64le(40, 'Where the text is, from the start of the area'),
  textBytes: u64le(48, 'Its length', 'bytes'),
});
const METADATA_MAGIC = ' LVM2 x[5A%r0N*>';
/** The name of the group is the first word. */
const TEXT_BYTES = 512;

export function readLvm(first: Uint8Array): Recognised | undefined {
  for (let sector = 0; sector < LABEL_SECTORS; sector++) {
    const bytes = first.subarray(sector * SECTOR, (sector + 1) * SECTOR);
    if (bytes.length < SECTOR) break;
    if (!says(bytes, 0, 'LABELONE') || !says(bytes, 24, 'LVM2 001')) continue;
    const { headerAt, checksum } = LABEL.read(bytes);
    if (headerAt < LABEL.size || headerAt + AREAS_AT > SECTOR) continue;
    const found = {
      ...unnamed('lvm2'),
      uuid: uuidText(bytes.subarray(headerAt, headerAt + UUID_LETTERS)),
      size: bytesOf(numberAt(bytes, headerAt + SIZE_AT), 1),
      isDamaged: lvmChecksum(bytes.subarray(CHECKED_FROM)) !== checksum,
    };
    const offset = metadataAt(bytes, headerAt + AREAS_AT);
    return { found, more: offset === undefined ? undefined : headerOf(offset, found) };
  }
  return undefined;
}

/** As {@link crc32}, from another start and without the inversion at the end. */
function lvmChecksum(bytes: Uint8Array): number {
  return ~crc32(bytes, ~CHECKSUM_START) >>> 0;
}

function numberAt(bytes: Uint8Array, at: number): number {
  return struct({ value: u64le(0, '') }).read(bytes, at).value;
}

/** 32 letters, in groups as all its commands write them. */
function uuidText(bytes: Uint8Array): string {
  const letters = new TextDecoder('latin1').decode(bytes);
  if (!/^[\w!#-]{32}$/.test(letters)) return '';
  return letters.replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/, '$1-$2-$3-$4-$5-$6-$7');
}

/** The first place of metadata: behind the list of those of data. */
function metadataAt(bytes: Uint8Array, listAt: number): number | undefined {
  let isMetadata = false;
  for (let index = 0; index < MOST_AREAS; index++) {
    const at = listAt + index * AREA_BYTES;
    if (at + AREA_BYTES > bytes.length) return undefined;
    const offset = numberAt(bytes, at);
    if (isMetadata) return offset === 0 ? undefined : offset;
    isMetadata = offset === 0;
  }
  return undefined;
}

function headerOf(offset: number, found: Superblock): More {
  return {
    ...{ offset, length: SECTOR },
    take: (bytes) => {
      if (bytes.length < SECTOR || !says(bytes, 4, METADATA_MAGIC)) return { found };
      const { textAt, textBytes, size } = METADATA.read(bytes);
      if (textAt === 0 || textBytes === 0 || textAt >= size) return { found };
      return { found, more: nameOf(offset + textAt, found) };
    },
  };
}

function nameOf(offset: number, found: Superblock): More {
  return {
    ...{ offset, length: TEXT_BYTES },
    take: (bytes) => {
      const text = new TextDecoder('latin1').decode(bytes);
      const label = /^([\w+.-]{1,127}) \{/.exec(text)?.[1] ?? '';
      return { found: { ...found, label } };
    },
  };
}
