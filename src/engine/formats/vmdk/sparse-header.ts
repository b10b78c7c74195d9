/** Headers of sparse extents: where their tables are, in one shape for all kinds. */
import { divideRoundUp, SECTOR, TWO_32 } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { imageFault } from '../fault.ts';
import {
  AT_END,
  COWD_HEADER,
  COWD_MAGIC,
  COWD_TABLE,
  DEFLATE,
  FLAG,
  HOSTED_HEADER,
  HOSTED_MAGIC,
  LARGEST_PACKED,
  MARKER,
  MARKER_END,
  MARKER_FOOTER,
  type HostedHeader,
} from './layout.ts';

/** Where the tables and grains of a sparse extent are. Sectors, unless something else is said. */
export interface SparseLayout {
  readonly kind: 'hosted' | 'cowd' | 'se';
  readonly version: number;
  /** Of the disk. */
  readonly sectors: number;
  readonly grainSectors: number;
  readonly entriesPerTable: number;
  /** Bytes. */
  readonly entrySize: 4 | 8;
  readonly directory: number;
  /** Entries. */
  readonly directorySize: number;
  /** 0 where there is none. */
  readonly redundantDirectory: number;
  /** Sectors before the first grain; 0 where the header does not say. */
  readonly overhead: number;
  readonly compressed: boolean;
  readonly markers: boolean;
  readonly zeroedGrains: boolean;
  /** The directory is known by the footer only. */
  readonly hasFooter: boolean;
  /** Offset of the header whose values count, bytes. */
  readonly headerAt: number;
  /** seSparse: the sector that tables are counted from, and that grains are counted from. */
  readonly tablesBase: number;
  readonly grainsBase: number;
}

/** QEMU's limits: sectors of a grain, and entries of a grain directory. */
const LARGEST_GRAIN = 0x200000;
const LARGEST_DIRECTORY = 32 * 1024 * 1024;
/** Entries of a hosted grain table. */
const LARGEST_TABLE = 512;
/** Footer: marker, header, end-of-stream marker. */
const FOOTER_BYTES = 3 * SECTOR;

