import type { ContainerKind, ContainerProblem, ManifestVerdict } from '../../worker/api.ts';
import { count } from './en.ts';

const KINDS: Record<ContainerKind, string> = {
  gzip: 'gzip',
  xz: 'xz',
  zstd: 'Zstandard',
  bzip2: 'bzip2',
  zip: 'ZIP',
  tar: 'tar',
};

const REFUSALS: Partial<Record<ContainerProblem, string>> = {
  encrypted: 'locked with a password',
  method: 'packed in an unknown way',
  'cut-off': 'its end is missing',
};

const VERDICTS: Record<ManifestVerdict['state'], string> = {
  ok: 'as listed',
  mismatch: 'differs from the list',
  missing: 'is not there',
};

/** English: disks inside other files. */
export const enWrapped = {
  title: 'Where it came from',
  kinds: KINDS,
  archive: (kind: string) => `${kind} file`,
  inside: 'Inside',
  way: 'Way to the disk',
  /** Why the file itself is not changed. */
  unchanged: (name: string) =>
    `The disk is read inside “${name}”, which is never changed. Changes are saved as a copy of the disk.`,
  noPatch: 'A patch would be for the unpacked disk, not for the file that you have.',
  choose: {
    title: (name: string) => `Which disk in ${name}?`,
    several: 'Several files in it may be the disk that you want.',
    none: 'Nothing in it looks like a disk image. One of these may be one all the same.',
    open: 'Open',
    cancel: 'Cancel',
    unknownSize: 'size unknown',
    likely: 'looks like a disk',
    cut: 'There are more files than are shown.',
    refusal: (problem: ContainerProblem) => REFUSALS[problem] ?? 'damaged',
  },
  machine: 'Virtual machine',
  name: 'Name',
  os: 'Operating system',
  hardware: 'Made for',
  cpus: 'Processors',
  memory: 'Memory',
  disks: 'Disks',
  networks: 'Networks',
  noFile: 'empty',
  manifest: {
    title: 'Manifest',
    none: 'There is no list of checksums in it.',
    listed: (n: number) => `Lists the checksums of ${count(n, 'file', 'files')}; not compared yet.`,
    verify: 'Compare',
    good: (n: number) => `${count(n, 'file is', 'files are')} as the manifest lists.`,
    bad: (n: number) => `${count(n, 'file is', 'files are')} not as the manifest lists.`,
    verdicts: VERDICTS,
    cancel: 'Stop',
  },
};

export type WrappedText = typeof enWrapped;
