/** What is said of findings: portability. English; the app has the other languages. */
import type { PortabilityValues } from '../../engine/index.ts';
import type { Texts } from './texts.ts';

type Features = PortabilityValues['readers-limited']['features'];

const NAMES: Readonly<Record<Features[number], string>> = {
  backing: 'a backing file',
  'data-file': 'an external data file',
  'extended-l2': 'subclusters (extended L2)',
  zstd: 'Zstandard compression',
  luks: 'LUKS encryption',
  aes: 'the old AES encryption',
  dirty: 'the mark “not closed”',
  corrupt: 'the mark “corrupt”',
};

function named(features: Features): string {
  return features.map((feature) => NAMES[feature]).join(', ');
}

export const PORTABILITY_TEXTS: Texts<PortabilityValues> = {
  'readers-limited': {
    title: ({ features, qemu }) =>
      qemu === ''
        ? `Not every program opens it: ${named(features)}`
        : `It needs QEMU ${qemu} or later: ${named(features)}`,
    why: ({ programs }) =>
      programs.length === 0
        ? 'Programs that do not know this refuse the image.'
        : `Programs that do not know this refuse the image, among them ${programs.join(', ')}.`,
    advice: ({ features }) => {
      if (features.some((one) => ['zstd', 'extended-l2', 'data-file'].includes(one))) {
        return 'If others have to open it, convert it into a plain qcow2 image: with zlib, ordinary tables and everything in one file. A conversion leaves snapshots behind.';
      }
      if (features.includes('backing')) {
        return 'If others have to open it, copy what comes from below into the image: then it needs no other file.';
      }
      return features.includes('luks') || features.includes('aes')
        ? 'If others have to open it, give them a decrypted copy in a safe way.'
        : 'The repair takes the mark away.';
    },
  },
  'aes-not-run': {
    title: () => 'No machine starts from this kind of encryption',
    why: () =>
      'The old AES encryption of qcow2 is weak, and QEMU opens it only in its tools, no longer for running a machine.',
    advice: () => 'Convert it into an image with LUKS encryption.',
  },
  'snapshots-stay-behind': {
    title: ({ snapshots }, { count }) =>
      snapshots === 1 ? 'It has 1 snapshot inside' : `It has ${count(snapshots)} snapshots inside`,
    why: () =>
      'Converting to another format and moving to other programs takes only the disk as it is now. The snapshots stay behind without a word.',
    advice: () => 'Write out the snapshots that matter as images of their own first.',
  },
  'refcount-width-unusual': {
    title: ({ bits }, { count }) => `Its reference counts have ${count(bits)} bits instead of 16`,
    why: () =>
      'QEMU takes any width. Small readers often know only the usual one, and the image cannot become version 2.',
    advice: () => 'Change the counts to 16 bits; the content stays as it is.',
  },
  'lazy-refcounts-elsewhere': {
    title: () => 'After a crash, other programs may refuse it (lazy refcounts)',
    why: () =>
      'The counts of the image are written only when it is closed. After a crash it is marked as not closed: QEMU mends that by itself, other programs refuse it.',
    advice: ({ canDowngrade }) =>
      canDowngrade
        ? 'If others use it, too, switch lazy refcounts off. It could even become version 2, for very old programs.'
        : 'If others use it, too, switch lazy refcounts off.',
  },
};
