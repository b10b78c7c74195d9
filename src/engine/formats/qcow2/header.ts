/**
 * The header and its extensions: bytes in, a validated Header out. No I/O here.
 * Specification: «Header», «Header extensions». The order of the tests is QEMU's, so that an image
 * with several faults gets the same verdict.
 */
import { alignUp, isAligned, powerOfTwo } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import type { OpenMode } from '../format.ts';
import {
  featureNames,
  interpret,
  lenientExtensions,
  parseExtensions,
  text,
  type BitmapsExtension,
  type Extension,
} from './extensions.ts';
import { hasBit, headerFault } from './header-fault.ts';
import {
  EXTENSION,
  FEATURES,
  HEADER_COMPRESSION,
  HEADER_V2,
  HEADER_V3,
  LIMITS,
  MAGIC,
  type HeaderFields,
} from './layout.ts';

/** The header with everything that follows from it. Offsets and sizes in bytes. */
export interface Header extends HeaderFields {
  readonly version: 2 | 3;
  readonly clusterSize: number;
  /** Entries of one L2 table. */
  readonly l2Entries: number;
  /** Guest bytes that one L2 table maps. */
  readonly l2Coverage: number;
  readonly refcountBits: number;
  readonly extendedL2: boolean;
  readonly hasDataFile: boolean;
  readonly dirty: boolean;
  readonly corrupt: boolean;
  readonly lazyRefcounts: boolean;
  readonly dataFileRaw: boolean;
  /** '' when there is none. */
  readonly backingName: string;
  readonly backingFormat: string;
  readonly dataFileName: string;
  readonly extensions: readonly Extension[];
  /** Names of feature bits from the image's own table, by `set/bit`. */
  readonly featureNames: ReadonlyMap<string, string>;
  readonly bitmaps: BitmapsExtension | undefined;
  /** A bitmaps extension is there, but its autoclear bit is not: another program wrote since. */
  readonly bitmapsInconsistent: boolean;
  readonly luks: { readonly offset: number; readonly length: number } | undefined;
}

const MAX_INT64 = 2 ** 63;

/** Whether the bytes begin like a qcow2 image of some version. */
export function isQcow2(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && HEADER_V2.read(bytes).magic === MAGIC;
}

/** Whether it is what came before qcow2, with the same first bytes. */
export function isQcow1(bytes: Uint8Array): boolean {
  return isQcow2(bytes) && bytes.length >= 8 && HEADER_V2.read(bytes).version === 1;
}

/** Cluster size in bytes as the header says, or 0 where the header is not to be trusted. */
export function peekClusterSize(bytes: Uint8Array): number {
  const { clusterBits } = HEADER_V2.read(bytes);
  const sane = clusterBits >= LIMITS.minClusterBits && clusterBits <= LIMITS.maxClusterBits;
  return sane ? powerOfTwo(clusterBits) : 0;
}

/**
 * Parses and validates the first cluster.
 * @param bytes the first cluster, or as much of it as the file has
 * @throws ImageError invalid-header, unknown-features, not-a-disk-image
 */
export function parseHeader(bytes: Uint8Array, mode: OpenMode): Header {
  const fields = parseFields(bytes);
  const clusterSize = powerOfTwo(fields.clusterBits);
  const extended = hasBit(fields.incompatibleFeatures, 4);
  if (fields.backingFileOffset > clusterSize) {
    headerFault(
      'backing-offset',
      'backingFileOffset',
      fields.backingFileOffset,
      clusterSize,
      'Invalid backing file offset',
    );
  }
  const extensionsEnd = fields.backingFileOffset === 0 ? clusterSize : fields.backingFileOffset;
  checkCompression(fields);
  refuseUnknownFeatures(fields, bytes, extensionsEnd);
  if (extended && fields.clusterBits < 14) {
    const size = powerOfTwo(fields.clusterBits - 5);
    headerFault(
      'subcluster-size',
      'clusterBits',
      size,
      512,
      `Unsupported subcluster size: ${String(size)}`,
    );
  }
  checkTables(fields, clusterSize, extended, mode);
  const extensions = parseExtensions(bytes, fields.headerLength, extensionsEnd);
  const details = interpret(extensions, fields, clusterSize, mode);
  const l2Entries = clusterSize / (extended ? 16 : 8);
  return {
    ...fields,
    version: fields.version === 2 ? 2 : 3,
    clusterSize,
    l2Entries,
    l2Coverage: l2Entries * clusterSize,
    refcountBits: powerOfTwo(fields.refcountOrder),
    extendedL2: extended,
    hasDataFile: hasBit(fields.incompatibleFeatures, 2),
    dirty: hasBit(fields.incompatibleFeatures, 0),
    corrupt: hasBit(fields.incompatibleFeatures, 1),
    lazyRefcounts: hasBit(fields.compatibleFeatures, 0),
    dataFileRaw: hasBit(fields.autoclearFeatures, 1),
    backingName: parseBackingName(bytes, fields, clusterSize),
    extensions,
    ...details,
  };
}

