/** What unpacks a cluster, by the way it is packed. The rarer ones are loaded when first needed. */
import { ImageError } from '../errors.ts';
import { inflateCluster, type DecompressResult } from './inflate.ts';
import type { Packing } from './packing.ts';
import { unzstdCluster } from './zstd/frame.ts';

/**
 * Unpacks one cluster into `target`, which it has to fill. Garbage behind the end of what is packed
 * is no fault. Never throws, whatever the bytes are.
 */
export type Unpacker = (packed: Uint8Array, target: Uint8Array) => DecompressResult;

const loaded = new Map<Packing, Unpacker>([
  ['zlib', inflateCluster],
  ['zstd', unzstdCluster],
]);

const LOADERS: Partial<Record<Packing, () => Promise<Unpacker>>> = {
  'zlib-grain': async () => (await import('./zlib-grain.ts')).unpackGrain,
  'zlib-stream': async () => (await import('./zlib-stream.ts')).unzlibCluster,
  lzma: async () => (await import('./xz/index.ts')).unxzCluster,
  lzfse: async () => (await import('./lzfse/index.ts')).unlzfseCluster,
  adc: async () => (await import('./adc.ts')).unadcCluster,
  bzip2: async () => (await import('./bzip2.ts')).unbzip2Cluster,
};

/**
 * Uses what the platform has from now on. It has to give the same results for everything.
 */
export function offerUnpacker(packing: Packing, unpacker: Unpacker): void {
  loaded.set(packing, unpacker);
}

/** Whether {@link unpackerOf} has it already. */
export function hasUnpacker(packing: Packing): boolean {
  return loaded.has(packing);
}

/** Makes sure that {@link unpackerOf} has it. */
export async function loadUnpacker(packing: Packing): Promise<void> {
  if (loaded.has(packing)) return;
  const unpacker = await LOADERS[packing]?.();
  if (unpacker !== undefined) loaded.set(packing, unpacker);
}

/** @throws ImageError internal: it was not loaded */
export function unpackerOf(packing: Packing): Unpacker {
  const unpacker = loaded.get(packing);
  if (unpacker === undefined) throw new ImageError('internal', { reason: `no ${packing} here` });
  return unpacker;
}
