import type { ChainFile, ImageInfo, LuksInfo } from '../worker/api.ts';
import { contentRows } from './contents.ts';
import { foreignFacts } from './format-facts.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { bytes, exactBytes, moment, percent } from './units.ts';
import { words } from './words.svelte.ts';

/** One line of the definition list. */
export interface Fact {
  id: string;
  label: string;
  value: string;
  /** A smaller word beside it. */
  note: string;
  /** What «copy» gives: exact numbers and names, without rounding. */
  copy: string;
}

/** Facts that belong together. */
export interface FactGroup {
  id: 'disk' | 'format';
  title: string;
  facts: Fact[];
}

type Qcow2 = NonNullable<ImageInfo['qcow2']>;

/** All that is known of an image, in words. */
export function factsOf(image: OpenImage): FactGroup[] {
  const { info } = image;
  if (info === undefined) return [];
  const { groups } = words.image.overview;
  return [
    { id: 'disk', title: groups.disk, facts: diskFacts(image, info) },
    { id: 'format', title: groups.format, facts: formatFacts(info) },
  ];
}

function diskFacts(image: OpenImage, info: ImageInfo): Fact[] {
  const { overview } = words.image;
  const facts = [size('virtual-size', overview.virtualSize, info.virtualSize)];
  const usage = usageOf(image);
  if (info.clusterSize !== undefined && usage !== undefined) {
    facts.push(heldData(usage.data, info.virtualSize));
    if (usage.unknown > 0) facts.push(size('unknown', overview.unknownData, usage.unknown));
  } else if (info.clusterSize !== undefined && image.chain.length === 1) {
    facts.push(unknownData());
  }
  facts.push(...fileFacts(info), encryption(info));
  return facts;
}

/** How a disk divides. Bytes; the rest of it is zeros. */
export interface Usage {
  /** Holds data, packed ones included. */
  data: number;
  compressed: number;
  /** Nobody knows: never zeros. */
  unknown: number;
}

/** How the disk divides, known once its tables were looked at: by themselves, or for a check. */
export function usageOf(image: OpenImage): Usage | undefined {
  const { plan, info } = image;
  if (plan !== undefined) {
    const { data, compressed, unknown } = plan;
    return { data: data + compressed, compressed, unknown };
  }
  const { report } = image.check;
  const cluster = info?.clusterSize;
  const isWhole = image.chain.length === 1 && image.gap === undefined;
  if (!isWhole || report === undefined || cluster === undefined || report.aborted !== undefined) {
    return undefined;
  }
  const data = Math.min(report.allocatedClusters * cluster, info?.virtualSize ?? 0);
  return { data, compressed: Math.min(report.compressedClusters * cluster, data), unknown: 0 };
}

function unknownData(): Fact {
  const { overview } = words.image;
  return plain('data', overview.usedData, overview.usedUnknown);
}

function heldData(data: number, total: number): Fact {
  const { overview } = words.image;
  const { tag } = words;
  const share = percent(data, total, tag);
  return {
    id: 'data',
    label: overview.usedData,
    value: overview.usedDataOf(bytes(data, tag), bytes(total, tag), share),
    note: '',
    copy: String(data),
  };
}

function fileFacts(info: ImageInfo): Fact[] {
  const { overview } = words.image;
  const facts = [size('file-size', overview.fileSize, info.fileSize)];
  if (info.allocatedSize !== undefined) {
    facts.push(size('allocated', overview.allocated, info.allocatedSize));
  }
  return facts;
}

