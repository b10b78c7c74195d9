import { ImageError } from '../errors.ts';
import { FastDeflate } from './deflate/fast.ts';
import { LikeZlib } from './deflate/like-zlib.ts';

/** Each has tables, which are made when it is first used. */
let identical: LikeZlib | undefined;
let fast: FastDeflate | undefined;
let stream: LikeZlib | undefined;

/**
 * The packed cluster, byte for byte as QEMU packs it, or undefined where it would not be smaller
 * than the cluster itself: that is kept as it is then. Specification: «Compressed clusters».
 */
export function deflateCluster(cluster: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  // QEMU's window is 4 KiB, and its memory as much as zlib takes.
  identical ??= new LikeZlib(12, 9);
  return identical.deflate(cluster, cluster.length - 1);
}

/** As {@link deflateCluster}, in bytes of our own: faster, and for the same readers. */
export function deflateClusterFast(cluster: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  fast ??= new FastDeflate();
  return fast.deflate(cluster, cluster.length - 1);
}

/** CMF and FLG for a window of 32 KiB and the default level (RFC 1950, 2.2). */
const STREAM_HEADER = [0x78, 0x9c] as const;

/**
 * The data as a zlib stream (RFC 1950), whether it gets smaller or not: as zlib's own compress() does
 * it, which is what VMDK calls deflate.
 */
export function deflateStream(data: Uint8Array): Uint8Array<ArrayBuffer> {
  stream ??= new LikeZlib(15, 8);
  // What does not pack is stored in blocks, with a few bytes for each.
  const raw = stream.deflate(data, 2 * data.length + 64);
  if (raw === undefined) throw new ImageError('internal', { reason: 'deflate grew beyond bounds' });
  const result = new Uint8Array(raw.length + 6);
  result.set(STREAM_HEADER);
  result.set(raw, 2);
  new DataView(result.buffer).setUint32(raw.length + 2, adler32(data));
  return result;
}

/** Bytes whose sums stay below 2^32 before they are reduced. */
const ADLER_STEP = 5552;
const ADLER_PRIME = 65521;

/** RFC 1950, 9. */
function adler32(data: Uint8Array): number {
  let first = 1;
  let second = 0;
  for (let at = 0; at < data.length;) {
    const end = Math.min(at + ADLER_STEP, data.length);
    for (; at < end; at++) {
      first += data[at] as number;
      second += first;
    }
    first %= ADLER_PRIME;
    second %= ADLER_PRIME;
  }
  return ((second << 16) | first) >>> 0;
}
