/** The header, its extensions and the name of the backing file as nodes. «Header». */
import { alignUp, hex64 } from '../../binary/units.ts';
import {
  bytesValue,
  fieldParts,
  listed,
  part,
  sizeOfBits,
  textValue,
  type Changes,
  type Part,
} from '../structure.ts';
import { hasBit } from './header-fault.ts';
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
} from './layout.ts';
import { told } from './structure-meanings.ts';
import { isPlace, type Looked } from './structure-tables.ts';

const SECTION = { prefix: 'qcow2.header', section: 'Header' };
const FEATURE_NAME_BYTES = 48;
const SETS = ['incompatible', 'compatible', 'autoclear'] as const;

/**
 * The header.
 * @param bytes the first cluster, as far as it can be read
 */
export function headerPart(looked: Looked, bytes: Uint8Array): Part {
  const { headerLength: length, version } = looked.header;
  const explain = (name: string, value: number) => explainField(looked, name, value);
  const options = { ...SECTION, length, explain };
  const fields = fieldParts(HEADER_V2, bytes, 0, options);
  if (version === 3) {
    fields.push(...fieldParts(HEADER_V3, bytes, 0, options));
    fields.push(...fieldParts(HEADER_COMPRESSION, bytes, 0, options));
  }
  const end = Math.max(...fields.map((field) => field.offset + field.length));
  if (end < length) {
    const value = bytesValue(bytes.subarray(end, length));
    fields.push(
      part('rest', told('qcow2.header.rest'), { offset: end, length: length - end }, { value }),
    );
  }
  return part('header', told('qcow2.header'), { offset: 0, length }, { below: listed(fields) });
}

/** What QEMU's specification calls a field otherwise than we do. */
const LABELS = new Map([['snapshotCount', 'nb_snapshots']]);

function explainField(looked: Looked, name: string, value: number): Changes {
  const { header } = looked;
  const label = LABELS.get(name);
  const named = label === undefined ? {} : { label };
  const at = (used: boolean): Changes => ({ ...named, doubtful: used && !isPlace(looked, value) });
  switch (name) {
    case 'magic':
      return { value: { style: 'hex', means: 'QFI\\xfb' } };
    case 'backingFileSize':
      return { doubtful: header.backingFileOffset !== 0 && value > LIMITS.backingNameBytes };
    case 'clusterBits':
      return { value: { means: sizeOfBits(value) } };
    case 'cryptMethod':
      return { value: { style: 'enum', means: ['', 'AES', 'LUKS'][value] ?? '' } };
    case 'l1Size':
      return { doubtful: value * header.l2Coverage < header.size || value * 8 > LIMITS.l1Bytes };
    case 'l1TableOffset':
      return at(header.l1Size > 0);
    case 'refcountTableOffset':
      return at(true);
    case 'refcountTableClusters':
      return { doubtful: value === 0 };
    case 'snapshotCount':
      return { ...named, doubtful: value > LIMITS.snapshots };
    case 'snapshotsOffset':
      return at(header.snapshotCount > 0);
    case 'incompatibleFeatures':
    case 'compatibleFeatures':
    case 'autoclearFeatures':
      return { value: { bits: featureBits(looked, name) } };
    case 'refcountOrder':
      return { value: { means: String(header.refcountBits) } };
    case 'compressionType':
      return { value: { style: 'enum', means: ['zlib', 'zstd'][value] ?? '' } };
    default:
      return named;
  }
}

function featureBits(
  { header }: Looked,
  name: 'incompatibleFeatures' | 'compatibleFeatures' | 'autoclearFeatures',
): string[] {
  const names: string[] = [];
  for (let bit = 0; bit < 64; bit++) {
    if (!hasBit(header[name], bit)) continue;
    const set = name.replace('Features', '');
    const known = FEATURES.find((feature) => feature.set === set && feature.bit === bit);
    names.push(known?.name ?? header.featureNames.get(`${set}/${String(bit)}`) ?? String(bit));
  }
  return names;
}

/** The name of the backing file; undefined where there is none. */
export function backingPart({ header }: Looked, bytes: Uint8Array): Part | undefined {
  const { backingFileOffset: offset, backingFileSize: length } = header;
  if (offset === 0 || length === 0 || length > header.clusterSize) return undefined;
  return part(
    'backing',
    told('qcow2.backing'),
    { offset, length },
    {
      value: textValue(bytes.subarray(offset, offset + length)),
      doubtful: length > LIMITS.backingNameBytes || offset + length > header.clusterSize,
    },
  );
}

type ExtensionKey = 'backing_format' | 'feature_names' | 'bitmaps' | 'crypto' | 'data_file';

const KINDS = new Map<number, ExtensionKey>([
  [EXTENSION_TYPE.backingFormat, 'backing_format'],
  [EXTENSION_TYPE.featureNames, 'feature_names'],
  [EXTENSION_TYPE.bitmaps, 'bitmaps'],
  [EXTENSION_TYPE.crypto, 'crypto'],
  [EXTENSION_TYPE.dataFile, 'data_file'],
]);

