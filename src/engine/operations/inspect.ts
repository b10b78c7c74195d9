import type { Disk } from '../formats/format.ts';
import { isLayered } from '../formats/layered.ts';
import type { Header } from '../formats/qcow2/header.ts';
import { hasBit } from '../formats/qcow2/header-fault.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';
import {
  EXTENSION_TYPE,
  FINGERPRINT_TYPE,
  FEATURES,
  HEADER_COMPRESSION,
  HEADER_V2,
  HEADER_V3,
  type HeaderFields,
} from '../formats/qcow2/layout.ts';
import type { Snapshot } from '../formats/qcow2/snapshots.ts';
import type {
  BackingInfo,
  FeatureBit,
  FieldValue,
  ImageInfo,
  Qcow2Info,
  SnapshotInfo,
} from './image-info.ts';

export type * from './image-info.ts';

/**
 * Everything that can be said of an image without reading its guest content or its L2 tables.
 * @throws those of reading
 */
export async function inspect(disk: Disk): Promise<ImageInfo> {
  const { storage } = disk;
  const common = {
    name: storage.name,
    format: disk.format,
    virtualSize: disk.size,
    fileSize: storage.size,
    allocatedSize: await allocatedSize(disk),
  };
  const backing = backingOf(disk);
  if (!(disk instanceof Qcow2Image)) {
    const description = disk.describe?.();
    return {
      ...common,
      clusterSize: description?.clusterSize,
      encrypted: description?.encrypted ?? false,
      backing,
      snapshots: [],
      qcow2: undefined,
      description,
    };
  }
  const { header } = disk;
  return {
    ...common,
    clusterSize: header.clusterSize,
    encrypted: header.cryptMethod !== 0,
    backing,
    snapshots: disk.snapshots.map(describeSnapshot),
    qcow2: describeQcow2(disk),
  };
}

function backingOf(disk: Disk): BackingInfo | undefined {
  if (!isLayered(disk) || disk.backingName === '') return undefined;
  const found = disk.backing !== undefined;
  return { name: disk.backingName, format: disk.backingFormat, found };
}

/** Of a disk of several files, all of them; undefined where the platform does not tell. */
async function allocatedSize({ storage, files = [storage] }: Disk): Promise<number | undefined> {
  let sum = 0;
  for (const file of new Set(files)) {
    const size = await file.allocated?.();
    if (size === undefined) return undefined;
    sum += size;
  }
  return sum;
}

function describeSnapshot(snapshot: Snapshot): SnapshotInfo {
  return {
    id: snapshot.id,
    name: snapshot.name,
    vmStateSize: snapshot.vmStateSize,
    dateSeconds: snapshot.dateSeconds,
    dateNanoseconds: snapshot.dateNanoseconds,
    vmClockNanoseconds: snapshot.vmClock,
    icount: snapshot.icount,
    diskSize: snapshot.diskSize,
  };
}

function describeQcow2(image: Qcow2Image): Qcow2Info {
  const { header } = image;
  return {
    version: header.version,
    compat: header.version === 2 ? '0.10' : '1.1',
    compressionType: image.codec,
    lazyRefcounts: header.lazyRefcounts,
    refcountBits: header.refcountBits,
    dirty: header.dirty,
    corrupt: header.corrupt,
    extendedL2: header.extendedL2,
    dataFile: header.hasDataFile ? header.dataFileName : undefined,
    dataFileRaw: header.dataFileRaw,
    encryption: header.cryptMethod === 0 ? 'none' : header.cryptMethod === 1 ? 'aes' : 'luks',
    luks: image.luks?.info,
    features: describeFeatures(header),
    fields: describeHeader(header),
    extensions: header.extensions.map(({ type, offset, data }) => ({
      type: type.toString(16).padStart(8, '0'),
      name: EXTENSION_NAMES.get(type) ?? '',
      offset,
      length: data.length,
    })),
    bitmaps: image.bitmaps.map((bitmap) => ({
      name: bitmap.name,
      granularity: bitmap.granularity,
      flags: [
        ...(bitmap.inUse ? (['in-use'] as const) : []),
        ...(bitmap.auto ? (['auto'] as const) : []),
      ],
    })),
    bitmapsInconsistent: header.bitmapsInconsistent,
  };
}

const EXTENSION_NAMES: ReadonlyMap<number, string> = new Map([
  [EXTENSION_TYPE.backingFormat, 'backing format'],
  [EXTENSION_TYPE.featureNames, 'feature names'],
  [EXTENSION_TYPE.bitmaps, 'bitmaps'],
  [EXTENSION_TYPE.crypto, 'encryption header'],
  [EXTENSION_TYPE.dataFile, 'external data file'],
  [FINGERPRINT_TYPE, 'fingerprint of the backing file'],
]);

function describeFeatures(header: Header): FeatureBit[] {
  const sets = {
    incompatible: header.incompatibleFeatures,
    compatible: header.compatibleFeatures,
    autoclear: header.autoclearFeatures,
  };
  const result: FeatureBit[] = [];
  for (const set of ['incompatible', 'compatible', 'autoclear'] as const) {
    for (let bit = 0; bit < 64; bit++) {
      if (!hasBit(sets[set], bit)) continue;
      const known = FEATURES.find((feature) => feature.set === set && feature.bit === bit);
      const name = known?.name ?? header.featureNames.get(`${set}/${String(bit)}`) ?? '';
      result.push({ set, bit, name, known: known !== undefined });
    }
  }
  return result;
}

function describeHeader(header: Header): FieldValue[] {
  const tables = header.version === 2 ? [HEADER_V2] : [HEADER_V2, HEADER_V3, HEADER_COMPRESSION];
  const fields: FieldValue[] = [];
  for (const table of tables) {
    for (const [name, field] of Object.entries(table.fields)) {
      if (field.offset >= header.headerLength) continue;
      const value = header[name as keyof HeaderFields];
      const asHex = field.style === 'offset' || field.style === 'bits';
      fields.push({
        name,
        offset: field.offset,
        length: field.size,
        value: asHex ? `0x${value.toString(16)}` : value.toString(),
        meaning: field.meaning,
      });
    }
  }
  return fields;
}
