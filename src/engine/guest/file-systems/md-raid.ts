/**
 * Members of arrays of Linux's software RAID: `mdp_superblock_1` and `mdp_superblock_s` of its
 * headers. Where the superblock is at the end, the content begins as if there were no array.
 */
import { struct, u32le, u64le } from '../../binary/struct.ts';
import { bytesOf, type Recognised, textAt, unnamed, uuidAt } from '../file-system.ts';
import { uuidText } from '../../binary/guid.ts';

const MAGIC = 0xa92b4efc;

const SUPER = struct({
  magic: u32le(0, 'Signature', 'bytes'),
  version: u32le(4, 'Version: 1'),
  dataSectors: u64le(136, 'Sectors of this device that hold data', 'count'),
  ownSector: u64le(144, 'The sector that this is in', 'count'),
});
const UUID_AT = 16;
const NAME_AT = 32;
const NAME_BYTES = 32;
const SECTOR = 512;

/** Versions 1.1 and 1.2. */
export function readMdRaid(first: Uint8Array): Recognised | undefined {
  return superblockAt(first, 0, 0) ?? superblockAt(first, 4096, 4096);
}

/** Version 1 that says itself that it lies at `own`, bytes from the start of the device. */
function superblockAt(bytes: Uint8Array, at: number, own: number): Recognised | undefined {
  if (bytes.length < at + 256) return undefined;
  const { magic, version, ownSector, dataSectors } = SUPER.read(bytes, at);
  if (magic !== MAGIC || version !== 1 || ownSector * SECTOR !== own) return undefined;
  const found = {
    ...unnamed('md-raid'),
    label: textAt(bytes, at + NAME_AT, NAME_BYTES),
    uuid: uuidAt(bytes, at + UUID_AT),
    size: bytesOf(dataSectors, SECTOR),
  };
  return { found };
}

const OLD = struct({
  magic: u32le(0, 'Signature', 'bytes'),
  major: u32le(4, 'Version: 0'),
  minor: u32le(8, 'Version: 90'),
  kibibytes: u32le(32, 'Used of each device, KiB'),
});
const OLD_UUID_AT = 20;
const OLD_UUID_REST_AT = 52;
/** It takes the last of these that is whole. */
const OLD_UNIT = 65536;

/** Bytes of a superblock that are looked at. */
export const MEMBER_BYTES = 512;

/**
 * Where the superblocks of versions 1.0 and 0.90 are in a place of `size` bytes. Only members of a
 * mirror can be read without the array.
 */
export function memberPlaces(size: number): number[] {
  const sectors = Math.floor(size / SECTOR);
  return [
    Math.floor((sectors - 16) / 8) * 8 * SECTOR,
    Math.floor(size / OLD_UNIT) * OLD_UNIT - OLD_UNIT,
  ];
}

/** @param bytes those at `at`, one of {@link memberPlaces} */
export function readMdRaidAtEnd(bytes: Uint8Array, at: number): Recognised | undefined {
  return superblockAt(bytes, 0, at) ?? readOld(bytes);
}

function readOld(bytes: Uint8Array): Recognised | undefined {
  if (bytes.length < OLD.size) return undefined;
  const { magic, major, minor, kibibytes } = OLD.read(bytes);
  if (magic !== MAGIC || major !== 0 || minor < 90 || minor > 91) return undefined;
  const uuid = new Uint8Array(16);
  uuid.set(bytes.subarray(OLD_UUID_AT, OLD_UUID_AT + 4));
  uuid.set(bytes.subarray(OLD_UUID_REST_AT, OLD_UUID_REST_AT + 12), 4);
  return {
    found: { ...unnamed('md-raid'), uuid: uuidText(uuid), size: bytesOf(kibibytes, 1024) },
  };
}
