/** ISO 9660 with the names of Joliet: ECMA-119, sections 8.4 and 8.5; «Joliet Specification». */
import { struct, u16le, u32le, u8 } from '../../binary/struct.ts';
import {
  bytesOf,
  isPowerOfTwo,
  type Recognised,
  says,
  textAt,
  unnamed,
  wideTextAt,
} from '../file-system.ts';

const AT = 32 * 1024;
const DESCRIPTOR_BYTES = 2048;
const MOST_DESCRIPTORS = 16;
const MAGIC = 'CD001';

const DESCRIPTOR = struct({
  type: u8(0, 'Kind of the descriptor'),
  blocks: u32le(80, 'Blocks of the volume'),
  blockSize: u16le(128, 'Bytes of a block', 'bytes'),
});
const PRIMARY = 1;
const SUPPLEMENTARY = 2;
const END = 255;
const LABEL_AT = 40;
const LABEL_BYTES = 32;
const ESCAPES_AT = 88;
const CREATED_AT = 813;
const MODIFIED_AT = 830;
const DATE_DIGITS = 16;

export function readIso(first: Uint8Array): Recognised | undefined {
  let found: Recognised['found'] | undefined;
  let wide = '';
  for (let index = 0; index < MOST_DESCRIPTORS; index++) {
    const at = AT + index * DESCRIPTOR_BYTES;
    if (at + DESCRIPTOR_BYTES > first.length || !says(first, at + 1, MAGIC)) break;
    const bytes = first.subarray(at, at + DESCRIPTOR_BYTES);
    const { type, blocks, blockSize } = DESCRIPTOR.read(bytes);
    if (type === END) break;
    if (type === PRIMARY && found === undefined && isPowerOfTwo(blockSize, 512, 2048)) {
      const label = textAt(bytes, LABEL_AT, LABEL_BYTES);
      const uuid = dateText(bytes, MODIFIED_AT) || dateText(bytes, CREATED_AT);
      found = { ...unnamed('iso9660'), label, uuid, size: bytesOf(blocks, blockSize), blockSize };
    }
    if (type === SUPPLEMENTARY && isJoliet(bytes)) {
      wide = wideTextAt(bytes, LABEL_AT, LABEL_BYTES, 'utf-16be');
    }
  }
  if (found === undefined) return undefined;
  // Joliet has small letters, and room for 16 of them; the other label has 32 large ones.
  const label = wide === '' || found.label.length > LABEL_BYTES / 2 ? found.label : wide;
  return { found: { ...found, label } };
}

/** UCS-2 of one of three levels. */
function isJoliet(bytes: Uint8Array): boolean {
  return ['%/@', '%/C', '%/E'].some((escape) => says(bytes, ESCAPES_AT, escape));
}

/** Volumes have no identifier of their own: the time that they were made at serves as one. */
function dateText(bytes: Uint8Array, at: number): string {
  const digits = new TextDecoder('latin1').decode(bytes.subarray(at, at + DATE_DIGITS));
  if (!/^\d{16}$/.test(digits) || /^0*$/.test(digits)) return '';
  return digits.replace(/^(.{4})(..)(..)(..)(..)(..)(..)$/, '$1-$2-$3-$4-$5-$6-$7');
}
