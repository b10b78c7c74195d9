import type {
  ErrorCode,
  ErrorDetails,
  HeaderProblem,
  ImageProblem,
  KeySlotProblem,
  PatchProblem,
} from '../../engine/errors.ts';
import type { UnreadableReason } from '../../engine/errors.ts';
import { bytes, hex } from '../units.ts';
import { CONTAINER, CONTAINER_NOW, FOREIGN, FOREIGN_NOW } from './en-foreign.ts';

/** An error in a person's words: what happened, why, and what can be done now. */
export interface ErrorSentence {
  what: string;
  why: string;
  now: string;
}

/** A sentence for every error code; the compiler asks for those of new codes. */
export type ErrorSentences = {
  [Code in ErrorCode]: (details: ErrorDetails[Code]) => ErrorSentence;
};

type Details<Code extends ErrorCode> = ErrorDetails[Code];

const PATCH: Record<PatchProblem, string> = {
  'not-a-patch': 'It is a file of another kind.',
  unfinished: 'Its end is missing: it was never finished, or was cut off.',
  damaged: 'Its checksums are wrong.',
  version: 'It was made by a newer version of this program.',
  kind: 'It describes a change of another kind.',
};

const KEY_SLOT: Record<KeySlotProblem, (slot: number) => string> = {
  'no-such-slot': (slot) => `There is no key slot ${slot}; they count from 0 to 7.`,
  'in-use': (slot) => `Key slot ${slot} is in use, and its passphrase would be lost.`,
  'none-free': () => 'All eight key slots are in use.',
  'other-passphrase': (slot) => `Key slot ${slot} holds another passphrase than the one given.`,
  'not-in-use': (slot) => `Key slot ${slot} is empty already.`,
  last: (slot) => `Key slot ${slot} is the last one in use: without it nobody could read the disk.`,
  'none-given': () => 'Neither a key slot nor the passphrase in it was given.',
  'none-match': () => 'The passphrase opens none of the key slots.',
  'all-match': () => 'The passphrase is in all key slots: without them nobody could read the disk.',
};

const HEADER: Record<HeaderProblem, (d: Details<'invalid-header'>) => string> = {
  version: (d) => `It says it is version ${d.value} of qcow2; versions 2 and 3 exist.`,
  'cluster-size': (d) =>
    `The cluster size is 2^${d.value} bytes; it has to be between 512 bytes and 2 MiB.`,
  'header-too-short': (d) => `The header says it is ${d.value} bytes long; it needs ${d.limit}.`,
  'header-too-long': () => 'The header says it is longer than its cluster.',
  'backing-offset': () => 'The place of the backing file name lies outside the header cluster.',
  'backing-name-too-long': () => 'The backing file name is longer than 1023 bytes or its cluster.',
  'refcount-order': () => 'The reference counts are wider than 64 bits.',
  'crypt-method': (d) => `It names encryption method ${d.value}, which does not exist.`,
  'compression-bit-unset': () =>
    'It uses another compression than zlib without the mark that goes with it.',
  'compression-bit-set': () => 'It is marked as using another compression, but names zlib.',
  'compression-type': (d) => `It names compression type ${d.value}, which does not exist.`,
  'subcluster-size': () => 'Its clusters are too small for the extended L2 entries it claims.',
  'size-too-big': (d) =>
    `The disk would be ${bytes(Number(d.value), 'en')} large. No table can describe that.`,
  'l1-too-large': () => 'The L1 table is larger than 32 MiB, the most that QEMU reads.',
  'l1-too-small': () => 'The L1 table is too small for the size of the disk.',
  'l1-offset': () => 'The L1 table does not begin at a cluster.',
  'l1-unreadable': () => 'The L1 table could not be read.',
  'refcount-table-offset': () => 'The reference count table does not begin at a cluster.',
  'refcount-table-too-large': () =>
    'The reference count table is larger than 8 MiB, the most that QEMU reads.',
  'refcount-table-missing': () => 'It has no reference count table.',
  'refcount-table-unreadable': () => 'The reference count table could not be read.',
  'snapshot-table-too-large': () => 'The snapshot table is larger than any that QEMU would write.',
  'snapshot-table-offset': () => 'The snapshot table does not begin at a cluster.',
  'snapshot-table-invalid': () => 'The snapshot table makes no sense.',
  'extension-too-large': () => 'A header extension is longer than the room there is for it.',
  'backing-format-too-long': () => 'The name of the backing format is too long.',
  'bitmaps-extension': () => 'The list of dirty bitmaps in the header is not valid.',
  'crypto-extension': () => 'The encryption data in the header does not fit the encryption method.',
  'luks-header': (d) => `The header of its encryption makes no sense (${d.field}).`,
  'luks-version': (d) =>
    `Its encryption is version ${d.value} of LUKS; only version 1 can be read.`,
  'data-file-missing': () => 'Its data is in another file, but the header does not name it.',
  'data-file-raw': () => 'It claims a raw data file, but has no data file.',
};

