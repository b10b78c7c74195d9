/** zlib streams (RFC 1950): deflate between a header of two bytes and a checksum of four. */
import { adler32 } from '../binary/adler32.ts';
import { inflateStream, type DecompressResult } from './inflate.ts';

const HEADER = 2;
const CHECKSUM = 4;

/** What a zlib stream made of its target. */
export interface UnzlibResult {
  readonly result: DecompressResult;
  /**
   * Bytes of the target that are filled and right by the checksum: all of them for `ok`, for `short`
   * what a stream that is sound in itself, but not as long, has. Otherwise 0.
   */
  readonly unpacked: number;
}

/** Section 2.2: the method is deflate, the window 32 KiB at most, and no dictionary was agreed on. */
function isHeader(packed: Uint8Array): boolean {
  const [method = 0, flags = 0] = packed;
  const sound = (method & 15) === 8 && method >>> 4 <= 7 && ((method << 8) | flags) % 31 === 0;
  return sound && (flags & 0x20) === 0;
}

/**
 * Unpacks a zlib stream and sees whether its checksum is right. What follows it is ignored; a stream
 * that unpacks to more than the target is `corrupt`, as for zlib's own inflate() in one go.
 */
export function unzlib(packed: Uint8Array, target: Uint8Array): UnzlibResult {
  if (packed.length < HEADER) return { result: 'short', unpacked: 0 };
  if (!isHeader(packed)) return { result: 'corrupt', unpacked: 0 };
  const { result, used, unpacked, ended } = inflateStream(packed.subarray(HEADER), target);
  if (!ended || result === 'corrupt') return { result, unpacked: 0 };
  const at = HEADER + used;
  if (packed.length < at + CHECKSUM) return { result: 'short', unpacked: 0 };
  const expected = new DataView(packed.buffer, packed.byteOffset + at).getUint32(0);
  const sound = adler32(target.subarray(0, unpacked)) === expected;
  return sound ? { result, unpacked } : { result: 'corrupt', unpacked: 0 };
}

/** Unpacks a cluster that is packed as a zlib stream. */
export function unzlibCluster(packed: Uint8Array, target: Uint8Array): DecompressResult {
  return unzlib(packed, target).result;
}