/** Behind the last byte that says something, the mark that ends the extensions included. Bytes. */
export function headerEnd(header: Header): number {
  const { headerLength, backingFileOffset, backingFileSize } = header;
  const last = header.extensions.at(-1);
  const end =
    last === undefined
      ? headerLength
      : alignUp(last.offset + EXTENSION.size + last.data.length, EXTENSION_UNIT);
  return Math.max(end + EXTENSION.size, backingFileOffset + backingFileSize);
}

/** Extensions begin at multiples of this, bytes. */
const EXTENSION_UNIT = 8;

function parseFields(bytes: Uint8Array): HeaderFields {
  const base = HEADER_V2.read(bytes);
  const { version, clusterBits } = base;
  if (version < 2 || version > 3) {
    headerFault(
      'version',
      'version',
      version,
      '2 or 3',
      `Unsupported qcow2 version ${String(version)}`,
    );
  }
  if (clusterBits < LIMITS.minClusterBits || clusterBits > LIMITS.maxClusterBits) {
    headerFault(
      'cluster-size',
      'clusterBits',
      clusterBits,
      '9 to 21',
      `Unsupported cluster size: 2^${String(clusterBits)}`,
    );
  }
  if (version === 2) {
    return {
      ...base,
      incompatibleFeatures: 0n,
      compatibleFeatures: 0n,
      autoclearFeatures: 0n,
      refcountOrder: 4,
      headerLength: HEADER_V2.size,
      compressionType: 0,
    };
  }
  const more = HEADER_V3.read(bytes);
  const clusterSize = powerOfTwo(clusterBits);
  if (more.headerLength < HEADER_V3.size) {
    headerFault(
      'header-too-short',
      'headerLength',
      more.headerLength,
      HEADER_V3.size,
      'qcow2 header too short',
    );
  }
  if (more.headerLength > clusterSize) {
    headerFault(
      'header-too-long',
      'headerLength',
      more.headerLength,
      clusterSize,
      'qcow2 header exceeds cluster size',
    );
  }
  const hasType = more.headerLength > HEADER_V3.size;
  const { compressionType } = hasType ? HEADER_COMPRESSION.read(bytes) : { compressionType: 0 };
  return { ...base, ...more, compressionType };
}

function refuseUnknownFeatures(fields: HeaderFields, bytes: Uint8Array, end: number): void {
  const known = FEATURES.filter((feature) => feature.set === 'incompatible');
  let unknown = fields.incompatibleFeatures;
  for (const feature of known) unknown &= ~(1n << BigInt(feature.bit));
  if (unknown === 0n) return;
  const names = featureNames(lenientExtensions(bytes, fields.headerLength, end));
  const texts: string[] = [];
  let unnamed = unknown;
  for (const [key, name] of names) {
    const [set, bit] = key.split('/');
    if (set !== 'incompatible' || !hasBit(unknown, Number(bit))) continue;
    texts.push(name);
    unnamed &= ~(1n << BigInt(bit ?? 0));
  }
  if (unnamed !== 0n) texts.push(`Unknown incompatible feature: ${unnamed.toString(16)}`);
  throw new ImageError('unknown-features', { features: texts.join(', ') });
}

function checkCompression(fields: HeaderFields): void {
  const bit = hasBit(fields.incompatibleFeatures, 3);
  const type = fields.compressionType;
  if (type > 1) {
    headerFault(
      'compression-type',
      'compressionType',
      type,
      '0 or 1',
      `qcow2: unknown compression type: ${String(type)}`,
    );
  }
  if (type === 0 && bit) {
    const text = 'qcow2: Compression type incompatible feature bit must not be set';
    headerFault('compression-bit-set', 'incompatibleFeatures', 'bit 3 set', 'clear', text);
  }
  if (type !== 0 && !bit) {
    const text = 'qcow2: Compression type incompatible feature bit must be set';
    headerFault('compression-bit-unset', 'incompatibleFeatures', 'bit 3 clear', 'set', text);
  }
}