/** The extensions, with the mark that ends them where there is one. */
export function extensionsPart(looked: Looked, bytes: Uint8Array): Part {
  const { headerLength, backingFileOffset, clusterSize } = looked.header;
  const limit = Math.min(bytes.length, backingFileOffset || clusterSize);
  const parts: Part[] = [];
  let at = headerLength;
  let doubtful = false;
  while (at + EXTENSION.size <= limit) {
    const { type, length } = EXTENSION.read(bytes, at);
    const isEnd = type === EXTENSION_TYPE.end;
    const data = at + EXTENSION.size;
    doubtful = length > limit - data;
    const there = Math.min(length, limit - data);
    parts.push(
      extensionPart(
        looked,
        { index: parts.length, type, at, doubtful },
        bytes.subarray(at, data + there),
      ),
    );
    at = data + (isEnd ? 0 : alignUp(there, 8));
    if (isEnd || doubtful) break;
  }
  const place = { offset: headerLength, length: Math.max(0, at - headerLength) };
  return part('extensions', told('qcow2.extensions'), place, { doubtful, below: listed(parts) });
}

interface ExtensionPlace {
  readonly index: number;
  readonly type: number;
  readonly at: number;
  readonly doubtful: boolean;
}

/** @param bytes of the extension with its head */
function extensionPart(looked: Looked, place: ExtensionPlace, bytes: Uint8Array): Part {
  const { index, type, at, doubtful } = place;
  const kind = KINDS.get(type);
  const isEnd = type === EXTENSION_TYPE.end;
  const key = kind === undefined ? (isEnd ? 'end' : 'unknown') : kind;
  const fields = fieldParts(EXTENSION, bytes, at, {
    prefix: 'qcow2.extension',
    section: 'Header extensions',
  });
  const data = bytes.subarray(EXTENSION.size);
  const inside = isEnd ? [] : extensionData(looked, kind, data, at + EXTENSION.size);
  const isText = kind === 'backing_format' || kind === 'data_file';
  const text = isText ? textValue(data).text : undefined;
  const name = text ?? `0x${hex64(0, type)}`;
  const length = isEnd ? EXTENSION.size : bytes.length;
  return part(
    String(index),
    told(`qcow2.extension.${key}`),
    { offset: at, length },
    {
      ...(kind === undefined ? {} : { label: kind }),
      ...(isEnd ? { label: 'end' } : {}),
      value: { style: isText ? 'text' : 'hex', text: name },
      doubtful,
      below: listed([...fields, ...inside]),
    },
  );
}

function extensionData(
  looked: Looked,
  kind: ExtensionKey | undefined,
  data: Uint8Array,
  at: number,
): Part[] {
  const section = { section: 'Header extensions' };
  if (kind === 'bitmaps') {
    return fieldParts(BITMAPS_EXTENSION, data, at, {
      ...{ ...section, prefix: 'qcow2.extension.bitmaps', length: data.length },
      explain: (name, value) => ({
        doubtful:
          (name === 'reserved' && value !== 0) ||
          (name === 'count' && (value === 0 || value > LIMITS.bitmaps)) ||
          (name === 'directoryOffset' && !isPlace(looked, value)) ||
          (name === 'directorySize' && value > LIMITS.bitmapDirectoryBytes),
      }),
    });
  }
  if (kind === 'crypto') {
    return fieldParts(CRYPTO_EXTENSION, data, at, {
      ...{ ...section, prefix: 'qcow2.extension.crypto', length: data.length },
      explain: (name, value) => ({ doubtful: name === 'offset' && !isPlace(looked, value) }),
    });
  }
  if (kind === 'feature_names') return featureNameParts(data, at);
  const isText = kind === 'backing_format' || kind === 'data_file';
  const value = isText ? textValue(data) : bytesValue(data);
  const place = { offset: at, length: data.length };
  return [part('data', told('qcow2.extension.data'), place, { value })];
}

/** «Feature name table»: a set, a bit, and 46 bytes of its name. */
function featureNameParts(data: Uint8Array, at: number): Part[] {
  const parts: Part[] = [];
  for (let from = 0; from < data.length; from += FEATURE_NAME_BYTES) {
    const entry = data.subarray(from, from + FEATURE_NAME_BYTES);
    const [set = 255, bit = 0] = entry;
    const means = `${SETS[set] ?? String(set)} ${String(bit)}`;
    const place = { offset: at + from, length: entry.length };
    parts.push(
      part(String(parts.length), told('qcow2.feature_name'), place, {
        value: { ...textValue(entry.subarray(2)), means },
        doubtful: set >= SETS.length || bit > 63,
      }),
    );
  }
  return parts;
}
