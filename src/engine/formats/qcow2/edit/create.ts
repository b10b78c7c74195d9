/** A new, empty qcow2 image. Specification: «Header»; where things go is QEMU's choice. */
import { divideRoundUp } from '../../../binary/units.ts';
import { ImageError } from '../../../errors.ts';
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
  /** undefined: none. */
  encryption: Encryption | undefined;
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
  encryption: undefined,
};

const FEATURE = { compression: 1n << 3n, extendedL2: 1n << 4n, lazyRefcounts: 1n } as const;

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
  await writer.growL1(entries);
  await preallocate(writer, size, chosen.preallocation);
  writer.header.fields.size = size;
  writer.header.backingName = chosen.backingName;
  writer.header.backingFormat = chosen.backingFormat;
  if (chosen.encryption !== undefined) await encryptNew(writer, chosen.encryption);
  return writer;
}

/** Written at once where room is taken by writing. */
const FILL_CHUNK = 4 * 1024 * 1024;

/** No storage here can reserve room otherwise than by writing: `falloc` is as `full` then. */
async function preallocate(
  writer: Qcow2Writer,
  size: number,
  mode: Qcow2Options['preallocation'],
): Promise<void> {
  if (mode === 'off' || size === 0) return;
  if (mode === 'metadata') {
    await writer.preallocate(0, size);
    return;
  }
  const { offset, length } = await writer.preallocateContiguous(0, size);
  for (let done = 0; done < length; done += FILL_CHUNK) {
    const zeros = new Uint8Array(Math.min(FILL_CHUNK, length - done));
    await writer.storage.write(offset + done, zeros);
  }
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
        (isZstd ? FEATURE.compression : 0n) | (options.extendedL2 ? FEATURE.extendedL2 : 0n),
      compatibleFeatures: options.lazyRefcounts ? FEATURE.lazyRefcounts : 0n,
      autoclearFeatures: 0n,
      refcountOrder: Math.log2(options.refcountBits),
      compressionType: isZstd ? 1 : 0,
    },
    backingName: '',
    backingFormat: '',
    dataFileName: '',
    luks: undefined,
    bitmaps: undefined,
    unknownFields: new Uint8Array(0),
    unknownExtensions: [],
  };
}