/** What a file begins with: the magic number as a big-endian number. */
export function magicOf(bytes: Uint8Array): number {
  return bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

/**
 * A descriptor that a header without a disk of its own leads to, bytes; 0 where it has a disk.
 * Only hosted extents have such a thing.
 */
export function descriptorBehind(first: Uint8Array): number {
  if (magicOf(first) !== HOSTED_MAGIC) return 0;
  const { capacity, descriptorOffset } = HOSTED_HEADER.read(first);
  return capacity === 0 ? descriptorOffset * SECTOR : 0;
}

/**
 * Reads the header of a hosted or COWD extent.
 * @throws ImageError invalid-image and those of reading
 */
export async function readSparseHeader(storage: Storage, first: Uint8Array): Promise<SparseLayout> {
  const magic = magicOf(first);
  if (magic === COWD_MAGIC) return cowdLayout(first);
  if (magic === HOSTED_MAGIC) return hostedLayout(storage, first);
  return imageFault('vmdk', 'signature', { message: 'Image not in VMDK format' });
}

function cowdLayout(first: Uint8Array): SparseLayout {
  const { version, capacity, grainSize, directory, directorySize } = COWD_HEADER.read(first);
  return checkLayout({
    ...{ kind: 'cowd', version, sectors: capacity, grainSectors: grainSize },
    ...{ entriesPerTable: COWD_TABLE, entrySize: 4, directory, directorySize },
    ...{ redundantDirectory: 0, overhead: 0, compressed: false, markers: false },
    ...{ zeroedGrains: false, hasFooter: false, headerAt: 0, tablesBase: 0, grainsBase: 0 },
  });
}

async function hostedLayout(storage: Storage, first: Uint8Array): Promise<SparseLayout> {
  const atFront = HOSTED_HEADER.read(first);
  const hasFooter = atFront.directory === AT_END;
  const end = Math.ceil(storage.size / SECTOR) * SECTOR;
  const headerAt = hasFooter ? end - FOOTER_BYTES + SECTOR : 0;
  const header = hasFooter ? await readFooter(storage, end - FOOTER_BYTES) : atFront;
  checkHosted(header);
  const { version, flags, capacity, grainSize, entriesPerTable, overhead, directory } = header;
  if (divideRoundUp(storage.size, SECTOR) < overhead) {
    const message = `File truncated, expecting at least ${String(BigInt(overhead) * 512n)} bytes`;
    imageFault('vmdk', 'truncated', { field: 'overhead', value: overhead, message });
  }
  const hasRedundant = (flags & FLAG.redundantDirectory) !== 0;
  return checkLayout({
    ...{ kind: 'hosted', version, sectors: capacity, grainSectors: grainSize },
    ...{ entriesPerTable, entrySize: 4, directory, overhead, hasFooter, headerAt },
    directorySize: Math.ceil(capacity / (entriesPerTable * grainSize)),
    redundantDirectory: hasRedundant ? header.redundantDirectory : 0,
    compressed: header.compression === DEFLATE,
    markers: (flags & FLAG.markers) !== 0,
    zeroedGrains: (flags & FLAG.zeroedGrains) !== 0,
    ...{ tablesBase: 0, grainsBase: 0 },
  });
}

async function readFooter(storage: Storage, at: number): Promise<HostedHeader> {
  if (at < 0) {
    imageFault('vmdk', 'truncated', { message: 'Failed to read footer: Input/output error' });
  }
  const bytes = await readPadded(storage, at, FOOTER_BYTES);
  const footer = MARKER.read(bytes);
  const end = MARKER.read(bytes, 2 * SECTOR);
  const isSound =
    magicOf(bytes.subarray(SECTOR)) === HOSTED_MAGIC &&
    footer.size === 0 &&
    footer.type === MARKER_FOOTER &&
    end.value === 0 &&
    end.size === 0 &&
    end.type === MARKER_END;
  if (!isSound) imageFault('vmdk', 'truncated', { message: 'Invalid footer' });
  return HOSTED_HEADER.read(bytes, SECTOR);
}

function checkHosted({ version, entriesPerTable, grainSize }: HostedHeader): void {
  if (version > 3) {
    const message = `Unsupported VMDK version ${version}`;
    imageFault('vmdk', 'version', { field: 'version', value: version, message });
  }
  if (entriesPerTable > LARGEST_TABLE) {
    const details = { field: 'entriesPerTable', value: entriesPerTable, limit: LARGEST_TABLE };
    imageFault('vmdk', 'table-size', { ...details, message: 'L2 table size too big' });
  }
  // QEMU multiplies in 32 bits, and takes a product of zero for the fault.
  const coverage = Math.imul(entriesPerTable, grainSize % TWO_32);
  if (coverage === 0 && Number.isSafeInteger(grainSize)) {
    const details = { field: 'grainSize', value: grainSize };
    imageFault('vmdk', 'field', { ...details, message: 'L1 entry size is invalid' });
  }
}

/**
 * What every sparse extent has to keep.
 * @throws ImageError invalid-image
 */
export function checkLayout(layout: SparseLayout): SparseLayout {
  const { grainSectors, directorySize, sectors } = layout;
  if (grainSectors > LARGEST_GRAIN) {
    const details = { field: 'grainSize', value: grainSectors, limit: LARGEST_GRAIN };
    const message = 'Invalid granularity, image may be corrupt';
    imageFault('vmdk', 'field', { ...details, message });
  }
  if (layout.compressed && grainSectors * SECTOR > LARGEST_PACKED) {
    const details = { what: 'packed grain', value: String(grainSectors * SECTOR) };
    throw new ImageError('too-large', { ...details, limit: LARGEST_PACKED });
  }
  if (grainSectors === 0) {
    const message = 'L1 entry size is invalid';
    imageFault('vmdk', 'field', { field: 'grainSize', value: 0, message });
  }
  if (directorySize > LARGEST_DIRECTORY) {
    const details = { field: 'directorySize', value: directorySize, limit: LARGEST_DIRECTORY };
    imageFault('vmdk', 'table-size', { ...details, message: 'L1 size too big' });
  }
  if (!Number.isSafeInteger(sectors * SECTOR)) {
    const value = String(sectors);
    throw new ImageError('too-large', { what: 'capacity', value, limit: Number.MAX_SAFE_INTEGER });
  }
  return layout;
}
