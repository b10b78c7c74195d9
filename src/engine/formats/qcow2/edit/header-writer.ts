/**
 * Writing the header cluster. Specification: «Header», «Header extensions». The order of what is in
 * it is QEMU's, so that the same image has the same bytes.
 */
import { alignUp, powerOfTwo } from '../../../binary/units.ts';
import { ImageError } from '../../../errors.ts';
import type { BitmapsExtension } from '../extensions.ts';
import {
  BITMAPS_EXTENSION,
  CRYPTO_EXTENSION,
  EXTENSION,
  EXTENSION_TYPE,
  FEATURES,
  HEADER_COMPRESSION,
  HEADER_V2,
  HEADER_V3,
  MAGIC,
  type HeaderFields,
} from '../layout.ts';

/** What the header cluster holds, apart from what follows from the rest. */
export interface HeaderContent {
  /** Lengths and places within the cluster are computed, not taken from here. */
  fields: Omit<HeaderFields, 'magic' | 'backingFileOffset' | 'backingFileSize' | 'headerLength'>;
  /** '' when there is none. */
  backingName: string;
  backingFormat: string;
  dataFileName: string;
  luks: { readonly offset: number; readonly length: number } | undefined;
  bitmaps: BitmapsExtension | undefined;
  /** Header fields of a later version, as they were: they stay. */
  unknownFields: Uint8Array;
  /** Extensions that nobody here knows stay too. */
  unknownExtensions: readonly { readonly type: number; readonly data: Uint8Array }[];
}

/** Header with everything that this version knows of it, bytes. */
export const KNOWN_HEADER_LENGTH = 112;
/** With smaller clusters the names of features would leave too little room for anything else. */
const FEATURE_NAMES_FROM = 8192;
const FEATURE_ENTRY = 48;

const SETS = { incompatible: 0, compatible: 1, autoclear: 2 } as const;

/**
 * The whole first cluster.
 * @throws ImageError header-full where it does not hold everything
 */
export function serializeHeader(content: HeaderContent): Uint8Array<ArrayBuffer> {
  const { fields } = content;
  const clusterSize = powerOfTwo(fields.clusterBits);
  const isV2 = fields.version === 2;
  const headerLength = isV2 ? HEADER_V2.size : KNOWN_HEADER_LENGTH + content.unknownFields.length;
  const cluster = new Cluster(clusterSize, headerLength);
  if (!isV2) cluster.put(KNOWN_HEADER_LENGTH, content.unknownFields);
  for (const { type, data } of extensions(content, clusterSize)) cluster.addExtension(type, data);
  cluster.addExtension(EXTENSION_TYPE.end, new Uint8Array(0));
  const name = new TextEncoder().encode(content.backingName);
  const nameAt = name.length === 0 ? 0 : cluster.add(name);
  const all = {
    ...fields,
    magic: MAGIC,
    backingFileOffset: nameAt,
    backingFileSize: name.length,
    headerLength,
  };
  HEADER_V2.write(cluster.bytes, all);
  if (!isV2) {
    HEADER_V3.write(cluster.bytes, all);
    HEADER_COMPRESSION.write(cluster.bytes, all);
  }
  return cluster.bytes;
}

function* extensions(
  content: HeaderContent,
  clusterSize: number,
): Generator<{ type: number; data: Uint8Array }> {
  const { backingFormat, dataFileName, luks, bitmaps, fields } = content;
  const encode = (text: string) => new TextEncoder().encode(text);
  if (backingFormat !== '') {
    yield { type: EXTENSION_TYPE.backingFormat, data: encode(backingFormat) };
  }
  if (dataFileName !== '') yield { type: EXTENSION_TYPE.dataFile, data: encode(dataFileName) };
  if (luks !== undefined) {
    const data = new Uint8Array(CRYPTO_EXTENSION.size);
    CRYPTO_EXTENSION.write(data, luks);
    yield { type: EXTENSION_TYPE.crypto, data };
  }
  if (fields.version >= 3 && clusterSize >= FEATURE_NAMES_FROM) {
    yield { type: EXTENSION_TYPE.featureNames, data: featureTable() };
  }
  if (bitmaps !== undefined && bitmaps.count > 0) {
    const data = new Uint8Array(BITMAPS_EXTENSION.size);
    BITMAPS_EXTENSION.write(data, { ...bitmaps, reserved: 0 });
    yield { type: EXTENSION_TYPE.bitmaps, data };
  }
  yield* content.unknownExtensions;
}

/** «Feature name table». */
function featureTable(): Uint8Array {
  const table = new Uint8Array(FEATURES.length * FEATURE_ENTRY);
  for (const [index, { set, bit, name }] of FEATURES.entries()) {
    const at = index * FEATURE_ENTRY;
    table[at] = SETS[set];
    table[at + 1] = bit;
    table.set(new TextEncoder().encode(name), at + 2);
  }
  return table;
}

/** A cluster that is filled from its start. */
class Cluster {
  readonly bytes: Uint8Array<ArrayBuffer>;
  #end: number;

  constructor(size: number, reserved: number) {
    this.bytes = new Uint8Array(size);
    this.#end = reserved;
    this.#checkRoom(reserved);
  }

  put(offset: number, data: Uint8Array): void {
    this.bytes.set(data, offset);
  }

  /** Returns where it is. */
  add(data: Uint8Array): number {
    const at = this.#end;
    this.#checkRoom(at + data.length);
    this.bytes.set(data, at);
    this.#end = at + data.length;
    return at;
  }

  addExtension(type: number, data: Uint8Array): void {
    const whole = new Uint8Array(EXTENSION.size + alignUp(data.length, 8));
    EXTENSION.write(whole, { type, length: data.length });
    whole.set(data, EXTENSION.size);
    this.add(whole);
  }

  #checkRoom(end: number): void {
    const limit = this.bytes.length;
    if (end > limit) throw new ImageError('header-full', { needed: end, limit });
  }
}
