/** Facts of a sound image, for tests of rules: a test changes what it is about. */
import type { DiagnosisFacts, ImageInfo, Qcow2Info, Survey } from '../../src/engine/index.ts';

const GIB = 2 ** 30;
const CLUSTER = 64 * 1024;

const QCOW2: Qcow2Info = {
  ...{ version: 3, compat: '1.1', compressionType: 'zlib', lazyRefcounts: false },
  ...{ refcountBits: 16, dirty: false, corrupt: false, extendedL2: false, dataFile: undefined },
  ...{ dataFileRaw: false, encryption: 'none', luks: undefined, features: [], fields: [] },
  ...{ extensions: [], bitmaps: [], bitmapsInconsistent: false },
};

/** 10 GiB, of which 2 GiB are written, in order. */
export function healthyInfo(change: Partial<ImageInfo> = {}): ImageInfo {
  return {
    ...{ name: 'disk.qcow2', format: 'qcow2', virtualSize: 10 * GIB, fileSize: 2 * GIB + 8 * CLUSTER },
    ...{ allocatedSize: 2 * GIB + 8 * CLUSTER, clusterSize: CLUSTER, encrypted: false },
    ...{ backing: undefined, snapshots: [], qcow2: QCOW2 },
    ...change,
  };
}

export function healthyQcow2(change: Partial<Qcow2Info> = {}): Qcow2Info {
  return { ...QCOW2, ...change };
}

export function healthySurvey(change: Partial<Survey> = {}): Survey {
  const clusters = (2 * GIB) / CLUSTER;
  return {
    space: {
      ...{ fileSize: 2 * GIB + 8 * CLUSTER, active: 2 * GIB, compressed: 0, shared: 0 },
      ...{ snapshotOnly: 0, vmState: 0, zeroHeld: 0, leaked: 0, free: 0, tail: 0, damaged: 0 },
      metadata: {
        ...{ header: CLUSTER, l1: CLUSTER, l2: 4 * CLUSTER, refcounts: 2 * CLUSTER, snapshots: 0 },
        ...{ bitmaps: 0, crypto: 0, other: 0 },
      },
      unknown: 0,
    },
    snapshots: [],
    clusters: {
      ...{ total: (10 * GIB) / CLUSTER, normal: clusters, compressed: 0, zero: 0, zeroHeld: 0 },
      ...{ unallocated: (8 * GIB) / CLUSTER, invalid: 0 },
    },
    order: {
      ...{ fragmented: 0, allocated: clusters, extents: 4, bytes: 2 * GIB, backward: 0 },
      ...{ travel: 4 * CLUSTER, gaps: [] },
    },
    forecasts: { compact: 2 * GIB + 8 * CLUSTER, compactWithoutSnapshots: 2 * GIB + 8 * CLUSTER },
    preallocation: 'none',
    ...change,
  };
}

/** Nothing is to be said of it. */
export function healthyFacts(change: Partial<DiagnosisFacts> = {}): DiagnosisFacts {
  const info = healthyInfo();
  return {
    info,
    file: {
      ...{ format: 'qcow2', subformat: '', container: '', virtualSize: info.virtualSize },
      ...{ geometrySize: info.virtualSize, encrypted: false, hasBacking: false },
      ...{ hasSnapshots: false, severalFiles: false, unclean: false, corrupt: false, version: 3 },
      ...{ sectorSize: 512, adapter: '', zstd: false, extendedL2: false, dataFile: false },
      unknownFeatures: false,
    },
    judgements: [],
    check: {
      ...{ corruptions: 0, leaks: 0, checkErrors: 0, totalClusters: info.virtualSize / CLUSTER },
      ...{ allocatedClusters: (2 * GIB) / CLUSTER, fragmentedClusters: 0, compressedClusters: 0 },
      ...{ imageEndOffset: info.fileSize, findings: [], findingCounts: {}, aborted: undefined },
    },
    ...{ checkRefused: '', noticed: [] },
    survey: healthySurvey(),
    chain: [
      {
        ...{ name: info.name, format: 'qcow2', virtualSize: info.virtualSize, dirty: false },
        ...{ fileSize: info.fileSize, clusterSize: CLUSTER, serves: 2 * GIB, modified: undefined },
        ...{ missing: false, corrupt: false, writtenName: '', writtenFormat: '' },
        ...{ mapped: true, damaged: 0 },
      },
    ],
    ...{ guest: undefined, guestBelow: undefined, changedMeanwhile: false, guard: undefined },
    ...{ contentLooksLike: '', deep: undefined, now: Date.UTC(2026, 0, 1) },
    ...change,
  };
}