function formatFacts(info: ImageInfo): Fact[] {
  const { overview } = words.image;
  const { qcow2 } = info;
  if (qcow2 === undefined) return foreignFacts(info);
  const facts: Fact[] = [
    {
      ...plain('format', overview.format, overview.qcow2(qcow2.version)),
      note: overview.qcow2Compat(qcow2.compat),
    },
  ];
  if (info.clusterSize !== undefined) {
    facts.push(size('cluster-size', overview.clusterSize, info.clusterSize));
  }
  facts.push(
    plain('compression', overview.compression, overview.compressionTypes[qcow2.compressionType]),
    plain('refcount-bits', overview.refcountBits, overview.bits(qcow2.refcountBits)),
    plain('features', overview.features, features(qcow2)),
  );
  if (qcow2.dataFile !== undefined) {
    facts.push(plain('data-file', overview.dataFile, qcow2.dataFile === '' ? '–' : qcow2.dataFile));
  }
  if (qcow2.bitmaps.length > 0 || qcow2.bitmapsInconsistent) facts.push(bitmaps(qcow2));
  return facts;
}

function bitmaps(qcow2: Qcow2): Fact {
  const { overview } = words.image;
  const names = qcow2.bitmaps.map((bitmap) => bitmap.name).join(', ') || '–';
  const note = qcow2.bitmapsInconsistent ? overview.bitmapsInconsistent : '';
  return { ...plain('bitmaps', overview.bitmaps, names), note };
}

function encryption(info: ImageInfo): Fact {
  const { overview } = words.image;
  const kind = info.qcow2?.encryption ?? 'none';
  const luks = info.qcow2?.luks;
  const note = luks === undefined ? '' : cipherName(luks);
  return { ...plain('encryption', overview.encryption, overview.encryptionKinds[kind]), note };
}

/** What encrypts a disk, in the words of its header: `aes-xts-plain64, 256 bits`. */
export function cipherName(luks: LuksInfo): string {
  const { bits } = words.image.overview;
  return `${luks.cipherName}-${luks.cipherMode}, ${bits(luks.keyBits)}`;
}

/** Feature bits in words, the known ones in the person's language. */
function features(qcow2: Qcow2): string {
  const { featureNames, noFeatures } = words.image.overview;
  const named = qcow2.features.map((feature) => {
    switch (`${feature.set} ${feature.bit}`) {
      case 'incompatible 0':
        return featureNames.dirty;
      case 'incompatible 1':
        return featureNames.corrupt;
      case 'incompatible 2':
        return featureNames.dataFile;
      case 'incompatible 3':
        return featureNames.compression;
      case 'incompatible 4':
        return featureNames.extendedL2;
      case 'compatible 0':
        return featureNames.lazyRefcounts;
      case 'autoclear 0':
        return featureNames.bitmaps;
      case 'autoclear 1':
        return featureNames.rawDataFile;
      default:
        return featureNames.unknown(feature.set, feature.bit, feature.name);
    }
  });
  return named.length === 0 ? noFeatures : named.join(words.tag === 'en' ? ', ' : '、');
}

function size(id: string, label: string, value: number): Fact {
  const { tag } = words;
  const exact = exactBytes(value, tag);
  const short = bytes(value, tag);
  return { id, label, value: short, note: value < 1024 ? '' : exact, copy: String(value) };
}

function plain(id: string, label: string, value: string): Fact {
  return { id, label, value, note: '', copy: value };
}

function chainRow({ kind, name, state }: ChainFile): [string, string] {
  const { kinds, states } = words.image.chain;
  return [kinds[kind], `${name} (${states[state]})`];
}

/** Everything of the overview as plain text, for a ticket or a mail. */
export function factsAsText(image: OpenImage): string {
  const { overview } = words.image;
  const { info } = image;
  const rows = factsOf(image)
    .flatMap((group) => group.facts)
    .map(({ label, value, note }) => [label, note === '' ? value : `${value} (${note})`]);
  rows.push(...contentRows(image), ...image.chain.slice(1).map(chainRow));
  for (const snapshot of info?.snapshots ?? []) {
    const taken = moment(snapshot.dateSeconds * 1000, words.tag);
    rows.push([overview.snapshots, `${snapshot.id} ${snapshot.name} (${taken})`]);
  }
  return [image.name, ...rows.map(([label, value]) => `${label}: ${value}`), ''].join('\n');
}
