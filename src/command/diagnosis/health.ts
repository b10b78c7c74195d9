/** What is said of findings: health. English; the app has the other languages. */
import type { HealthValues } from '../../engine/index.ts';
import { several } from './count.ts';
import { GUEST_TEXTS } from './health-guest.ts';
import { STATE_TEXTS } from './health-state.ts';
import type { Format, Texts } from './texts.ts';

const DO_NOT_RUN = 'Do not start a virtual machine from this file before it is repaired.';
const REPAIR = 'The repair sets this right; its plan says what it changes before it writes.';
const COPY_FIRST = 'Keep a copy of the file before any repair.';
const SAVE = 'Save what is readable with a conversion, or go back to a backup.';
const NEW_FILE = 'Convert it into a new file of the same format, where this is right again.';

/** How much of the disk it is about, as far as it is known. */
function affected(bytes: number, { size }: Format): string {
  return bytes > 0 ? ` At least ${size(bytes)} of the disk are concerned.` : '';
}

export const HEALTH_TEXTS: Texts<HealthValues> = {
  ...STATE_TEXTS,
  ...GUEST_TEXTS,
  'overwrite-risk': {
    title: ({ clusters }, format) =>
      `${several(clusters, 'cluster is', 'clusters are', format)} in use, but not counted as such`,
    why: ({ bytes }, { size }) =>
      `The file counts ${size(bytes)} of what is in use as free, or as used less often than it is. The next write may take such a place for something else and overwrite what is there.`,
    advice: () => `${DO_NOT_RUN} ${REPAIR}`,
  },
  'double-owner': {
    title: ({ places }, format) =>
      places === 1
        ? 'One place in the file is claimed twice'
        : `${format.count(places)} places in the file are claimed twice`,
    why: () =>
      'Two parts of the image name the same place as theirs. One of them holds what belongs to the other, and a write by one destroys the other.',
    advice: () =>
      `${DO_NOT_RUN} The repair gives each its own place. Which of the two has the right content, nobody can tell: compare with a backup.`,
  },
  'points-outside': {
    title: ({ entries }, format) =>
      `${several(entries, 'entry points', 'entries point', format)} to where the file has nothing`,
    why: ({ bytes }, format) =>
      `Tables name places behind the end of the file, or such as cannot hold content. That content is not there.${affected(bytes, format)}`,
    advice: () =>
      `Compare the length of the file with its source first: a copy that broke off is the usual cause. ${SAVE} The repair takes out what leads to nowhere.`,
  },
  'table-damaged': {
    title: ({ entries }, format) =>
      `${several(entries, 'table entry is', 'table entries are', format)} impossible`,
    why: ({ bytes }, format) =>
      `No program writes such entries: something else got into the tables that say where content lies. What they led to cannot be found through them any more.${affected(bytes, format)}`,
    advice: () => `${COPY_FIRST} ${SAVE} The repair makes the tables sound again.`,
  },
  'table-unreadable': {
    title: ({ tables, file }, format) =>
      file === ''
        ? `${several(tables, 'table', 'tables', format)} cannot be read`
        : `A part of the image is not there: ${file}`,
    why: ({ file }) =>
      file === ''
        ? 'The medium does not give them. What they lead to could not be checked, and cannot be read.'
        : 'The disk is made of several files. What lies in the missing one cannot be read.',
    advice: ({ file }) =>
      file === ''
        ? 'Copy the file to another medium now, and look at the copy: this medium may be failing.'
        : 'Give the missing file as well. All parts belong together.',
  },
  'odd-entries': {
    title: ({ entries }, format) =>
      `${several(entries, 'entry breaks', 'entries break', format)} the rules of the format`,
    why: () =>
      'It is clear what they mean, and nothing is lost. Other programs may stop with an error when they come to these places, when reading or when writing.',
    advice: () => REPAIR,
  },
  'refcounts-damaged': {
    title: ({ entries }, format) =>
      `The reference counts are damaged in ${several(entries, 'place', 'places', format)}`,
    why: () =>
      'The counts say which places of the file are free. Your data are not concerned, but nobody can write safely while the counts are wrong.',
    advice: () =>
      `${DO_NOT_RUN} The repair counts everything anew from the tables; that loses nothing.`,
  },
  'refcount-full': {
    title: ({ clusters, bits }, format) =>
      `${several(clusters, 'cluster has', 'clusters have', format)} more users than ${format.count(bits)} bits can count`,
    why: () =>
      'The counts stop at their largest value. When snapshots are deleted, such a place is counted as free too early, and what still needs it is overwritten.',
    advice: () => 'Delete no snapshot. Convert the image into a new file with wider counts.',
  },
  'copied-flags': {
    title: ({ entries }, format) =>
      `${several(entries, 'entry says', 'entries say', format)} wrongly whether a cluster is shared`,
    why: ({ risky }, { count }) =>
      risky > 0
        ? `${count(risky)} of them allow writing over clusters that something else uses, too: a write would damage a snapshot or packed content.`
        : 'They say “shared” of clusters that nothing else uses. Nothing is lost; the next write to each only copies more than it needs to.',
    advice: ({ risky }) => (risky > 0 ? `${DO_NOT_RUN} ${REPAIR}` : REPAIR),
  },
  leaked: {
    title: ({ bytes }, { size }) => `${size(bytes)} are taken up and used by nothing`,
    why: ({ doubtful }) =>
      doubtful
        ? 'Nothing leads to these places. Other tables are damaged: this may be the data that they led to.'
        : 'The file is larger than it needs to be. No data are concerned.',
    advice: ({ doubtful }) =>
      doubtful
        ? `${COPY_FIRST} Do not use “qemu-img check -r leaks”, which frees them. The repair here keeps them while anything may need them.`
        : 'Nothing is urgent. The repair frees them without risk; so does every new file that is made from this one.',
  },
  'snapshot-damaged': {
    title: ({ isList, snapshots }, format) =>
      isList
        ? 'The list of snapshots cannot be read'
        : `${several(snapshots, 'snapshot leads', 'snapshots lead', format)} to nowhere`,
    why: () =>
      'What these snapshots kept cannot be found, and looks like wasted space. Programs that tidy up would free it for good. The disk as it is now is not concerned by this itself.',
    advice: () =>
      `${COPY_FIRST} Do not repair it with QEMU’s own qemu-img: it drops these snapshots. The repair here looks for their tables first.`,
  },
  'snapshot-incomplete': {
    title: ({ snapshots }, { count }) =>
      snapshots === 1
        ? 'A snapshot does not say how large its disk was'
        : `${count(snapshots)} snapshots do not say how large their disks were`,
    why: () =>
      'Version 3 of the format asks for more than was written. After the disk is resized, going back to such a snapshot fails or gives the wrong size.',
    advice: () => REPAIR,
  },
  'snapshots-void': {
    title: ({ snapshots }, format) =>
      `${several(snapshots, 'snapshot', 'snapshots', format)} in an image that can have none`,
    why: () =>
      'The content of this image is in another file, which every write changes. The snapshots do not keep what they promise.',
    advice: () => 'Do not rely on them. Make a copy of the disk instead.',
  },
  'bitmap-damaged': {
    title: ({ name }) => `The bitmap “${name}” is damaged`,
    why: () =>
      'Bitmaps note what changed since the last backup. An incremental backup by this one would miss changes. The data themselves are not concerned.',
    advice: () => 'Delete the bitmap and make the next backup a full one.',
  },
  truncated: {
    title: ({ missing, end, size: fileSize }, { size }) =>
      missing > 0
        ? `The end is missing: tables lead up to ${size(end)}, the file ends at ${size(fileSize)}`
        : 'The end of the file is missing',
    why: ({ missing }, { size }) =>
      missing > 0
        ? `At least ${size(missing)} are not there: most likely a download or copy that broke off. What lay there is lost in this file.`
        : 'Most likely a download or copy broke off. What lay there is lost in this file.',
    advice: () =>
      'Compare the length with the source and fetch the file again. Do not repair it before: that makes the loss final.',
  },
  'header-copy-damaged': {
    title: ({ copies }, format) =>
      `${several(copies, 'copy', 'copies', format)} of the header ${copies === 1 ? 'is' : 'are'} damaged`,
    why: () =>
      'The format keeps its header with checksums and more than once. The content is complete, but some programs refuse a file like this.',
    advice: () => NEW_FILE,
  },
  'tables-differ': {
    title: () => 'The two copies of a table differ',
    why: () =>
      'The format keeps the table twice. A program that goes by the other copy reads other content.',
    advice: () => 'Convert it into a new file, and look at the content before you delete this one.',
  },
  'sizes-differ': {
    title: ({ size: used, other }, { size, count }) =>
      size(used) === size(other)
        ? `Two sizes of the disk, ${count(Math.abs(used - other))} bytes apart`
        : `Two sizes of the disk: ${size(used)} and ${size(other)}`,
    why: () =>
      'The header names the size twice, and not the same. Depending on the program, the end of the disk is missing or there is more of it.',
    advice: () => 'Convert it into a new file with the size that the partitions need.',
  },
  'count-wrong': {
    title: ({ blocks }, format) =>
      `The header counts ${several(blocks, 'block', 'blocks', format)} too many or too few`,
    why: () => 'No data are concerned. Some programs refuse a file like this.',
    advice: () => NEW_FILE,
  },
  'log-pending': {
    title: () => 'Changes are in the log, and not yet in their places',
    why: () =>
      'The program that wrote the file last did not close it. Here the log is taken into account; programs that do not know it read an older state or refuse the file.',
    advice: () =>
      'If a machine uses it, shut that down first. The repair puts the changes in their places.',
  },
  'parent-changed': {
    title: ({ name }) =>
      name === '' ? 'The parent image was changed' : `The parent image was changed: ${name}`,
    why: () =>
      'This image holds only what differs from its parent. The parent is not as it was when this image was made, so the two together may make no sense.',
    advice: () =>
      'Find the parent as it was, in a backup for instance. Do not start a machine from this pair before.',
  },
  'extension-damaged': {
    title: () => 'Something optional in the header cannot be read',
    why: () => 'The content of the disk is not concerned. What was noted there is not known.',
    advice: () => NEW_FILE,
  },
  'content-damaged': {
    title: ({ blocks }, format) =>
      `${several(blocks, 'block of the content is', 'blocks of the content are', format)} damaged`,
    why: ({ bytes }, format) =>
      `Checksums over the content are wrong, or it cannot be unpacked: what is there is not what was written.${affected(bytes, format)}`,
    advice: () => 'Fetch the file again, or go back to a backup. All other blocks can be saved.',
  },
  'check-aborted': {
    title: ({ reason }) => `The check could not go on (${reason})`,
    why: () => 'What comes behind that point was not looked at: there may be more damage.',
    advice: () => `${COPY_FIRST} Repair what was found, then look again.`,
  },
  'check-refused': {
    title: ({ reason }) => `The image could not be checked (${reason})`,
    why: () => 'Whether its tables are sound is not known.',
    advice: () => 'Open the image by itself to see what is in the way.',
  },
};
