/** The header of a compressed loop image (cloop, «compressed_loop.h», version 2.0): big-endian. */
import { struct, u32 } from '../../binary/struct.ts';

/** What the file begins with: a script that would mount it. */
export const PREAMBLE =
  '#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n';
/** What all versions begin with; the number is that of the version. */
export const ANY_VERSION = /^#!\/bin\/sh\n#V(\d+\.\d+) Format\n/;
export const PREAMBLE_BYTES = 128;

export const HEADER = struct({
  blockSize: u32(128, 'Bytes that each block unpacks to', 'bytes'),
  blocks: u32(132, 'Number of blocks'),
});
/** Where the offsets of the blocks begin, 64 bits each, one more than there are blocks. */
export const OFFSETS_AT = 136;
export const OFFSET_BYTES = 8;

/** QEMU's limits, bytes: a block, a packed block, all offsets. */
export const MAX_BLOCK = 64 * 1024 * 1024;
export const MAX_PACKED = 2 * MAX_BLOCK;
export const MAX_OFFSETS = 512 * 1024 * 1024;
/** And of the number of blocks, so that the bytes of their offsets have a number of 32 bits. */
export const MAX_BLOCKS = 536870911;
