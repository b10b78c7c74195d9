/** New QED images. */
import { divideRoundUp, isAligned, SECTOR } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import { imageFault } from '../fault.ts';
import type { DiskWriter, NewFiles, ReadBelow } from '../format.ts';
import {
  BACKING_FILE,
  BACKING_RAW,
  HEADER,
  isClusterSize,
  isTableSize,
  LEAST_CLUSTER,
  MAGIC,
  MOST_CLUSTER,
  MOST_TABLE_CLUSTERS,
  mostImageSize,
  USUAL_CLUSTER,
  USUAL_TABLE_CLUSTERS,
} from './layout.ts';
import { QedWriter } from './writer.ts';

export interface QedOptions {
  /** Bytes: a power of two from 4 KiB to 64 MiB; 64 KiB by default. */
  clusterSize?: number | undefined;
  /** Clusters of a table: a power of two up to 16; 4 by default. */
  tableSize?: number | undefined;
  /** Name of the backing file; '' for none. */
  backingName?: string | undefined;
  /** Its format: only that it is raw can be kept. */
  backingFormat?: string | undefined;
  /** What lies below, for what is written in part. */
  below?: ReadBelow | undefined;
}

/**
 * Whether there can be such an image, in QEMU's words.
 * @param size of the disk, bytes
 * @throws ImageError invalid-image
 */
export function checkQedOptions(
  size: number,
  { clusterSize = USUAL_CLUSTER, tableSize = USUAL_TABLE_CLUSTERS }: QedOptions,
): void {
  const refuse = (field: string, value: number, message: string): never =>
    imageFault('qed', 'field', { field, value, message });
  if (!isClusterSize(clusterSize)) {
    const range = `[${LEAST_CLUSTER}, ${MOST_CLUSTER}]`;
    const message = `QED cluster size must be within range ${range} and power of 2`;
    refuse('cluster_size', clusterSize, message);
  }
  if (!isTableSize(tableSize)) {
    const message = `QED table size must be within range [1, ${MOST_TABLE_CLUSTERS}] and power of 2`;
    refuse('table_size', tableSize, message);
  }
  const most = mostImageSize(clusterSize, tableSize);
  if (isAligned(size, SECTOR) && BigInt(size) <= most) return;
  const limit = `a non-zero multiple of cluster size and less than ${most.toString()} bytes`;
  refuse('size', size, `QED image size must be ${limit}`);
}

/**
 * Makes an empty image.
 * @param size of the disk, bytes, whole sectors
 * @throws ImageError invalid-image, too-large, header-full and those of writing
 */
export async function createQed(
  { main }: NewFiles,
  size: number,
  options: QedOptions = {},
): Promise<DiskWriter> {
  checkQedOptions(size, options);
  const { clusterSize = USUAL_CLUSTER, tableSize = USUAL_TABLE_CLUSTERS } = options;
  const { backingName = '', backingFormat, below } = options;
  const name = new TextEncoder().encode(backingName);
  const needed = HEADER.size + name.length;
  if (needed > clusterSize) throw new ImageError('header-full', { needed, limit: clusterSize });
  const isRaw = backingFormat === 'raw';
  const fields = {
    ...{ magic: MAGIC, clusterSize, tableSize, headerSize: 1 },
    features: name.length === 0 ? 0n : BACKING_FILE | (isRaw ? BACKING_RAW : 0n),
    ...{ compatFeatures: 0n, autoclearFeatures: 0n, l1TableOffset: clusterSize, imageSize: size },
    backingNameOffset: name.length === 0 ? 0 : HEADER.size,
    backingNameSize: name.length,
  };
  const bytes = new Uint8Array(needed);
  HEADER.write(bytes, fields);
  bytes.set(name, HEADER.size);
  const tableBytes = clusterSize * tableSize;
  const end = clusterSize + tableBytes;
  await main.write(0, bytes);
  await main.resize(end);
  const l1 = new Uint32Array(divideRoundUp(size, (tableBytes / 8) * clusterSize) * 2);
  return new QedWriter(main, fields, { l1, end }, below);
}
