/**
 * CRC-32C (Castagnoli, RFC 3720 section 12.1, reflected polynomial 0x82f63b78): finds what was
 * torn or went bad on a medium. It keeps nobody from making other bytes with the same value.
 */
const POLYNOMIAL = 0x82f63b78;
/** Bytes that are taken in one step. */
const STEP = 8;

/** Table `n` at `n * 256`: what a byte does that is followed by `n` others of the same step. */
const TABLES = makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(STEP * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256] as number;
    tables[at] = (before >>> 8) ^ (tables[before & 0xff] as number);
  }
  return tables;
}

/**
 * The checksum of `bytes` from `start` to `end`, as an unsigned number.
 * @param before the checksum of what comes before them
 */
export function crc32c(
  bytes: Uint8Array,
  before = 0,
  start = 0,
  end: number = bytes.length,
): number {
  const t = TABLES;
  let crc = ~before;
  let at = start;
  for (; at + STEP <= end; at += STEP) {
    crc ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    crc =
      (t[1792 + (crc & 0xff)] as number) ^
      (t[1536 + ((crc >>> 8) & 0xff)] as number) ^
      (t[1280 + ((crc >>> 16) & 0xff)] as number) ^
      (t[1024 + (crc >>> 24)] as number) ^
      (t[768 + (bytes[at + 4] as number)] as number) ^
      (t[512 + (bytes[at + 5] as number)] as number) ^
      (t[256 + (bytes[at + 6] as number)] as number) ^
      (t[bytes[at + 7] as number] as number);
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ (t[(crc ^ (bytes[at] as number)) & 0xff] as number);
  return ~crc >>> 0;
}
