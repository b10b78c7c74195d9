/** Who takes an image, and why not. */
import type { Reason } from '../../worker/api.ts';

/** `limit`: the size that the reason speaks of; `refused`: or else taken, and yet. */
const REASONS: Record<Reason, (limit: string, refused: boolean) => string> = {
  format: (_, refused) =>
    refused ? 'It does not take this format.' : 'It takes this kind, but prefers another.',
  container: () => 'It has to be unpacked first.',
  'needs-container': () => 'It takes a raw disk only in a .tar.gz archive, under a fixed name.',
  'not-fixed': () => 'It takes only disks of fixed size, which are in the file as a whole.',
  'size-multiple': (limit) => `The size of the disk has to be a multiple of ${limit}.`,
  'size-least': (limit) => `The disk has to have at least ${limit}.`,
  'size-most': (limit) => `It takes disks of at most ${limit}.`,
  geometry: () => 'It may go by the geometry in the header, which gives the disk another size.',
  backing: () => 'Part of the disk is in another image, which it would not find.',
  'data-file': () => 'The content of the disk is in another file.',
  'several-files': (_, refused) =>
    refused
      ? 'It takes a disk in one file only, this one is in several.'
      : 'The disk is in several files: it needs all of them, beside each other.',
  encrypted: () => 'It cannot unlock encrypted disks.',
  snapshots: () => 'Snapshots inside the file are lost or refused.',
  unclean: (_, refused) =>
    refused
      ? 'The file was not closed cleanly, and it refuses such files.'
      : 'The file was not closed cleanly: it may refuse it, or repair it first.',
  corrupt: () => 'The file is marked as corrupt.',
  'unknown-features': () => 'The file uses features that nobody knows here.',
  zstd: () => 'It does not know Zstandard compression.',
  'extended-l2': () => 'It does not know subclusters (extended L2).',
  'version-3': () => 'It knows only version 2 of qcow2 (compat 0.10).',
  'hosted-sparse': () =>
    'It does not run disks of desktop programs: they have to be imported or converted.',
  'stream-optimized': () =>
    'This kind is for transport: it is imported, but no machine runs from it.',
  'not-stream-optimized': () => 'It takes only the compressed kind (streamOptimized).',
  'vmdk-version': () => 'The version in the header is not the one that it expects.',
  'adapter-ide': () => 'Made for an IDE adapter: slow there, and not everywhere to be had.',
  'sparse-file': () =>
    'It refuses files that lie sparse or compressed on NTFS. The commands set that right.',
  'sector-size': (limit) =>
    `The disk has larger sectors than ${limit}: guests may see another one.`,
  'file-system': () =>
    'A disk with partitions is only mounted. To be imported, it has to be one file system (ext4).',
};

export const enDestinations = {
  title: 'Who will accept this file?',
  lead: 'What is known of the rules of each, held against this file as it is. Nothing is asked of anybody.',
  verdicts: { yes: 'Takes it', care: 'Takes it, with care', no: 'Does not take it' },
  reasons: REASONS,
  all: (n: number) => `Show all ${n}`,
  fewer: 'Show fewer',
  convert: 'Convert for it…',
  convertFor: (name: string) => `Convert for ${name}…`,
};

export type DestinationsText = typeof enDestinations;
