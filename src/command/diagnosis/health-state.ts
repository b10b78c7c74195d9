/** What is said of the state of an image, its limits and what reading it showed. English. */
import type { HealthValues } from '../../engine/index.ts';
import { several } from './count.ts';
import type { Texts } from './texts.ts';

type StateCode =
  | 'in-use'
  | 'not-closed'
  | 'marked-corrupt'
  | 'unknown-features'
  | 'bitmaps-stale'
  | 'bitmaps-in-use'
  | 'snapshots-left'
  | 'size-limit'
  | 'file-limit'
  | 'old-version'
  | 'room-needed'
  | 'packed-broken'
  | 'content-unreadable';

function quoted(names: readonly string[]): string {
  return names.map((name) => `“${name}”`).join(', ');
}

export const STATE_TEXTS: Texts<Pick<HealthValues, StateCode>> = {
  'in-use': {
    title: () => 'Something else is writing to the file right now',
    why: () =>
      'The file changed while it was looked at, probably because a virtual machine is running from it. Everything else that is said here may be wrong.',
    advice: () =>
      'Shut the machine down, or look at a copy that was made while it stood still. Change nothing in the file now.',
  },
  'not-closed': {
    title: () => 'The image was not closed cleanly',
    why: ({ isLazy, behind }, format) => {
      if (!isLazy) {
        return 'The program that wrote it last did not finish: a crash, a power cut, or it is still running. What it was about to write may be missing.';
      }
      return behind > 0
        ? `With lazy refcounts, the counts are written when the image is closed. That did not happen, so ${several(behind, 'count lags', 'counts lag', format)} behind. The data are normally fine.`
        : 'With lazy refcounts, the counts are written when the image is closed. That did not happen, but they are right all the same.';
    },
    advice: () =>
      'If a machine is running from it, shut that down and look again. Otherwise repair it: QEMU does the same when it opens the image for writing.',
  },
  'marked-corrupt': {
    title: () => 'QEMU marked the image as corrupt',
    why: ({ corruptions }, format) =>
      corruptions > 0
        ? `QEMU stopped a write that would have destroyed something, and the tables have ${several(corruptions, 'fault', 'faults', format)} now. The image can be read, and no machine starts from it.`
        : 'QEMU stopped a write that would have destroyed something. The tables are sound now, but no machine starts from the image while it is marked.',
    advice: () => 'Save the content into a new file first, then repair this one.',
  },
  'unknown-features': {
    title: ({ features }) => `It uses what is not known here: ${quoted(features)}`,
    why: () =>
      'The image says that nobody can read it rightly who does not know this. A newer program wrote it, or the header is damaged.',
    advice: () => 'Open it with the program that wrote it, or with the latest QEMU.',
  },
  'bitmaps-stale': {
    title: ({ bitmaps }) =>
      bitmaps.length === 0
        ? 'The bitmaps inside cannot be relied on'
        : `The bitmaps cannot be relied on: ${quoted(bitmaps)}`,
    why: () =>
      'Bitmaps note what changed since the last backup. A program that does not keep them wrote to the image, so an incremental backup would miss changes.',
    advice: () => 'Make a full backup, and begin anew with fresh bitmaps.',
  },
  'bitmaps-in-use': {
    title: ({ bitmaps }) => `Bitmaps are marked as in use: ${quoted(bitmaps)}`,
    why: () =>
      'A running machine keeps them in memory. If none is running, it ended without writing them: they are worthless then, and the next incremental backup fails.',
    advice: () => 'If no machine uses the image, delete them and make a full backup.',
  },
  'snapshots-left': {
    title: ({ left }, format) =>
      left === 0
        ? 'No further snapshot is possible'
        : `Only ${several(left, 'further snapshot is', 'further snapshots are', format)} possible`,
    why: ({ bits, most, snapshots }, { count }) =>
      most === 0
        ? 'The counts of this image have 1 bit: no cluster can have two users. Taking a snapshot fails as soon as anything is written.'
        : `The image has ${count(snapshots)} of at most ${count(most)} snapshots, with ${count(bits)}-bit counts. Then taking another one fails.`,
    advice: ({ bits }) =>
      bits < 16
        ? 'Widen the counts to 16 bits; that leaves the content as it is.'
        : 'Delete snapshots that nobody needs any more.',
  },
  'size-limit': {
    title: ({ most, size: disk }, { size }) =>
      `The disk of ${size(disk)} can grow to ${size(most)} at most`,
    why: ({ clusterSize }, { size }) =>
      `Clusters of ${size(clusterSize)} allow no larger disk: the first table has reached its limit then. Resizing beyond that fails.`,
    advice: ({ better }, { size }) =>
      `Convert it into an image with clusters of ${size(better)} before it has to grow.`,
  },
  'file-limit': {
    title: ({ most, size: file }, { size }) =>
      `The file of ${size(file)} can grow to ${size(most)} at most`,
    why: ({ clusterSize, bits }, { size, count }) =>
      `Clusters of ${size(clusterSize)} with ${count(bits)}-bit counts allow no larger file. Writes and snapshots fail then, in the middle of work.`,
    advice: () => 'Convert it into an image with larger clusters.',
  },
  'old-version': {
    title: () => 'The image is of the old version 2',
    why: () =>
      'Version 2 cannot note that a range became zeros, and frees no space of an image that has a backing file. It has no bitmaps, no lazy refcounts and no mark for damage.',
    advice: () =>
      'All programs of today read version 3. Upgrade it, unless something from before 2012 has to open it.',
  },
  'room-needed': {
    title: ({ bytes }, { size }) => `The file may grow by ${size(bytes)}`,
    why: ({ taken, size: disk }, { size }) =>
      `It takes ${size(taken)} now and grows as the guest writes, up to the ${size(disk)} of the disk and more with snapshots. When the host’s disk is full, the machine stops.`,
    advice: () => 'See that the host has that much free space, or watch it.',
  },
  'packed-broken': {
    title: ({ clusters }, format) =>
      `${several(clusters, 'compressed cluster', 'compressed clusters', format)} cannot be unpacked`,
    why: ({ clusters, of }, { count }) =>
      `Of ${count(of)} compressed clusters, ${count(clusters)} hold something else than what was written. Reading there fails, and no check of the tables finds it.`,
    advice: () =>
      'Fetch the file again or go back to a backup. What is readable can be saved with a conversion.',
  },
  'content-unreadable': {
    title: ({ bytes }, { size }) => `${size(bytes)} of the content cannot be read`,
    why: () => 'The tables lead to where nothing can be read, or the medium does not give it.',
    advice: () =>
      'Copy the file to another medium and look again. What is readable can be saved with a conversion.',
  },
};
