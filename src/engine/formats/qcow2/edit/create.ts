/** A new, empty qcow2 image. Specification: «Header»; where things go is QEMU's choice. */
import { divideRoundUp } from '../../../binary/units.ts';
import { ImageError } from '../../../errors.ts';
import { fillWithZeros } from '../../../storage/fill.ts';
import type { Storage } from '../../../storage/storage.ts';
import { LIMITS } from '../layout.ts';
import { encryptNew, type Encryption } from './encryption.ts';
import type { HeaderContent } from './header-writer.ts';
import { RefcountEditor } from './refcount-editor.ts';
import { Qcow2Writer } from './writer.ts';

/** What can be chosen. Sizes in bytes. */
export interface Qcow2Options {
  version: 2 | 3;
  clusterSize: number;
  refcountBits: number;
  extendedL2: boolean;
  lazyRefcounts: boolean;
  compressionType: 'zlib' | 'zstd';
  /** Which of the disk's clusters get their places at once, and whether these take room. */
  preallocation: 'off' | 'metadata' | 'falloc' | 'full';
  /** '' for none. */
  backingName: string;
  backingFormat: string;
  /** Where the guest's clusters go; undefined: into the image itself. */
  dataFile: DataFile | undefined;
  /** undefined: none. */
  encryption: Encryption | undefined;
}

/** An external data file. */
export interface DataFile {
  /** As the image names it. */
  readonly name: string;
  /** Whether it is to be the raw disk, whatever the tables say. */
  readonly raw: boolean;
  /** Empty. */
  readonly storage: Storage;
}

/** qemu-img's defaults. */
export const QCOW2_DEFAULTS: Qcow2Options = {
  version: 3,
  clusterSize: 65536,
  refcountBits: 16,
  extendedL2: false,
  lazyRefcounts: false,
  compressionType: 'zlib',
  preallocation: 'off',
  backingName: '',
  backingFormat: '',
  dataFile: undefined,
  encryption: undefined,
};

const FEATURE = {
  dataFile: 1n << 2n,
  compression: 1n << 3n,
  extendedL2: 1n << 4n,
  lazyRefcounts: 1n,
  rawDataFile: 1n << 1n,
} as const;

/**
 * Makes an empty image of `size` bytes (a multiple of 512) in an empty storage. Nothing is in the
 * storage before the writer is flushed.
 * @throws ImageError too-large where the format has no tables for that size, header-full
 */
export async function createQcow2(
  storage: Storage,
  size: number,
  options: Partial<Qcow2Options> = {},
): Promise<Qcow2Writer> {
  try {
    return await create(storage, size, { ...QCOW2_DEFAULTS, ...options });
  } finally {
    options.encryption?.passphrase.fill(0);
  }
}

async function create(storage: Storage, size: number, chosen: Qcow2Options): Promise<Qcow2Writer> {
  const { clusterSize, refcountBits } = chosen;
  const coverage = (clusterSize / (chosen.extendedL2 ? 16 : 8)) * clusterSize;
  const entries = divideRoundUp(size, coverage);
  if (entries * 8 > LIMITS.l1Bytes) {
    const limit = (LIMITS.l1Bytes / 8) * coverage;
    throw new ImageError('too-large', { what: 'virtual size', value: String(size), limit });
  }
  const layout = { clusterSize, refcountBits, tableOffset: clusterSize, tableClusters: 1 };
  const table = new Float64Array(clusterSize / 8);
  table[0] = 2 * clusterSize;
  const refcounts = new RefcountEditor(storage, layout, table, true);
  // Header, refcount table, the block that counts them.
  await refcounts.allocate(3);
  const writer = new Qcow2Writer(storage, headerFor(chosen), refcounts, new Uint32Array(0));
  writer.data = chosen.dataFile?.storage ?? storage;
  if (writer.hasDataFile) await writer.data.resize(size);
  await writer.growL1(entries);
  await preallocate(writer, size, chosen);
  writer.header.fields.size = size;
  writer.header.backingName = chosen.backingName;
  writer.header.backingFormat = chosen.backingFormat;
  if (chosen.encryption !== undefined) await encryptNew(writer, chosen.encryption);
  return writer;
}

/** No storage here can reserve room otherwise than by writing: `falloc` is as `full` then. */
async function preallocate(
  writer: Qcow2Writer,
  size: number,
  { preallocation: mode, dataFile }: Qcow2Options,
): Promise<void> {
  if (size === 0) return;
  if (dataFile !== undefined) {
    // A raw disk by itself: the tables have to say the same.
    if (mode !== 'off' || dataFile.raw) await writer.preallocate(0, size);
    if (mode === 'falloc' || mode === 'full') await fillWithZeros(dataFile.storage, 0, size);
    return;
  }
  if (mode === 'off') return;
  if (mode === 'metadata') {
    await writer.preallocate(0, size);
    return;
  }
  const { offset, length } = await writer.preallocateContiguous(0, size);
  await fillWithZeros(writer.storage, offset, length);
}

function headerFor(options: Qcow2Options): HeaderContent {
  const isZstd = options.compressionType === 'zstd';
  return {
    fields: {
      version: options.version,
      clusterBits: Math.log2(options.clusterSize),
      size: 0,
      cryptMethod: 0,
      l1Size: 0,
      l1TableOffset: 0,
      refcountTableOffset: options.clusterSize,
      refcountTableClusters: 1,
      snapshotCount: 0,
      snapshotsOffset: 0,
      incompatibleFeatures:
        (isZstd ? FEATURE.compression : 0n) |
        (options.extendedL2 ? FEATURE.extendedL2 : 0n) |
        (options.dataFile !== undefined ? FEATURE.dataFile : 0n),
      compatibleFeatures: options.lazyRefcounts ? FEATURE.lazyRefcounts : 0n,
      autoclearFeatures: options.dataFile?.raw === true ? FEATURE.rawDataFile : 0n,
      refcountOrder: Math.log2(options.refcountBits),
      compressionType: isZstd ? 1 : 0,
    },
    backingName: '',
    backingFormat: '',
    dataFileName: options.dataFile?.name ?? '',
    luks: undefined,
    bitmaps: undefined,
    unknownFields: new Uint8Array(0),
    unknownExtensions: [],
  };
}
