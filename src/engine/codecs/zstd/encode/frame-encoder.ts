/** Zstandard frames for clusters. RFC 8878, 3.1.1. */
import { BLOCK_LIMIT } from '../bits.ts';
import { packed } from './bit-writer.ts';
import { encodeBlock } from './block-encoder.ts';
import { MatchFinder } from './matches.ts';

/** «Block_Type». */
const BLOCK = { raw: 0, single: 1, compressed: 2 } as const;
const LONGEST_HEADER = 9;
const BLOCK_HEADER = 3;

/** Where the frame is put together: kept, and made larger for larger clusters. */
let frame = new Uint8Array(0);

/**
 * The packed cluster, or undefined where it would not be smaller than the cluster itself. One
 * frame, a single segment with its size, without a checksum, as QEMU writes it.
 */
export function zstdCluster(cluster: Uint8Array): Uint8Array | undefined {
  const blocks = Math.ceil(cluster.length / BLOCK_LIMIT);
  const most = LONGEST_HEADER + blocks * BLOCK_HEADER + cluster.length;
  if (frame.length < most) frame = new Uint8Array(most);
  const view = new DataView(cluster.buffer, cluster.byteOffset, cluster.byteLength);
  const finder = new MatchFinder(view);
  let at = writeFrameHeader(cluster.length);
  for (let start = 0; start < cluster.length; start += BLOCK_LIMIT) {
    const end = Math.min(cluster.length, start + BLOCK_LIMIT);
    at = writeBlock(cluster, view, start, end, finder, at);
  }
  return at < cluster.length ? frame.slice(0, at) : undefined;
}

function writeFrameHeader(size: number): number {
  frame.set([0x28, 0xb5, 0x2f, 0xfd]);
  const single = 1 << 5;
  if (size < 256) {
    frame.set([single, size], 4);
    return 6;
  }
  if (size < 65536 + 256) {
    const value = size - 256;
    frame.set([(1 << 6) | single, value & 255, value >>> 8], 4);
    return 7;
  }
  const bytes = [size & 255, (size >>> 8) & 255, (size >>> 16) & 255, size >>> 24];
  frame.set([(2 << 6) | single, ...bytes], 4);
  return 9;
}

/** Returns the byte behind it. */
function writeBlock(
  cluster: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  finder: MatchFinder,
  at: number,
): number {
  const length = end - start;
  const isLast = end === cluster.length;
  const body = at + BLOCK_HEADER;
  if (isOneByte(cluster, start, end)) {
    writeBlockHeader(at, isLast, BLOCK.single, length);
    frame[body] = cluster[start] as number;
    return body + 1;
  }
  const { recent, second } = finder;
  const size = encodeBlock(cluster, view, start, end, finder.find(start, end));
  if (size < length) {
    writeBlockHeader(at, isLast, BLOCK.compressed, size);
    frame.set(packed.subarray(0, size), body);
    return body + size;
  }
  // The reader of a block that is not packed learns of no offsets.
  finder.recent = recent;
  finder.second = second;
  writeBlockHeader(at, isLast, BLOCK.raw, length);
  frame.set(cluster.subarray(start, end), body);
  return body + length;
}

function isOneByte(cluster: Uint8Array, start: number, end: number): boolean {
  const first = cluster[start];
  let at = start + 1;
  while (at < end && cluster[at] === first) at++;
  return at === end;
}

function writeBlockHeader(at: number, isLast: boolean, type: number, size: number): void {
  const word = (isLast ? 1 : 0) | (type << 1) | (size << 3);
  frame[at] = word;
  frame[at + 1] = word >>> 8;
  frame[at + 2] = word >>> 16;
}
