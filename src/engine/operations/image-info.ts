/** What is known of an image without reading its guest: plain data, for `info` and the overview. */
import type { FormatName } from '../formats/format.ts';
import type { LuksInfo } from '../formats/luks-header.ts';

export type { LuksInfo, LuksSlot } from '../formats/luks-header.ts';

/** A value of what qemu-img calls «format specific information». */
export type InfoValue =
  | string
  | number
  | boolean
  | readonly InfoValue[]
  | { readonly [name: string]: InfoValue | undefined };

/** Facts that formats other than qcow2 have to tell; each has a label in the app. */
export type FactKey =
  | 'subformat'
  | 'format-version'
  | 'creator'
  | 'creator-version'
  | 'creator-os'
  | 'created'
  | 'uuid'
  | 'parent-uuid'
  | 'parent-date'
  | 'parent-name'
  | 'content-id'
  | 'parent-content-id'
  | 'adapter'
  | 'hardware-version'
  | 'tools-version'
  | 'extents'
  | 'block-size'
  | 'sector-size'
  | 'physical-sector-size'
  | 'geometry'
  | 'geometry-size'
  | 'current-size'
  | 'log'
  | 'in-use'
  | 'compression'
  | 'volume-name'
  | 'features';

/** One fact. Sizes are numbers of bytes, times ISO 8601 text. */
export interface Fact {
  key: FactKey;
  value: string | number;
}

/** What a format says of an image. Plain data. */
export interface Description {
  /** As qemu-img's `info` prints it; undefined where it prints none. Bytes. */
  clusterSize: number | undefined;
  encrypted: boolean;
  /** Was not closed cleanly: qemu-img's `dirty-flag`; undefined where it says nothing of it. */
  dirty: boolean | undefined;
  /** qemu-img's «Format specific information», in its order; undefined where it has none. */
  specific: { type: string; data: InfoValue } | undefined;
  facts: Fact[];
  /** Every field of the headers, from their field tables: for the structure view. */
  fields: FieldValue[];
}

/** Everything that `info` and the overview say of an image. Plain data. Sizes in bytes. */
export interface ImageInfo {
  name: string;
  format: FormatName;
  virtualSize: number;
  /** Apparent length of the file. */
  fileSize: number;
  /** Bytes taken on the medium where the platform tells, else undefined. */
  allocatedSize: number | undefined;
  /** undefined for raw. */
  clusterSize: number | undefined;
  encrypted: boolean;
  backing: BackingInfo | undefined;
  snapshots: SnapshotInfo[];
  qcow2: Qcow2Info | undefined;
  /** What other formats say of themselves. */
  description?: Description | undefined;
}

export interface BackingInfo {
  /** As written in the image. */
  name: string;
  /** '' when the image does not say. */
  format: string;
  /** Whether it is open (the gate gave it). */
  found: boolean;
}

export interface Qcow2Info {
  version: 2 | 3;
  /** qemu-img's name of the version: 0.10 or 1.1. */
  compat: '0.10' | '1.1';
  compressionType: 'zlib' | 'zstd';
  lazyRefcounts: boolean;
  refcountBits: number;
  dirty: boolean;
  corrupt: boolean;
  extendedL2: boolean;
  /** External data file: its name ('' when the header gives none); undefined without the feature. */
  dataFile: string | undefined;
  dataFileRaw: boolean;
  encryption: 'none' | 'aes' | 'luks';
  /** What the LUKS header says; undefined without one. */
  luks: LuksInfo | undefined;
  /** Every feature bit that is set, known or not. */
  features: FeatureBit[];
  /** Every header field, from the field table: for the structure view. */
  fields: FieldValue[];
  extensions: ExtensionInfo[];
  bitmaps: BitmapInfo[];
  /** qemu-img's warning case: bitmaps are there, but another program modified the file. */
  bitmapsInconsistent: boolean;
}

export interface FeatureBit {
  set: 'incompatible' | 'compatible' | 'autoclear';
  bit: number;
  /** Known name, else the name in the image's own feature table, else ''. */
  name: string;
  known: boolean;
}

export interface FieldValue {
  name: string;
  /** Offset in the file and length, bytes. */
  offset: number;
  length: number;
  /** Hex text for offsets and bit sets, decimal text for counts. */
  value: string;
  meaning: string;
}

export interface ExtensionInfo {
  /** 32-bit type as hex text, eight digits. */
  type: string;
  name: string;
  offset: number;
  length: number;
}

export interface SnapshotInfo {
  id: string;
  name: string;
  vmStateSize: number;
  dateSeconds: number;
  dateNanoseconds: number;
  /** Nanoseconds; may be inexact above 2^53 (104 days). */
  vmClockNanoseconds: number;
  /** undefined: not recorded. Decimal text, as it is 64 bits wide. */
  icount: string | undefined;
  diskSize: number;
}

export interface BitmapInfo {
  name: string;
  granularity: number;
  flags: ('in-use' | 'auto')[];
}