const IMAGE: Record<ImageProblem, (d: Details<'invalid-image'>) => string> = {
  signature: () => 'It does not begin as such an image does.',
  version: (d) => `It says it is version ${d.value} of the format, which is not known here.`,
  field: (d) => `${d.field} is ${d.value}, which no valid image has.`,
  checksum: (d) => `The checksum of ${d.field} is wrong.`,
  'table-size': (d) => `${d.field} is ${d.value}, more than any valid image has (${d.limit}).`,
  'disk-size': (d) => `The disk would be ${d.value} bytes large; the format ends at ${d.limit}.`,
  'table-place': (d) => `${d.field} is not where it can be (${d.value}).`,
  descriptor: (d) => `Its description cannot be understood: ${d.field} ${d.value}`.trim(),
  truncated: (d) => `The file ends before ${d.field} is complete.`,
};

const UNREADABLE: Record<UnreadableReason, string> = {
  'l2-unaligned': 'The table that maps this place is itself misplaced.',
  'l2-unreadable': 'The table that maps this place could not be read from the medium.',
  'data-unaligned': 'The table entry for this place points between two clusters.',
  'zero-in-v2': 'The table entry uses a mark that version 2 of the format does not have.',
  'compressed-corrupt': 'The compressed data there is damaged.',
  'compressed-short': 'The compressed data there ends too early.',
  'backing-missing': 'This part of the disk is in the backing file, which is not open.',
  'data-file-missing': 'The data is in another file, which is not open.',
  'extent-missing': 'This part of the disk is in another file of the image, which is not open.',
  'block-outside': 'The table entry for this place points outside the file.',
  'block-state': 'The table entry for this place has a state that does not exist.',
  'data-file-offset':
    'The table entry points to another place of the data file than the only one that is allowed.',
  'data-file-compressed':
    'The table entry claims compressed data, which an image with a data file cannot hold.',
  locked: 'The data is encrypted, and the passphrase was not given.',
  'subcluster-invalid': 'The table entry for this place contradicts itself.',
};

const UNREADABLE_NOW: Partial<Record<UnreadableReason, string>> = {
  'backing-missing': 'Open the backing file from the Overview, then try again.',
  'data-file-missing': 'Open the data file from the Overview, then try again.',
  'extent-missing': 'Open all files of the image from the Overview, then try again.',
  locked: 'Unlock the image from the Overview, then try again.',
};

const named = (name: string): string => (name === '' ? 'The file' : `“${name}”`);

