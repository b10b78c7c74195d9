/**
 * Where everything is in a LUKS1 header. «LUKS On-Disk Format Specification», version 1, figures 1
 * and 2.
 */
import { struct, u16, u32 } from '../binary/struct.ts';

/** «LUKS» and two more bytes. */
export const MAGIC = 'LUKS\xba\xbe';
export const SLOTS = 8;
export const SLOT_AT = 208;
export const SLOT_SIZE = 48;
export const SLOT_ENABLED = 0x00ac71f3;
export const SLOT_DISABLED = 0x0000dead;
/** Nobody has ever made another number of stripes. */
export const STRIPES = 4000;
/** Key material begins here at the earliest, and takes a multiple of this: sectors. */
export const MATERIAL_SECTORS = 8;
export const DIGEST_BYTES = 20;
export const SALT_BYTES = 32;

/** Bytes of the header without the key material. */
export const LUKS_HEADER_BYTES = SLOT_AT + SLOTS * SLOT_SIZE;

/** «partition header layout», the numbers; names are text between them. */
export const HEADER = struct({
  version: u16(6, 'Version of the format'),
  payloadOffset: u32(104, 'Where the encrypted data begins, sectors'),
  keyBytes: u32(108, 'Length of the master key, bytes', 'bytes'),
  iterations: u32(164, 'Rounds for the digest of the master key', 'count'),
});
export const CIPHER_AT = 8;
export const MODE_AT = 40;
export const HASH_AT = 72;
export const DIGEST_AT = 112;
export const SALT_AT = 132;
export const UUID_AT = 168;
export const NAME_BYTES = 32;
export const UUID_BYTES = 40;

/** «key slot layout». */
export const SLOT = struct({
  state: u32(0, 'In use or not', 'bits'),
  iterations: u32(4, 'Rounds for the password', 'count'),
  keyOffset: u32(40, 'Where the key material begins, sectors'),
  stripes: u32(44, 'Stripes of the key material', 'count'),
});
export const SLOT_SALT_AT = 8;
