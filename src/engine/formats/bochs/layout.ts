/**
 * The header of a growing disk image of Bochs (bochs «iodev/hdimage/hdimage.h», redolog). All
 * numbers are little-endian.
 */
import { struct, u32le, u64le } from '../../binary/struct.ts';

export const HEADER_BYTES = 512;
export const VERSION_1 = 0x00010000;
/** An entry of the catalog: the extent was never written. */
export const UNALLOCATED = 0xffffffff;

/** QEMU's limits: entries of the catalog, bytes of an extent. */
export const MAX_CATALOG = 0x100000;
export const MAX_EXTENT = 0x800000;

const common = {
  version: u32le(64, 'Version of the format, twice 16 bits', 'bits'),
  header: u32le(68, 'Bytes of the header; the catalog follows', 'bytes'),
  catalog: u32le(72, 'Entries of the catalog: one for each extent'),
  bitmap: u32le(76, 'Bytes of the bitmap in front of each extent', 'bytes'),
  extent: u32le(80, 'Bytes of guest data in each extent', 'bytes'),
};

export const HEADER_1 = struct({ ...common, disk: u64le(84, 'Size of the disk', 'bytes') });
export const HEADER_2 = struct({
  ...common,
  timestamp: u32le(84, 'Time stamp; not used by growing images', 'time'),
  disk: u64le(88, 'Size of the disk', 'bytes'),
});