export const enErrors: ErrorSentences = {
  cancelled: () => ({
    what: 'Cancelled.',
    why: 'Your file was not changed.',
    now: '',
  }),
  'invalid-header': (d) => ({
    what: 'The header of this image is not valid.',
    why: HEADER[d.problem](d),
    now: 'The beginning of the file is damaged or was never a good image. Get it again from where it came, or take the first 64 KiB from a backup of the same image.',
  }),
  'not-a-disk-image': (d) => ({
    what: `${named(d.name)} is not a disk image that this app knows.`,
    why: FOREIGN[d.looksLike],
    now: FOREIGN_NOW[d.looksLike],
  }),
  'unknown-features': (d) => ({
    what: 'This image uses features that are not known here.',
    why: `The image itself names them: ${d.features}. Reading on could give wrong data.`,
    now: 'Use the program that made the image, or a newer version of this app.',
  }),
  'unsupported-feature': (d) => ({
    what: `This image uses “${d.feature}”, which this version cannot read.`,
    why: 'The header can be shown, the content cannot.',
    now: 'Convert it with qemu-img where it was made, or use a newer version of this app.',
  }),
  'unreadable-cluster': (d) => ({
    what: `The disk cannot be read at ${hex(d.guestOffset)} (${bytes(d.length, 'en')}).`,
    why: UNREADABLE[d.reason],
    now: UNREADABLE_NOW[d.reason] ?? 'Run the check to see what else is concerned.',
  }),
  'backing-missing': (d) => ({
    what: `This image holds only changes. It needs “${d.name}” to give the whole disk.`,
    why: 'Nothing that an image names is opened by itself.',
    now: 'Locate the file in the Overview.',
  }),
  'header-full': () => ({
    what: 'The first cluster of the image has no room for all that belongs into it.',
    why: 'The name of the backing file and the header share one cluster.',
    now: 'Use a shorter name, or convert to larger clusters.',
  }),
  'refcount-limit': (d) => ({
    what: `The reference count of the cluster at ${hex(d.offset)} cannot be changed.`,
    why: `It would leave the range from 0 to ${d.maximum} that this image can count.`,
    now: 'Run the check. If the image is sound, convert it to wider reference counts.',
  }),
  'refcount-wrong': (d) => ({
    what: 'The reference counts of this image are damaged, and nothing was changed.',
    why: `The cluster at ${hex(d.offset)} is in use, but counted as free.`,
    now: 'Run the check and repair the image first.',
  }),
  'snapshot-refused': (d) => ({
    what: 'This cannot be done with the snapshots of this image.',
    why: {
      'data-file': 'The content of the disk is in a file of its own, which snapshots cannot keep.',
      bitmaps: 'Its bitmaps record what has changed, and would no longer be true.',
      version: 'The snapshot has a disk of another size, which version 2 of the format forbids.',
      size: 'The snapshot says a size that no disk has.',
    }[d.reason],
    now: {
      'data-file': 'Keep copies of the disk instead.',
      bitmaps: 'Remove the bitmaps first; the next backup is a full one then.',
      version: 'Upgrade the image to version 3 first.',
      size: 'Convert the snapshot into a disk of its own.',
    }[d.reason],
  }),
  'refcount-width': (d) => ({
    what: `Reference counts of ${d.bits} bits are too narrow, and nothing was changed.`,
    why: `The cluster at ${hex(d.offset)} is used ${d.count} times.`,
    now: 'Choose wider reference counts.',
  }),
  'edit-refused': (d) => ({
    what: 'This change cannot be made, and nothing was changed.',
    why: {
      unsaved: `“${d.name}” has changes that are not saved.`,
      'backing-format': 'The format of the image below has to be recorded with its name.',
      'backing-name': 'The name of the image below is longer than 1023 bytes.',
      'raw-data-file': 'Its data file is a whole disk by itself, so nothing can lie below it.',
      option: `There is no such option or value: ${d.name}`,
      'not-below': `“${d.name}” is not one of the images below.`,
      'nothing-below': 'Nothing lies below this image: its content would be lost.',
      'several-files': 'The disk is kept in several files, and a change is made to one file only.',
      format: `Nobody makes this change of images in the format ${d.name}.`,
      wrapped: `The image lies packed in “${d.name}”.`,
    }[d.reason],
    now: {
      unsaved: 'Save or take back its changes first, then try again.',
      'backing-format': 'Choose the format.',
      'backing-name': 'Choose a shorter name.',
      'raw-data-file': 'Convert it to an image without a data file first.',
      option: 'Choose another value.',
      'not-below': 'Open the image that belongs below, then try again.',
      'nothing-below': 'Create a new image instead.',
      'several-files': 'Convert it to one file, or use the command line.',
      format: 'Convert the image to qcow2, and change that.',
      wrapped: 'Unpack it, and open the image itself.',
    }[d.reason],
  }),
  'amend-refused': (d) => ({
    what: 'The image cannot be changed in this way, and nothing was changed.',
    why: {
      'refcount-bits': 'Version 2 of the format has reference counts of 16 bits only.',
      'narrow-in-v2': 'Version 2 of the format has reference counts of 16 bits only.',
      'data-file': 'Version 2 of the format has no external data files.',
      snapshots: 'A snapshot says what version 2 of the format cannot say.',
      features: `It uses features that version 2 of the format does not have (${d.features}).`,
      zstd: 'It holds clusters that are compressed with zstd.',
      lazy: 'Lazy reference counts need version 3 of the format.',
      'no-data-file': 'It has no external data file.',
      'data-file-raw': 'Its data file is not a raw disk by itself.',
      backing: 'Another backing file changes what it holds.',
    }[d.reason],
    now: {
      'refcount-bits': 'Choose 16 bits together with version 2.',
      'narrow-in-v2': 'Choose version 3 together with that width.',
      'data-file': 'Convert it to a new image of version 2.',
      snapshots: 'Remove the snapshots first, or convert it to a new image.',
      features: 'Convert it to a new image of version 2.',
      zstd: 'Convert it to a new image of version 2.',
      lazy: 'Choose version 3 together with them.',
      'no-data-file': 'Convert it to a new image with a data file.',
      'data-file-raw': 'Convert it to a new image with a raw data file.',
      backing: 'Use rebase.',
    }[d.reason],
  }),
  'resize-refused': (d) => ({
    what: 'The disk cannot get this size, and nothing was changed.',
    why: {
      sectors: 'A disk consists of whole sectors of 512 bytes.',
      snapshots: 'In version 2 of the format, snapshots do not note how large the disk was.',
      'bitmap-inconsistent': `The bitmap ${named(d.name)} was not saved cleanly.`,
      'bitmap-too-large': `The bitmap ${named(d.name)} would get larger than any may be.`,
      zeros: 'The base is longer and would show; version 2 of the format cannot hide it.',
    }[d.reason],
    now: {
      sectors: 'Choose a multiple of 512 bytes.',
      snapshots: 'Upgrade the image to version 3 first, or remove the snapshots.',
      'bitmap-inconsistent': 'Remove that bitmap first.',
      'bitmap-too-large': 'Remove that bitmap, or choose a smaller size.',
      zeros: 'Upgrade the image to version 3 first.',
    }[d.reason],
  }),
  'refcount-block-unaligned': (d) => ({
    what: 'The reference counts of this image are damaged.',
    why: `Entry ${d.index} of their table points to ${hex(d.offset)}, between two clusters.`,
    now: 'Run the check; nothing was changed.',
  }),
  'image-corrupt': (d) => ({
    what: `“${d.name}” is marked as corrupt and was not changed.`,
    why: 'A program found damage in its tables and set the mark, so that nobody makes it worse.',
    now: 'Repair it first: the check says what is wrong and what can be done.',
  }),
  'image-dirty': (d) => ({
    what: `“${d.name}” was not closed cleanly.`,
    why: 'Its reference counts may be out of date, so no free place in it can be trusted.',
    now: 'Repair it first; that changes none of the disk’s content.',
  }),
  'image-damaged': (d) => ({
    what: `“${d.name}” is damaged and was not changed.`,
    why: `Its reference counts are wrong or cannot be checked (errors: ${d.corruptions}), so what looks free may be in use.`,
    now: 'Repair it first: the check says what is wrong and what can be done.',
  }),
  'l2-damaged': (d) => ({
    what: 'A part of this image cannot be changed: its tables are damaged there.',
    why: `Entry ${d.index} of the L1 table points to ${hex(d.offset)}, where there is no table.`,
    now: 'Repair the image first. Nothing was changed.',
  }),
  'bitmap-damaged': (d) => ({
    what: `What the bitmap “${d.name}” marks cannot be read.`,
    why: `Entry ${d.entry} of its table is not valid.`,
    now: 'The disk itself is not concerned. Make the next backup a full one, then a new bitmap.',
  }),
  'bitmap-refused': (d) => ({
    what: `This cannot be done with the bitmap “${d.name}”.`,
    why: {
      exists: 'There is one of that name already.',
      inconsistent: 'It was not saved cleanly, so that what it marks cannot be trusted.',
      version: 'Version 2 of the format has no way to tell whether bitmaps are still true.',
      granularity: 'Its granularity has to be a power of two, and at least 512 bytes.',
      'granularity-large': 'Its granularity may be 2 GiB at most.',
      'too-large': 'With so fine a granularity it would have more bits than any bitmap may have.',
      'name-empty': 'It has no name.',
      'name-long': 'Its name is longer than 1023 bytes.',
      'too-many': 'The image has as many bitmaps as an image can have.',
      'directory-full': 'The list of bitmaps has no more room.',
      sizes: `The disks have different sizes: ${d.size} and ${d.sourceSize} bytes.`,
      'empty-disk': 'The disk has no size.',
    }[d.reason],
    now: {
      exists: 'Choose another name.',
      inconsistent: 'Remove it, and make the next backup a full one.',
      version: 'Upgrade the image to version 3 first.',
      granularity: 'Choose another granularity.',
      'granularity-large': 'Choose another granularity.',
      'too-large': 'Choose a larger granularity.',
      'name-empty': 'Give it one.',
      'name-long': 'Choose a shorter one.',
      'too-many': 'Remove one that is no longer needed.',
      'directory-full': 'Remove bitmaps that are no longer needed.',
      sizes: 'Only bitmaps of disks of the same size can be merged.',
      'empty-disk': 'Resize the disk first.',
    }[d.reason],
  }),
  'bitmap-missing': (d) => ({
    what: `There is no bitmap “${d.name}” in this image.`,
    why: 'Bitmaps are found by their exact name.',
    now: 'Look at the list of bitmaps under Changes.',
  }),
  'snapshot-missing': (d) => ({
    what: `There is no snapshot “${d.key}” in this image.`,
    why: 'Snapshots are found by their id or by their exact name.',
    now: 'Look at the list under Snapshots.',
  }),
  'wrong-passphrase': (d) => ({
    what: `The passphrase does not open ${named(d.name)}.`,
    why: 'None of the keys in the image could be unlocked with it.',
    now: 'Try again. Mind the keyboard layout and capital letters.',
  }),
  'key-slot': (d) => ({
    what: 'The passphrases of this image were not changed.',
    why: KEY_SLOT[d.problem](d.slot),
    now: 'Look at the key slots in the overview, and try again.',
  }),
  'invalid-image': (d) => ({
    what: `This is not a ${d.format.toUpperCase()} image that can be read.`,
    why: IMAGE[d.problem](d),
    now: 'If it was downloaded or copied, get it again. If another program can read it, please tell us.',
  }),
  'container-invalid': (d) => ({
    what: `${named(d.entry === '' ? d.name : d.entry)} cannot be unpacked.`,
    why: CONTAINER[d.problem](d),
    now: CONTAINER_NOW[d.problem],
  }),
  'parent-mismatch': (d) => ({
    what: `“${d.parent}” is not the parent of “${d.name}”.`,
    why: `The image was made over the one with the identifier ${d.expected}; this one has ${d.found}.`,
    now: 'Give the parent that it was made over. A parent that was changed later does not fit any more.',
  }),
  'backing-loop': (d) => ({
    what: `The chain of backing files comes back to “${d.name}”.`,
    why: 'An image cannot be its own base.',
    now: 'Choose the right backing file.',
  }),
  'read-failed': (d) => ({
    what: `${named(d.name)} could not be read at ${hex(d.offset)}.`,
    why: d.reason,
    now: 'Was the disk or the network drive unplugged? Try again, or copy the file to this computer first.',
  }),
  'file-gone': (d) => ({
    what: `${named(d.name)} is no longer there.`,
    why: 'It was moved, renamed or deleted after it was opened.',
    now: 'Choose it again.',
  }),
  'file-changed': (d) => ({
    what: `${named(d.name)} changed on disk since it was opened.`,
    why: 'A virtual machine may be using it. Nothing was written.',
    now: 'Stop what is using it, then read it again.',
  }),
  'permission-lost': (d) => ({
    what: `The browser no longer allows reading ${named(d.name)}.`,
    why: 'The permission ends with the last tab of this app, or was taken back.',
    now: 'Open the file again to allow it.',
  }),
  'write-failed': (d) => ({
    what: `Writing ${named(d.name)} failed at ${bytes(d.offset, 'en')}.`,
    why: d.reason,
    now: 'Your original was not changed. Try another place for the result.',
  }),
  'being-changed': (d) => ({
    what: `${named(d.name)} is being changed by another tab or program.`,
    why: 'Two changes of one file at once would destroy it. Nothing was written.',
    now: 'Wait until the other is done, then read the file again.',
  }),
  'journal-foreign': (d) => ({
    what: `A change of ${named(d.name)} was interrupted, and the file is another one now.`,
    why: `At ${hex(d.offset)} it has neither the old bytes nor the new ones. Nothing was written.`,
    now: `If the file was replaced since, delete ${named(d.journal)}.`,
  }),
  'change-unfinished': (d) => ({
    what: `The change of ${named(d.name)} could not be finished.`,
    why: `Writing failed (${d.reason}). Everything that is still to be written is kept.`,
    now: `Free some space and open the file again: the change is finished then.`,
  }),
  'patch-invalid': (d) => ({
    what: `${named(d.name)} cannot be used as an undo file or a patch.`,
    why: PATCH[d.problem],
    now: 'Choose the file that was written with the change.',
  }),
  'patch-mismatch': (d) => ({
    what: `${named(d.name)} is not the file that this was made for, or has changed since.`,
    why: `The bytes at ${hex(d.offset)} are different. Nothing was written.`,
    now: 'Choose the file that belongs to it.',
  }),
  'disk-full': (d) => ({
    what: `No room left for the result: ${bytes(d.needed, 'en')} needed.`,
    why: 'Your original was not changed.',
    now: 'Free some space, or choose another place for the result.',
  }),
  'finish-refused': (d) => ({
    what: `The browser refused to finish ${named(d.name)}.`,
    why: 'It checks finished files for safety and did not accept this one.',
    now: 'Try again, or keep the result in the browser and download it.',
  }),
  'read-only': (d) => ({
    what: `${named(d.name)} cannot be written.`,
    why: 'It is open for reading only.',
    now: 'Choose another target.',
  }),
  'private-window': (d) => ({
    what: `A result of ${bytes(d.needed, 'en')} cannot be made in this window.`,
    why: 'Private windows keep files in memory only; about 1 GiB fits.',
    now: 'Choose a folder for the result, or open this page in a normal window.',
  }),
  'verify-failed': (d) => ({
    what: `The copy differs from the source at ${hex(d.offset)}.`,
    why: 'What was written could not be read back the same. This must never happen.',
    now: 'Do not use the copy. Convert again; if it happens twice, suspect the disk or the memory of this computer.',
  }),
  'too-large': (d) => ({
    what: `${d.what} is too large: ${d.value}.`,
    why: `The limit is ${d.limit.toLocaleString('en')}.`,
    now: 'No valid image needs this. The file is damaged or was made to do harm.',
  }),
  'check-unsupported': (d) => ({
    what: `A ${d.format} image has nothing that could be checked.`,
    why: 'It is the bare content of a disk, without tables that could be wrong.',
    now: '',
  }),
  'open-failed': (d) => ({
    what: `${named(d.name)} could not be opened.`,
    why: d.reason,
    now: 'Check the name. Only files that are open here can be used.',
  }),
  'same-file': (d) => ({
    what: `${named(d.name)} is the source itself.`,
    why: 'The result cannot replace the very file that it is made from.',
    now: 'Choose another name or place.',
  }),
  'worker-died': (d) => ({
    what: 'The engine stopped unexpectedly.',
    why: `No file is half changed. The browser says: ${d.reason}.`,
    now: 'Start it again; the open images are read anew.',
  }),
  internal: (d) => ({
    what: 'Something went wrong inside this app.',
    why: d.reason,
    now: 'Your files were not changed. Try again; if it happens again, copy the details and report them.',
  }),
};
