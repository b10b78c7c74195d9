/**
 * The header of a VDI, version 1.1: VirtualBox «VDICore.h» and «All about VDIs» (VirtualBox forum).
 * All numbers are little-endian.
 */
import { bits64le, struct, u32le } from '../../binary/struct.ts';

/** Bytes that the header takes, what is not used of them included. */
export const HEADER_BYTES = 512;
export const SIGNATURE = 0xbeda107f;
export const SIGNATURE_AT = 64;
export const VERSION_1_1 = 0x00010001;

/** Kinds of images. */
export const TYPE_DYNAMIC = 1;
export const TYPE_STATIC = 2;
export const TYPE_UNDO = 3;
export const TYPE_DIFFERENCING = 4;

/** An entry of the block map: never written. Zeros, or what the parent has. */
export const UNALLOCATED = 0xffffffff;
/** An entry of the block map: zeros, whatever the parent has. */
export const ZERO = 0xfffffffe;

/** The only size of blocks that QEMU knows, bytes. */
export const BLOCK_SIZE = 1048576;
/** QEMU's limits of a block map and of a disk. */
export const MAX_BLOCKS = 0x1fffff80;
export const MAX_SIZE = MAX_BLOCKS * BLOCK_SIZE;

/** What images begin with that QEMU makes; the text has no meaning. */
export const TEXT = '<<< QEMU VM Virtual Disk Image >>>\n';
export const TEXT_BYTES = 64;

export const HEADER = struct({
  signature: u32le(SIGNATURE_AT, 'Signature', 'bits'),
  version: u32le(68, 'Version of the format: 1.1', 'bits'),
  headerSize: u32le(72, 'Bytes of the header from here on', 'bytes'),
  type: u32le(76, '1: dynamic, 2: static, 3: undo, 4: differencing'),
  flags: u32le(80, 'Flags of the image', 'bits'),
  mapOffset: u32le(340, 'Where the block map is', 'offset'),
  dataOffset: u32le(344, 'Where the blocks begin', 'offset'),
  cylinders: u32le(348, 'Cylinders of the geometry'),
  heads: u32le(352, 'Heads of the geometry'),
  sectors: u32le(356, 'Sectors of a track of the geometry'),
  sectorSize: u32le(360, 'Bytes of a sector', 'bytes'),
  translation: u32le(364, 'How the BIOS is to translate the geometry'),
  diskSize: bits64le(368, 'Size of the disk', 'bytes'),
  blockSize: u32le(376, 'Bytes of a block', 'bytes'),
  blockExtra: u32le(380, 'Bytes in front of the content of each block', 'bytes'),
  blocks: u32le(384, 'Blocks of the disk: entries of the block map'),
  allocated: u32le(388, 'Blocks that are in the file'),
});

/** Places of what is no number: 16 bytes each. */
export const UUID_AT = {
  /** Of this image. */
  image: 392,
  /** Another one each time that the content changes. */
  modification: 408,
  /** Of the parent. */
  parent: 424,
  /** The parent's modification, when this image was made over it. */
  parentModification: 440,
} as const;

/** «cbHeader» of what QEMU makes. */
export const QEMU_HEADER_SIZE = 0x180;
