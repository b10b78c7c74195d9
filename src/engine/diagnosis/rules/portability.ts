/** Rules: portability. What keeps other programs from opening the image, and how to do without. */
import type { Remedy } from '../diagnosis.ts';
import type { DiagnosisFacts } from '../facts.ts';
import { featuresOf, qemuSince, refusing, type ReaderFeature } from '../readers.ts';
import type { Rules } from '../rule.ts';
import type { ImageInfo } from '../../operations/image-info.ts';

/** The codes, stable, with what each speaks of. */
export interface PortabilityValues {
  /** `qemu`: the first version that opens it, '' for any; `programs`: names of those that refuse it. */
  'readers-limited': { features: ReaderFeature[]; qemu: string; programs: string[] };
  'aes-not-run': { name: string };
  'snapshots-stay-behind': { snapshots: number };
  'refcount-width-unusual': { bits: number };
  /** `canDowngrade`: it could be version 2, without losing anything. */
  'lazy-refcounts-elsewhere': { canDowngrade: boolean };
}

export const PORTABILITY_RULES: Rules<PortabilityValues> = {
  'readers-limited': (facts) => {
    const { qcow2, backing } = facts.info;
    if (qcow2 === undefined) return undefined;
    const features = featuresOf(qcow2, backing !== undefined);
    if (features.length === 0) return undefined;
    return {
      grade: 'note',
      values: { features, qemu: qemuSince(features), programs: refusing(features) },
      remedies: lowering(facts, features),
    };
  },
  'aes-not-run': ({ info }) => {
    if (info.qcow2?.encryption !== 'aes') return undefined;
    const options = { 'encrypt.format': 'luks' };
    return {
      grade: 'advice',
      values: { name: info.name },
      remedies: [{ kind: 'convert', format: 'qcow2', options, compress: false }],
    };
  },
  'snapshots-stay-behind': ({ info: { snapshots } }) => {
    if (snapshots.length === 0) return undefined;
    return { grade: 'note', values: { snapshots: snapshots.length } };
  },
  'refcount-width-unusual': ({ info: { qcow2 } }) => {
    const bits = qcow2?.refcountBits ?? 16;
    // Narrow ones have a finding of their own, which is about more than other programs.
    if (bits === 16 || bits === 1) return undefined;
    return {
      grade: 'note',
      values: { bits },
      remedies: [{ kind: 'amend', options: { refcount_bits: '16' } }],
    };
  },
  'lazy-refcounts-elsewhere': ({ info }) => {
    if (info.qcow2?.lazyRefcounts !== true) return undefined;
    const canDowngrade = isVersion2Enough(info);
    const off: Remedy = { kind: 'amend', options: { lazy_refcounts: 'off' } };
    const old: Remedy = { kind: 'amend', options: { compat: '0.10' } };
    return {
      grade: 'note',
      values: { canDowngrade },
      remedies: canDowngrade ? [off, old] : [off],
    };
  },
};

/** What makes an image that more programs open. */
function lowering(facts: DiagnosisFacts, features: readonly ReaderFeature[]): Remedy[] {
  const { chain, check, survey } = facts;
  const remedies: Remedy[] = [];
  const isRewritten = features.some((one) => ['data-file', 'extended-l2', 'zstd'].includes(one));
  if (isRewritten) {
    const packed = survey?.clusters?.compressed ?? check?.compressedClusters ?? 0;
    // The defaults of a new image are what all readers know.
    remedies.push({ kind: 'convert', format: 'qcow2', options: {}, compress: packed > 0 });
  } else if (features.includes('backing') && !chain.some(({ missing }) => missing)) {
    remedies.push({ kind: 'flatten' });
  }
  if (features.includes('dirty') || features.includes('corrupt')) remedies.push({ kind: 'repair' });
  return remedies;
}

/**
 * Whether the image could become version 2 as it is: nothing in it needs version 3, and its
 * snapshots fit into the old list. Bitmaps would be lost, so that does not count as possible.
 */
function isVersion2Enough({ qcow2, snapshots, virtualSize }: ImageInfo): boolean {
  if (qcow2?.version !== 3 || qcow2.refcountBits !== 16 || qcow2.bitmaps.length > 0) return false;
  if (qcow2.encryption === 'luks') return false;
  const needed = qcow2.features.some(({ set, bit }) => set === 'incompatible' && bit !== 0);
  const fits = snapshots.every(({ diskSize, vmStateSize }) => {
    return diskSize === virtualSize && vmStateSize < 2 ** 32;
  });
  return !needed && fits;
}
