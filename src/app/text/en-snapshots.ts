import { count } from './en.ts';

/** English: snapshots and what they differ in. */
export const enSnapshots = {
  title: 'Snapshots',
  lead: 'A snapshot keeps the disk as it was at one moment, inside this file. What you do here joins the changes; nothing is written before you save them.',
  list: 'In this file',
  noneTitle: 'No snapshots',
  none: 'A snapshot keeps the disk as it is now inside this file. You can go back to it later, compare with it, or export it as an image of its own. It takes little room at first, and grows as the disk changes.',
  foreign: (format: string) => `Images of the format ${format} keep no snapshots inside`,
  foreignNote: 'Convert it to qcow2 for that, or keep copies of the file.',
  dataFile: 'The content of this disk is in another file, which snapshots cannot keep.',

  now: 'Now',
  frees: 'Would free',
  freesNote: 'Inside the file, when it alone is deleted. What others share stays.',
  freesLook: 'What would each free?',
  looking: 'Looking…',
  unknown: 'unknown',
  nothing: 'next to nothing',
  compare: 'Compare',
  compareFor: (name: string) => `Compare the snapshot ${name} with the disk as it is now`,

  comparison: {
    title: 'Compare two states',
    note: 'Says which parts of the disk are different, byte by byte.',
    first: 'One state',
    second: 'The other',
    same: 'Choose two different states.',
    go: (first: string, second: string) => `Compare “${first}” with “${second}”`,
    cancel: 'Cancel',
    cancelled: 'Cancelled. Nothing was changed.',
    identical: 'They are identical',
    identicalNote: (size: string) => `All ${size} of the disk are the same in both.`,
    different: (size: string) => `${size} are different`,
    share: (share: string, ranges: number) =>
      `${share} of the disk, in ${count(ranges, 'range', 'ranges')}.`,
    sizes: (first: string, second: string) =>
      `The disk had ${first} in one and ${second} in the other. What only one has counts as different unless it is zeros.`,
    time: (time: string) => `Compared in ${time}.`,
    ranges: (n: number) => count(n, 'range', 'ranges'),
    rangesOf: (shown: string, all: string) => `The first ${shown} of ${all} ranges`,
    offset: 'From',
    length: 'Length',
    map: 'Map',
    mapFor: (offset: string) => `Show ${offset} on the map`,
    bytes: 'Bytes',
    bytesFor: (offset: string) => `Show the bytes at ${offset}`,
    placeNote: 'Map and bytes show the disk as it is now.',
    more: (n: string) => `Show ${n} more`,
    copy: 'List of ranges',
    commandNote: 'qemu-img says only where the first difference is.',
  },
};

export type SnapshotsText = typeof enSnapshots;
