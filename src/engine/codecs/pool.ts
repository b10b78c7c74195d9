import { ImageError } from '../errors.ts';
import { yieldToEvents } from '../yield.ts';
import { inflateCluster, type DecompressResult } from './inflate.ts';
import { unzstdCluster } from './zstd/frame.ts';

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
  codec: 'zlib' | 'zstd';
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

/** Whoever unpacks batches. */
export interface CodecPool {
  /** How many batches are worth having in flight at once. */
  readonly concurrency: number;
  /**
   * Unpacks a batch. Damaged clusters are results, not exceptions.
   * @throws ImageError cancelled (the pool was closed)
   */
  unpack(batch: DecompressBatch): Promise<UnpackedBatch>;
  /** Ends its workers; what is still in flight rejects with `cancelled`. Safe to call twice. */
  close(): void;
}

/** Unpacks a batch at once, on the calling thread. */
export function unpackBatch(batch: DecompressBatch): UnpackedBatch {
  const { codec, packed, clusters, clusterSize } = batch;
  const unpack = codec === 'zstd' ? unzstdCluster : inflateCluster;
  const data = new Uint8Array(clusters.length * clusterSize);
  const results = clusters.map((cluster, index) =>
    unpack(
      packed.subarray(cluster.start, cluster.start + cluster.length),
      data.subarray(index * clusterSize, (index + 1) * clusterSize),
    ),
  );
  return { data, results };
}

/** The pool without workers: unpacks on the calling thread and lets events in after each batch. */
export class InlinePool implements CodecPool {
  readonly concurrency = 1;
  #closed = false;

  async unpack(batch: DecompressBatch): Promise<UnpackedBatch> {
    await yieldToEvents();
    if (this.#closed) throw new ImageError('cancelled', {});
    return unpackBatch(batch);
  }

  close(): void {
    this.#closed = true;
  }
}
