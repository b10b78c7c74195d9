/** What is known of an image without reading its guest: plain data, for `info` and the overview. */
import type { FormatName } from '../formats/format.ts';
import type { LuksInfo } from '../formats/luks-header.ts';

export type { LuksInfo, LuksSlot } from '../formats/luks-header.ts';

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
