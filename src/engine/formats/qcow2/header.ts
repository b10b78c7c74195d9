/**
 * The header and its extensions: bytes in, a validated Header out. No I/O here.
 * Specification: «Header», «Header extensions». The order of the tests is QEMU's, so that an image
 * with several faults gets the same verdict.
 */
import { alignUp, isAligned, powerOfTwo } from '../../binary/units.ts';
import { ImageError, type HeaderProblem } from '../../errors.ts';
import {
  BITMAPS_EXTENSION,
  CRYPTO_EXTENSION,
  EXTENSION,
  EXTENSION_TYPE,
  FEATURES,
  HEADER_COMPRESSION,
  HEADER_V2,
  HEADER_V3,
  LIMITS,
  MAGIC,
  type HeaderFields,
} from './layout.ts';

/** An extension as it stands in the file. */
export interface Extension {
  readonly type: number;
  /** Of its 8-byte head, bytes from the start of the file. */
  readonly offset: number;
  readonly data: Uint8Array;
}

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

export interface BitmapsExtension {
  readonly count: number;
  readonly directorySize: number;
  readonly directoryOffset: number;
}

/**
 * `info`: to say what it is; `check`: to look for damage, so tables may be bad; `read`: for guest
 * content, so everything that reading needs must be sound.
 */
export type OpenMode = 'info' | 'check' | 'read';

const FEATURE_SETS = ['incompatible', 'compatible', 'autoclear'] as const;
const MAX_INT64 = 2 ** 63;

