import { ImageError } from '../errors.ts';
import { yieldToEvents } from '../yield.ts';
import { deflateCluster, deflateClusterFast, deflateStream } from './deflate.ts';
import type { DecompressResult } from './inflate.ts';
import type { Packing, WritablePacking } from './packing.ts';
import { loadUnpacker, unpackerOf } from './unpackers.ts';
import { zstdCluster } from './zstd/encode/frame-encoder.ts';

/**
 * Codec work goes through a pool in batches, so that the callers are the same whether it is done
 * here or by several workers.
 */

/** One compressed cluster: bytes within {@link DecompressBatch.packed}. */
export interface PackedCluster {
  start: number;
  length: number;
}

/** Clusters of one image to be unpacked together. */
export interface DecompressBatch {
  codec: Packing;
  /** Taken over by the pool: it may be detached afterwards. */
  packed: Uint8Array<ArrayBuffer>;
  clusters: PackedCluster[];
  /** Bytes that each cluster unpacks to. */
  clusterSize: number;
}

/** What a batch unpacked to. */
export interface UnpackedBatch {
  /** `clusters.length * clusterSize` bytes, in the order of the batch. */
  data: Uint8Array<ArrayBuffer>;
  /** One for each cluster. Where it is not `ok`, the content of its place in `data` is undefined. */
  results: DecompressResult[];
}

/** Clusters to be packed, one behind the other. */
export interface CompressBatch {
  codec: WritablePacking;
  /** A multiple of `clusterSize`. Taken over by the pool: it may be detached afterwards. */
  data: Uint8Array<ArrayBuffer>;
  clusterSize: number;
}

/** What a batch was packed to. */
export interface PackedBatch {
  /** The packed clusters, one directly behind the other. */
  packed: Uint8Array<ArrayBuffer>;
  /** Bytes of each; 0 for a cluster that does not get smaller, of which nothing is in `packed`. */
  lengths: number[];
}

/** Whoever packs and unpacks batches. */
export interface CodecPool {
  /** How many batches are worth having in flight at once. */
  readonly concurrency: number;
  /**
   * Unpacks a batch. Damaged clusters are results, not exceptions.
   * @throws ImageError cancelled (the pool was closed)
   */
  unpack(batch: DecompressBatch): Promise<UnpackedBatch>;
  /**
   * Packs a batch.
   * @throws ImageError cancelled (the pool was closed)
   */
  pack(batch: CompressBatch): Promise<PackedBatch>;
  /** Ends its workers; what is still in flight rejects with `cancelled`. Safe to call twice. */
  close(): void;
}

/** Unpacks a batch at once, on the calling thread. What unpacks its codec has to be loaded. */
export function unpackBatch(batch: DecompressBatch): UnpackedBatch {
  const { codec, packed, clusters, clusterSize } = batch;
  const unpack = unpackerOf(codec);
  const data = new Uint8Array(clusters.length * clusterSize);
  const results = clusters.map((cluster, index) =>
    unpack(
      packed.subarray(cluster.start, cluster.start + cluster.length),
      data.subarray(index * clusterSize, (index + 1) * clusterSize),
    ),
  );
  return { data, results };
}

/** Packs one cluster; undefined where it does not get smaller. */
const PACKERS: Readonly<Record<WritablePacking, (data: Uint8Array) => Uint8Array | undefined>> = {
  zlib: deflateCluster,
  'zlib-fast': deflateClusterFast,
  zstd: zstdCluster,
  'zlib-stream': deflateStream,
};

/** Packs a batch at once, on the calling thread. */
export function packBatch({ codec, data, clusterSize }: CompressBatch): PackedBatch {
  const pack = PACKERS[codec];
  const parts: Uint8Array[] = [];
  const lengths: number[] = [];
  for (let at = 0; at < data.length; at += clusterSize) {
    const part = pack(data.subarray(at, at + clusterSize));
    if (part !== undefined) parts.push(part);
    lengths.push(part?.length ?? 0);
  }
  const packed = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let end = 0;
  for (const part of parts) {
    packed.set(part, end);
    end += part.length;
  }
  return { packed, lengths };
}

/** The pool without workers: works on the calling thread and lets events in after each batch. */
export class InlinePool implements CodecPool {
  readonly concurrency = 1;
  #closed = false;

  async unpack(batch: DecompressBatch): Promise<UnpackedBatch> {
    await yieldToEvents();
    await loadUnpacker(batch.codec);
    if (this.#closed) throw new ImageError('cancelled', {});
    return unpackBatch(batch);
  }

  async pack(batch: CompressBatch): Promise<PackedBatch> {
    await yieldToEvents();
    if (this.#closed) throw new ImageError('cancelled', {});
    return packBatch(batch);
  }

  close(): void {
    this.#closed = true;
  }
}
