/** The CRC-32 of IEEE 802.3, as GPT and gzip have it: reflected, polynomial 0xedb88320. */

const TABLE = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) {
    value = (value & 1) === 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  TABLE[byte] = value;
}

/**
 * @param before the result for the bytes before these, where they come in pieces
 * @returns an unsigned 32-bit number
 */
export function crc32(bytes: Uint8Array, before = 0): number {
  let value = ~before;
  for (const byte of bytes) value = (value >>> 8) ^ (TABLE[(value ^ byte) & 0xff] as number);
  return ~value >>> 0;
}

/** The product of two polynomials modulo that of the CRC, the highest power in the lowest bit. */
function multiply(a: number, b: number): number {
  let product = 0;
  let left = b;
  for (let bit = 31; bit >= 0; bit--) {
    if (((a >>> bit) & 1) === 1) product ^= left;
    left = (left & 1) === 1 ? (left >>> 1) ^ 0xedb88320 : left >>> 1;
  }
  return product;
}

/** The same as {@link crc32} of so many zeros, however many they are. */
export function crc32OfZeros(count: number, before = 0): number {
  // One more zero byte multiplies by the 8th power of x.
  let power = 1 << 23;
  let value = ~before;
  for (let left = count; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) value = multiply(power, value);
    power = multiply(power, power);
  }
  return ~value >>> 0;
}
