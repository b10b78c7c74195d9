/** Zstandard frames for clusters. RFC 8878, 3.1.1. */
import { encodeBlock, join } from './block-encoder.ts';
import { MatchFinder } from './matches.ts';

/** Bytes of content of one block at most. */
const BLOCK_LIMIT = 128 * 1024;
/** «Block_Type». */
const BLOCK = { raw: 0, single: 1, compressed: 2 } as const;

/**
 * The packed cluster, or undefined where it would not be smaller than the cluster itself. One
 * frame, a single segment with its size, without a checksum, as QEMU writes it.
 */
export function zstdCluster(cluster: Uint8Array): Uint8Array | undefined {
  const parts: Uint8Array[] = [frameHeader(cluster.length)];
  const finder = new MatchFinder(cluster);
  for (let start = 0; start < cluster.length; start += BLOCK_LIMIT) {
    const end = Math.min(cluster.length, start + BLOCK_LIMIT);
    parts.push(...block(cluster, start, end, finder));
  }
  const packed = join(parts);
  return packed.length < cluster.length ? packed : undefined;
}

function frameHeader(size: number): Uint8Array {
  const magic = [0x28, 0xb5, 0x2f, 0xfd];
  const single = 1 << 5;
  if (size < 256) return Uint8Array.of(...magic, single, size);
  if (size < 65536 + 256) {
    const value = size - 256;
    return Uint8Array.of(...magic, (1 << 6) | single, value & 255, value >>> 8);
  }
  const bytes = [size & 255, (size >>> 8) & 255, (size >>> 16) & 255, size >>> 24];
  return Uint8Array.of(...magic, (2 << 6) | single, ...bytes);
}

function block(cluster: Uint8Array, start: number, end: number, finder: MatchFinder): Uint8Array[] {
  const length = end - start;
  const isLast = end === cluster.length;
  const content = cluster.subarray(start, end);
  if (content.every((byte) => byte === content[0])) {
    return [blockHeader(isLast, BLOCK.single, length), content.subarray(0, 1)];
  }
  const before: [number, number, number] = [...finder.recent];
  const packed = encodeBlock(cluster, start, end, finder.find(start, end));
  if (packed.length < length) {
    return [blockHeader(isLast, BLOCK.compressed, packed.length), packed];
  }
  // The reader of a block that is not packed learns of no offsets.
  finder.recent.splice(0, 3, ...before);
  return [blockHeader(isLast, BLOCK.raw, length), content];
}

function blockHeader(isLast: boolean, type: number, size: number): Uint8Array {
  const word = (isLast ? 1 : 0) | (type << 1) | (size << 3);
  return Uint8Array.of(word & 255, (word >>> 8) & 255, word >>> 16);
}