function checkTables(
  fields: HeaderFields,
  clusterSize: number,
  extended: boolean,
  mode: OpenMode,
): void {
  if (fields.refcountOrder > 6) {
    const text = 'Reference count entry width too large; may not exceed 64 bits';
    headerFault('refcount-order', 'refcountOrder', fields.refcountOrder, 6, text);
  }
  if (fields.refcountTableClusters === 0 && mode !== 'check') {
    const text = 'Image does not contain a reference count table';
    headerFault('refcount-table-missing', 'refcountTableClusters', 0, 'at least 1', text);
  }
  const tableBytes = fields.refcountTableClusters * clusterSize;
  if (tableBytes > LIMITS.refcountTableBytes) {
    const text = 'Reference count table too large';
    headerFault(
      'refcount-table-too-large',
      'refcountTableClusters',
      tableBytes,
      LIMITS.refcountTableBytes,
      text,
    );
  }
  if (badOffset(fields.refcountTableOffset, tableBytes, clusterSize)) {
    const text = 'Reference count table offset invalid';
    headerFault(
      'refcount-table-offset',
      'refcountTableOffset',
      fields.refcountTableOffset,
      'aligned',
      text,
    );
  }
  if (mode !== 'check') checkSnapshotFields(fields, clusterSize);
  checkL1Fields(fields, clusterSize, extended);
  if (fields.cryptMethod > 2) {
    // QEMU prints it as a signed number.
    const text = `Unsupported encryption method ${String(fields.cryptMethod | 0)}`;
    headerFault('crypt-method', 'cryptMethod', fields.cryptMethod, '0, 1 or 2', text);
  }
}

/** «Snapshots»: what the header says of the table; a check reports this in its own words. */
function checkSnapshotFields(fields: HeaderFields, clusterSize: number): void {
  if (fields.snapshotCount > LIMITS.snapshots) {
    headerFault(
      'snapshot-table-too-large',
      'snapshotCount',
      fields.snapshotCount,
      LIMITS.snapshots,
      'Snapshot table too large',
    );
  }
  if (badOffset(fields.snapshotsOffset, fields.snapshotCount * 40, clusterSize)) {
    const text = 'Snapshot table offset invalid';
    headerFault(
      'snapshot-table-offset',
      'snapshotsOffset',
      fields.snapshotsOffset,
      'aligned',
      text,
    );
  }
}

function checkL1Fields(fields: HeaderFields, clusterSize: number, extended: boolean): void {
  const l1Bytes = fields.l1Size * 8;
  if (l1Bytes > LIMITS.l1Bytes) {
    headerFault(
      'l1-too-large',
      'l1Size',
      fields.l1Size,
      LIMITS.l1Bytes / 8,
      'Active L1 table too large',
    );
  }
  if (badOffset(fields.l1TableOffset, l1Bytes, clusterSize)) {
    headerFault(
      'l1-offset',
      'l1TableOffset',
      fields.l1TableOffset,
      'aligned',
      'Active L1 table offset invalid',
    );
  }
  const coverage = (clusterSize / (extended ? 16 : 8)) * clusterSize;
  const needed = Math.ceil(fields.size / coverage);
  if (fields.size >= MAX_INT64 || needed > 0x7fffffff) {
    headerFault('size-too-big', 'size', fields.size, coverage * 0x7fffffff, 'Image is too big');
  }
  if (fields.l1Size < needed) {
    headerFault('l1-too-small', 'l1Size', fields.l1Size, needed, 'L1 table is too small');
  }
  if (fields.l1TableOffset + l1Bytes > MAX_INT64 - 2 ** 20) {
    const text = 'Could not read L1 table: Input/output error';
    headerFault('l1-unreadable', 'l1TableOffset', fields.l1TableOffset, 'inside the file', text);
  }
}

function badOffset(offset: number, bytes: number, clusterSize: number): boolean {
  return offset + bytes > MAX_INT64 || !isAligned(offset, clusterSize);
}

function parseBackingName(bytes: Uint8Array, fields: HeaderFields, clusterSize: number): string {
  const { backingFileOffset: offset, backingFileSize: length } = fields;
  if (offset === 0) return '';
  const limit = Math.min(LIMITS.backingNameBytes, clusterSize - offset);
  if (length > limit) {
    headerFault(
      'backing-name-too-long',
      'backingFileSize',
      length,
      limit,
      'Backing file name too long',
    );
  }
  return text(bytes.subarray(offset, offset + length));
}