/** Whether the bytes begin like a qcow2 image of some version. */
export function isQcow2(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && HEADER_V2.read(bytes).magic === MAGIC;
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
    fail(
      'backing-offset',
      'backingFileOffset',
      fields.backingFileOffset,
      clusterSize,
      'Invalid backing file offset',
    );
  }
  const extensionsEnd = fields.backingFileOffset === 0 ? clusterSize : fields.backingFileOffset;
  refuseUnknownFeatures(fields, bytes, extensionsEnd);
  checkCompression(fields);
  if (extended && fields.clusterBits < 14) {
    const size = powerOfTwo(fields.clusterBits - 5);
    fail(
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

/** Whether bit `bit` of a 64-bit set is on. */
export function hasBit(set: bigint, bit: number): boolean {
  return ((set >> BigInt(bit)) & 1n) === 1n;
}

function fail(
  problem: HeaderProblem,
  field: string,
  value: number | string | bigint,
  limit: number | string,
  message: string,
): never {
  throw new ImageError('invalid-header', {
    problem,
    field,
    value: String(value),
    limit: String(limit),
    message,
  });
}

function parseFields(bytes: Uint8Array): HeaderFields {
  const base = HEADER_V2.read(bytes);
  const { version, clusterBits } = base;
  if (version < 2 || version > 3) {
    fail('version', 'version', version, '2 or 3', `Unsupported qcow2 version ${String(version)}`);
  }
  if (clusterBits < LIMITS.minClusterBits || clusterBits > LIMITS.maxClusterBits) {
    fail(
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
    fail(
      'header-too-short',
      'headerLength',
      more.headerLength,
      HEADER_V3.size,
      'qcow2 header too short',
    );
  }
  if (more.headerLength > clusterSize) {
    fail(
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
  for (let bit = 0; bit < 64; bit++) {
    const name = names.get(`incompatible/${String(bit)}`);
    if (!hasBit(unknown, bit) || name === undefined) continue;
    texts.push(name);
    unnamed &= ~(1n << BigInt(bit));
  }
  if (unnamed !== 0n) texts.push(`Unknown incompatible feature: ${unnamed.toString(16)}`);
  throw new ImageError('unknown-features', { features: texts.join(', ') });
}

function checkCompression(fields: HeaderFields): void {
  const bit = hasBit(fields.incompatibleFeatures, 3);
  const type = fields.compressionType;
  if (type === 0 && bit) {
    const text = 'qcow2: Compression type incompatible feature bit must not be set';
    fail('compression-bit-set', 'incompatibleFeatures', 'bit 3 set', 'clear', text);
  }
  if (type !== 0 && !bit) {
    const text = 'qcow2: Compression type incompatible feature bit must be set';
    fail('compression-bit-unset', 'incompatibleFeatures', 'bit 3 clear', 'set', text);
  }
  if (type > 1) {
    fail(
      'compression-type',
      'compressionType',
      type,
      '0 or 1',
      `qcow2: unknown compression type: ${String(type)}`,
    );
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
    fail('refcount-order', 'refcountOrder', fields.refcountOrder, 6, text);
  }
  if (fields.cryptMethod > 2) {
    const text = `Unsupported encryption method ${String(fields.cryptMethod)}`;
    fail('crypt-method', 'cryptMethod', fields.cryptMethod, '0, 1 or 2', text);
  }
  if (fields.refcountTableClusters === 0 && mode !== 'check') {
    const text = 'Image does not contain a reference count table';
    fail('refcount-table-missing', 'refcountTableClusters', 0, 'at least 1', text);
  }
  const tableBytes = fields.refcountTableClusters * clusterSize;
  if (tableBytes > LIMITS.refcountTableBytes) {
    const text = 'Reference count table too large';
    fail(
      'refcount-table-too-large',
      'refcountTableClusters',
      tableBytes,
      LIMITS.refcountTableBytes,
      text,
    );
  }
  if (badOffset(fields.refcountTableOffset, tableBytes, clusterSize)) {
    const text = 'Reference count table offset invalid';
    fail(
      'refcount-table-offset',
      'refcountTableOffset',
      fields.refcountTableOffset,
      'aligned',
      text,
    );
  }
  if (mode !== 'check') checkSnapshotFields(fields, clusterSize);
  checkL1Fields(fields, clusterSize, extended);
}

/** «Snapshots»: what the header says of the table; a check reports this in its own words. */
function checkSnapshotFields(fields: HeaderFields, clusterSize: number): void {
  if (fields.snapshotCount > LIMITS.snapshots) {
    fail(
      'snapshot-table-too-large',
      'snapshotCount',
      fields.snapshotCount,
      LIMITS.snapshots,
      'Snapshot table too large',
    );
  }
  if (badOffset(fields.snapshotsOffset, fields.snapshotCount * 40, clusterSize)) {
    const text = 'Snapshot table offset invalid';
    fail('snapshot-table-offset', 'snapshotsOffset', fields.snapshotsOffset, 'aligned', text);
  }
}

function checkL1Fields(fields: HeaderFields, clusterSize: number, extended: boolean): void {
  const l1Bytes = fields.l1Size * 8;
  if (l1Bytes > LIMITS.l1Bytes) {
    fail('l1-too-large', 'l1Size', fields.l1Size, LIMITS.l1Bytes / 8, 'Active L1 table too large');
  }
  if (badOffset(fields.l1TableOffset, l1Bytes, clusterSize)) {
    fail(
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
    fail('size-too-big', 'size', fields.size, coverage * 0x7fffffff, 'Image is too big');
  }
  if (fields.l1Size < needed) {
    fail('l1-too-small', 'l1Size', fields.l1Size, needed, 'L1 table is too small');
  }
  if (fields.l1TableOffset + l1Bytes > MAX_INT64 - 2 ** 20) {
    const text = 'Could not read L1 table: Input/output error';
    fail('l1-unreadable', 'l1TableOffset', fields.l1TableOffset, 'inside the file', text);
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
    fail('backing-name-too-long', 'backingFileSize', length, limit, 'Backing file name too long');
  }
  return text(bytes.subarray(offset, offset + length));
}

/** Text out of an image: up to the first NUL, undecodable bytes replaced. */
export function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function parseExtensions(bytes: Uint8Array, start: number, end: number): Extension[] {
  const found: Extension[] = [];
  let offset = start;
  while (offset < end) {
    const { type, length } = EXTENSION.read(bytes, offset);
    const data = offset + EXTENSION.size;
    if (data > end || length > end - data) {
      fail(
        'extension-too-large',
        'extension length',
        length,
        end - data,
        'Header extension too large',
      );
    }
    if (type === EXTENSION_TYPE.end) break;
    found.push({ type, offset, data: bytes.slice(data, data + length) });
    offset = alignUp(data + length, 8);
  }
  return found;
}

/** As {@link parseExtensions}, but takes what is readable: for naming what is not understood. */
function lenientExtensions(bytes: Uint8Array, start: number, end: number): Extension[] {
  try {
    return parseExtensions(bytes, start, end);
  } catch {
    return [];
  }
}

/** «Feature name table»: 48 bytes each, type, bit, 46 bytes of name. */
function featureNames(extensions: readonly Extension[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const { type, data } of extensions) {
    if (type !== EXTENSION_TYPE.featureNames) continue;
    for (let at = 0; at + 48 <= data.length; at += 48) {
      const set = FEATURE_SETS[data[at] ?? 255];
      const name = text(data.subarray(at + 2, at + 48));
      if (set !== undefined && name !== '') names.set(`${set}/${String(data[at + 1] ?? 0)}`, name);
    }
  }
  return names;
}

type Interpreted = Pick<
  Header,
  'backingFormat' | 'dataFileName' | 'featureNames' | 'bitmaps' | 'bitmapsInconsistent' | 'luks'
>;

function interpret(
  extensions: readonly Extension[],
  fields: HeaderFields,
  clusterSize: number,
  mode: OpenMode,
): Interpreted {
  let backingFormat = '';
  let dataFileName = '';
  let bitmaps: BitmapsExtension | undefined;
  let bitmapsInconsistent = false;
  let luks: Interpreted['luks'];
  for (const { type, data } of extensions) {
    if (type === EXTENSION_TYPE.backingFormat) {
      if (data.length > LIMITS.backingFormatBytes) {
        const message = `ERROR: ext_backing_format: len=${String(data.length)} too large (>=16)`;
        fail(
          'backing-format-too-long',
          'backing format',
          data.length,
          LIMITS.backingFormatBytes,
          message,
        );
      }
      backingFormat = text(data);
    } else if (type === EXTENSION_TYPE.dataFile) {
      dataFileName = text(data);
    } else if (type === EXTENSION_TYPE.bitmaps) {
      const usable = hasBit(fields.autoclearFeatures, 0);
      if (data.length !== BITMAPS_EXTENSION.size)
        bitmapsFail('length', data.length, 'Invalid extension length');
      if (usable) bitmaps = parseBitmapsExtension(data, clusterSize);
      else bitmapsInconsistent = true;
    } else if (type === EXTENSION_TYPE.crypto) {
      luks = parseCryptoExtension(data, fields, clusterSize);
    }
  }
  checkNeeded(fields, luks !== undefined, mode);
  return {
    backingFormat,
    dataFileName,
    featureNames: featureNames(extensions),
    bitmaps,
    bitmapsInconsistent,
    luks,
  };
}

function checkNeeded(fields: HeaderFields, luks: boolean, mode: OpenMode): void {
  if (mode === 'info') return;
  if (hasBit(fields.autoclearFeatures, 1) && !hasBit(fields.incompatibleFeatures, 2)) {
    fail(
      'data-file-raw',
      'autoclearFeatures',
      'bit 1',
      'bit 2',
      'data-file-raw requires a data file',
    );
  }
  if (fields.cryptMethod === 2 && !luks) {
    const message = 'Missing CRYPTO header for crypt method 2';
    fail('crypto-extension', 'crypto extension', 'absent', 'present', message);
  }
}

function bitmapsFail(field: string, value: number, message: string): never {
  return fail(
    'bitmaps-extension',
    `bitmaps extension: ${field}`,
    value,
    '',
    `bitmaps_ext: ${message}`,
  );
}

function parseBitmapsExtension(data: Uint8Array, clusterSize: number): BitmapsExtension {
  const { count, reserved, directorySize, directoryOffset } = BITMAPS_EXTENSION.read(data);
  if (reserved !== 0) bitmapsFail('reserved', reserved, 'Reserved field is not zero');
  if (count > LIMITS.bitmaps) {
    const message = `Image has ${String(count)} bitmaps, exceeding the QEMU supported maximum of 65535`;
    bitmapsFail('count', count, message);
  }
  if (count === 0) {
    const message = 'found bitmaps extension with zero bitmaps';
    fail('bitmaps-extension', 'bitmaps extension: count', 0, 'at least 1', message);
  }
  if (!isAligned(directoryOffset, clusterSize)) {
    bitmapsFail('directory offset', directoryOffset, 'invalid bitmap directory offset');
  }
  if (directorySize > LIMITS.bitmapDirectoryBytes) {
    const message =
      `bitmap directory size (${String(directorySize)}) exceeds the maximum supported size ` +
      `(${String(LIMITS.bitmapDirectoryBytes)})`;
    bitmapsFail('directory size', directorySize, message);
  }
  return { count, directorySize, directoryOffset };
}

function parseCryptoExtension(data: Uint8Array, fields: HeaderFields, clusterSize: number) {
  if (fields.cryptMethod !== 2) {
    const message = 'CRYPTO header extension only expected with LUKS encryption method';
    fail('crypto-extension', 'cryptMethod', fields.cryptMethod, 2, message);
  }
  if (data.length !== CRYPTO_EXTENSION.size) {
    const message =
      `CRYPTO header extension size ${String(data.length)}, but expected size ` +
      String(CRYPTO_EXTENSION.size);
    fail(
      'crypto-extension',
      'crypto extension length',
      data.length,
      CRYPTO_EXTENSION.size,
      message,
    );
  }
  const { offset, length } = CRYPTO_EXTENSION.read(data);
  if (!isAligned(offset, clusterSize)) {
    const message = `Encryption header offset '${String(offset)}' is not a multiple of cluster size '${String(clusterSize)}'`;
    fail('crypto-extension', 'crypto header offset', offset, clusterSize, message);
  }
  return { offset, length };
}
