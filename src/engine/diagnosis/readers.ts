/**
 * Which programs refuse a qcow2 image for what it uses, beyond the destinations of
 * `destinations/table.ts`, and since when QEMU knows it. This file is the only place that knows.
 */
import type { Qcow2Info } from '../operations/image-info.ts';

/** What an image can use that not every reader knows. */
export const READER_FEATURES = [
  'backing',
  'data-file',
  'extended-l2',
  'zstd',
  'luks',
  'aes',
  'dirty',
  'corrupt',
] as const;
export type ReaderFeature = (typeof READER_FEATURES)[number];

/** A program, by a name that is the same in every language. */
export interface Reader {
  readonly name: string;
  readonly refuses: readonly ReaderFeature[];
}

export const READERS: readonly Reader[] = [
  // Source: oslo.utils, imageutils/format_inspector.py: backing file, data file and all feature
  // bits above 3 are refused.
  { name: 'OpenStack', refuses: ['backing', 'data-file', 'extended-l2'] },
  // Source: kubevirt/containerized-data-importer, docs on import: a backing file is refused.
  { name: 'KubeVirt CDI', refuses: ['backing'] },
  // Source: lima-vm/go-qcow2reader, image/qcow2/qcow2.go, Readable(); Lima takes no base disk that
  // needs another one.
  { name: 'Lima', refuses: ['backing', 'data-file', 'extended-l2', 'luks', 'aes'] },
  // Source: 7-Zip 25.01, CPP/7zip/Archive/QcowHandler.cpp: _unsupported.
  { name: '7-Zip', refuses: ['backing', 'zstd', 'luks', 'aes'] },
  // Source: gitlab.com/hreitz/imago, src/qcow2/metadata.rs; what libkrun and krunvm read with.
  {
    name: 'imago (libkrun)',
    refuses: ['extended-l2', 'zstd', 'luks', 'aes', 'dirty', 'corrupt'],
  },
  // Source: github.com/ublk-org/rublk and qcow2-rs, src/meta.rs.
  {
    name: 'ublk (qcow2-rs)',
    refuses: ['extended-l2', 'zstd', 'luks', 'aes', 'dirty', 'corrupt'],
  },
];

/** The QEMU that brought it; what is not here is as old as the format. Source: ChangeLog on wiki.qemu.org. */
const SINCE: Partial<Record<ReaderFeature, readonly [major: number, minor: number]>> = {
  luks: [2, 10],
  'data-file': [4, 0],
  zstd: [5, 1],
  'extended-l2': [5, 2],
};

/** What an image uses of it, in the order of the list. */
export function featuresOf(qcow2: Qcow2Info, hasBacking: boolean): ReaderFeature[] {
  const uses: Record<ReaderFeature, boolean> = {
    backing: hasBacking,
    'data-file': qcow2.dataFile !== undefined,
    'extended-l2': qcow2.extendedL2,
    zstd: qcow2.compressionType === 'zstd',
    luks: qcow2.encryption === 'luks',
    aes: qcow2.encryption === 'aes',
    dirty: qcow2.dirty,
    corrupt: qcow2.corrupt,
  };
  return READER_FEATURES.filter((feature) => uses[feature]);
}

/** Names of the programs that refuse any of these. */
export function refusing(features: readonly ReaderFeature[]): string[] {
  return READERS.filter(({ refuses }) => refuses.some((one) => features.includes(one))).map(
    ({ name }) => name,
  );
}

/** The first QEMU that knows all of these, as `5.2`; '' where any does. */
export function qemuSince(features: readonly ReaderFeature[]): string {
  let [major, minor] = [0, 0];
  for (const feature of features) {
    const since = SINCE[feature];
    if (since === undefined) continue;
    const isLater = since[0] > major || (since[0] === major && since[1] > minor);
    if (isLater) [major, minor] = since;
  }
  return major === 0 ? '' : `${major}.${minor}`;
}
