/**
 * The LUKS1 header: what encrypts a disk and how its keys are kept. Nothing is decrypted here.
 * Specification: «LUKS On-Disk Format Specification», version 1, figures 1 and 2.
 */
import { struct, u32 } from '../binary/struct.ts';

const MAGIC = 'LUKS\xba\xbe\0\x01';
const SLOTS = 8;
const SLOT_AT = 208;
const SLOT_SIZE = 48;
const SECTOR = 512;
const SLOT_ENABLED = 0x00ac71f3;

/** Bytes of the header without the key material. */
export const LUKS_HEADER_BYTES = SLOT_AT + SLOTS * SLOT_SIZE;

/** «partition header layout», the numbers; names are text between them. */
const HEADER = struct({
  payloadOffset: u32(104, 'Where the encrypted data begins, sectors'),
  keyBytes: u32(108, 'Length of the master key, bytes', 'bytes'),
  iterations: u32(164, 'Rounds for the digest of the master key', 'count'),
});

/** «key slot layout». */
const SLOT = struct({
  state: u32(0, 'In use or not', 'bits'),
  iterations: u32(4, 'Rounds for the password', 'count'),
  keyOffset: u32(40, 'Where the key material begins, sectors'),
  stripes: u32(44, 'Stripes of the key material', 'count'),
});

export interface LuksSlot {
  active: boolean;
  iterations: number;
  /** Bytes from the start of the header. */
  keyOffset: number;
  stripes: number;
}

/** Plain data; names as the header has them. */
export interface LuksInfo {
  /** For example `aes`. */
  cipherName: string;
  /** For example `xts-plain64` or `cbc-essiv:sha256`: mode, generator of vectors, its hash. */
  cipherMode: string;
  hash: string;
  uuid: string;
  /** Bits of the master key; XTS uses one half for each of its two keys. */
  keyBits: number;
  /** Bytes from the start of the header. */
  payloadOffset: number;
  iterations: number;
  slots: LuksSlot[];
}

/** Reads the header; undefined where there is none. */
export function parseLuksHeader(bytes: Uint8Array): LuksInfo | undefined {
  if (latin1(bytes.subarray(0, MAGIC.length)) !== MAGIC) return undefined;
  const { payloadOffset, keyBytes, iterations } = HEADER.read(bytes);
  return {
    cipherName: name(bytes, 8, 32),
    cipherMode: name(bytes, 40, 32),
    hash: name(bytes, 72, 32),
    uuid: name(bytes, 168, 40),
    keyBits: keyBytes * 8,
    payloadOffset: payloadOffset * SECTOR,
    iterations,
    slots: Array.from({ length: SLOTS }, (_, index) => {
      const slot = SLOT.read(bytes, SLOT_AT + index * SLOT_SIZE);
      return {
        active: slot.state === SLOT_ENABLED,
        iterations: slot.iterations,
        keyOffset: slot.keyOffset * SECTOR,
        stripes: slot.stripes,
      };
    }),
  };
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function name(bytes: Uint8Array, at: number, length: number): string {
  const text = latin1(bytes.subarray(at, at + length));
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}
