/**
 * The header of an expandable Parallels image: QEMU's «Parallels Expandable Image File Format». All
 * numbers are little-endian.
 */
import { struct, u32le, u64le } from '../../binary/struct.ts';

/** Offsets of clusters are sectors; at most 2 TiB. */
export const MAGIC_OLD = 'WithoutFreeSpace';
/** Offsets of clusters are clusters. */
export const MAGIC_NEW = 'WithouFreSpacExt';
export const VERSION = 2;
/** The table follows the header. */
export const HEADER_BYTES = 64;

/** «in_use»: somebody is writing, or did and crashed. */
export const IN_USE = 0x746f6e59;

/** The largest cluster that QEMU takes, sectors. */
export const MAX_TRACKS = 4186127;
/** The longest table. */
export const MAX_ENTRIES = 0x1fffffff;

export const HEADER = struct({
  version: u32le(16, 'Version of the format: 2'),
  heads: u32le(20, 'Heads of the geometry'),
  cylinders: u32le(24, 'Cylinders of the geometry'),
  tracks: u32le(28, 'Sectors of a cluster'),
  entries: u32le(32, 'Clusters of the disk: entries of the table'),
  sectors: u64le(36, 'Sectors of the disk', 'count'),
  inUse: u32le(44, 'Whether somebody is writing to it', 'bits'),
  dataOffset: u32le(48, 'Where the clusters begin, sectors'),
  flags: u32le(52, 'Bit 0: the image counts as empty', 'bits'),
  extension: u64le(56, 'Where the format extension is, sectors; 0: there is none', 'count'),
});
