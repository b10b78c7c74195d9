/** Packing clusters as zlib does for QEMU: raw deflate in a window of 4 KiB. */
import { deflate, deflateRaw } from 'pako';

/** Settings that give QEMU's very bytes: its window, its memory, and zlib's own matching. */
const OPTIONS = { level: 6, windowBits: 12, memLevel: 9, legacyHash: true } as const;

/**
 * The packed cluster, or undefined where it would not be smaller than the cluster itself: that is
 * kept as it is then. Specification: «Compressed clusters».
 */
export function deflateCluster(cluster: Uint8Array): Uint8Array | undefined {
  const packed = deflateRaw(cluster, OPTIONS);
  return packed.length < cluster.length ? packed : undefined;
}

/** As zlib's own compress() does it: what VMDK calls deflate. */
const STREAM_OPTIONS = { level: 6, windowBits: 15, memLevel: 8, legacyHash: true } as const;

/** The data as a zlib stream (RFC 1950), whether it gets smaller or not. */
export function deflateStream(data: Uint8Array): Uint8Array {
  return deflate(data, STREAM_OPTIONS);
}
