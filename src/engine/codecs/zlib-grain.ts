/** Packed grains of VMDK: a marker that says how long the zlib stream behind it is. */
import type { DecompressResult } from './inflate.ts';
import { unzlib } from './zlib-stream.ts';

/** A 64-bit sector of the disk and a 32-bit length, little-endian. */
const MARKER = 12;
const LENGTH_AT = 8;
/**
 * The last grain of a disk may have been packed whole although the disk ends within it: so much is
 * unpacked to see the checksum, bytes.
 */
const LARGEST_TAIL = 2 * 1024 * 1024;

/** Unpacks a grain. QEMU takes no stream that is longer than two grains for one. */
export function unpackGrain(packed: Uint8Array, target: Uint8Array): DecompressResult {
  if (packed.length < MARKER) return 'short';
  const length = new DataView(packed.buffer, packed.byteOffset).getUint32(LENGTH_AT, true);
  if (length === 0) return 'corrupt';
  const stream = packed.subarray(MARKER, MARKER + length);
  const { result } = unzlib(stream, target);
  if (result !== 'corrupt' || target.length >= LARGEST_TAIL) return result;
  return unpackTail(stream, target);
}

/** Tries whether the stream is sound and only longer than what is left of the disk. */
function unpackTail(stream: Uint8Array, target: Uint8Array): DecompressResult {
  const whole = new Uint8Array(LARGEST_TAIL);
  const { unpacked } = unzlib(stream, whole);
  if (unpacked <= target.length) return 'corrupt';
  target.set(whole.subarray(0, target.length));
  return 'ok';
}
