/** What stops the work, in qemu-img's words. */
import type {
  AmendRefusal,
  ContainerProblem,
  EditRefusal,
  ErrorCode,
  ErrorDetails,
  KeySlotProblem,
  PatchProblem,
  ResizeRefusal,
  SnapshotRefusal,
} from '../engine/errors.ts';
import type { ImageError } from '../engine/index.ts';
import { NOT_REGULAR } from './host.ts';
import { formatInteger } from './sizes.ts';

/** Comes with a snapshot that carries more data than it may. */
export const EXTRA_DATA_HINT =
  'You can force-remove this extra metadata with qemu-img check -r all';

/** Comes with a table of more snapshots than there may be. */
export function overhangHint(overhang: number | string): string {
  return `You can force-remove all ${overhang} overhanging snapshots with qemu-img check -r all`;
}

const SNAPSHOT_REFUSALS: Readonly<Record<SnapshotRefusal, string>> = {
  'data-file': 'Operation not supported',
  bitmaps: 'Device has active dirty bitmaps',
  version: "Can't resize a v2 image which has snapshots",
  size: 'The new size must be a multiple of 512',
};

const PATCH_PROBLEMS: Readonly<Record<PatchProblem, string>> = {
  'not-a-patch': 'is not an undo file',
  unfinished: 'is not complete',
  damaged: 'is damaged',
  version: 'is of a newer version',
  kind: 'is of another kind than is needed here',
};

const RESIZE_REFUSALS: Readonly<Record<ResizeRefusal, (name: string) => string>> = {
  sectors: () => 'The new size must be a multiple of 512',
  snapshots: () => "Can't resize a v2 image which has snapshots",
  'bitmap-inconsistent': (name) =>
    `Bitmap '${name}' is inconsistent and cannot be used\n` +
    'Try block-dirty-bitmap-remove to delete this bitmap from disk',
  'bitmap-too-large': (name) => `Bitmap '${name}' would be too large`,
  zeros: () => 'Failed to zero out new clusters: Operation not supported',
};

const IRREVERSIBLE = 'will erase all the data in the image irreversibly - refusing operation';

const KEY_SLOTS: Readonly<Record<KeySlotProblem, (slot: number) => string>> = {
  'no-such-slot': (slot) => `Invalid keyslot ${slot} specified, must be between 0 and 7`,
  'in-use': (slot) => `Refusing to overwrite active keyslot ${slot} - please erase it first`,
  'none-free': () => "Can't add a keyslot - all keyslots are in use",
  'other-passphrase': (slot) =>
    `Given keyslot ${slot} doesn't contain the given old password for erase operation`,
  // The blank at the end is the real program's.
  'not-in-use': (slot) => `Given keyslot ${slot} is already erased (inactive) `,
  last: (slot) => `Attempt to erase the only active keyslot ${slot} which ${IRREVERSIBLE}`,
  'none-given': () =>
    'To erase keyslot(s), either explicit keyslot index ' +
    'or the password currently contained in them must be given',
  'none-match': () => 'No keyslots match given (old) password for erase operation',
  'all-match': () =>
    'All the active keyslots match the (old) password that was given ' +
    `and erasing them ${IRREVERSIBLE}`,
};

function bitmapRefusal({ reason, name, size, sourceSize }: ErrorDetails['bitmap-refused']): string {
  switch (reason) {
    case 'exists':
      return `Bitmap already exists: ${name}`;
    case 'inconsistent':
      return (
        `Bitmap '${name}' is inconsistent and cannot be used\n` +
        'Try block-dirty-bitmap-remove to delete this bitmap from disk'
      );
    case 'version':
      return 'Cannot store dirty bitmaps in qcow2 v2 files';
    case 'granularity':
      return 'Granularity must be power of 2 and at least 512';
    case 'granularity-large':
      return 'Granularity exceeds maximum (2147483648 bytes)';
    case 'too-large':
      return 'Too much space will be occupied by the bitmap. Use larger granularity';
    case 'name-empty':
      return 'Bitmap name cannot be empty';
    case 'name-long':
      return 'Name length exceeds maximum (1023 characters)';
    case 'too-many':
      return 'Maximum number of persistent bitmaps is already reached';
    case 'directory-full':
      return 'Not enough space in the bitmap directory';
    case 'sizes':
      return (
        `Bitmaps are of different sizes (destination size is ${size}, ` +
        `source size is ${sourceSize}) and can't be merged`
      );
    case 'empty-disk':
      return 'The disk is empty';
  }
}

const AMEND_REFUSALS: Readonly<Record<AmendRefusal, (features: string) => string>> = {
  'refcount-bits': () => 'compat=0.10 requires refcount_bits=16',
  'narrow-in-v2': () =>
    'Refcount widths other than 16 bits require compatibility level 1.1 or above ' +
    '(use compat=1.1 or greater)',
  'data-file': () => 'Cannot downgrade an image with a data file',
  snapshots: () => 'Internal snapshots prevent downgrade of image',
  features: (bits) => `Cannot downgrade an image with incompatible features ${bits} set`,
  zstd: () =>
    'Cannot downgrade an image with zstd compression type and existing compressed clusters',
  lazy: () =>
    'Lazy refcounts only supported with compatibility level 1.1 and above ' +
    '(use compat=1.1 or greater)',
  'no-data-file': () => 'data-file can only be set for images that use an external data file',
  'data-file-raw': () => 'data-file-raw cannot be set on existing images',
  backing: () => "Cannot amend the backing file\nYou can use 'qemu-img rebase' instead.",
};

const EDIT_REFUSALS: Readonly<Record<EditRefusal, (name: string) => string>> = {
  unsaved: (name) => `'${name}' has changes that are not saved`,
  'backing-format': () => 'backing format must be specified',
  'backing-name': () => 'Backing file name is too long',
  'raw-data-file': () => 'An image with a raw data file has no backing file',
  option: (name) => `Invalid option '${name}'`,
  'not-below': (name) => `'${name}' is not in the backing chain`,
  'nothing-below': () => 'Image does not have a backing file',
  'several-files': () => 'The disk is kept in several files',
  format: (name) => `Images of format '${name}' cannot be changed in this way`,
  wrapped: (name) => `The image is packed in '${name}'`,
};

const CONTAINER_PROBLEMS: Readonly<Record<ContainerProblem, string>> = {
  damaged: 'Invalid $ data',
  'cut-off': 'Unexpected end of $ data',
  checksum: 'The checksum of the $ data is wrong',
  size: 'The $ data has another size than it says',
  encrypted: 'Encrypted $ files are not supported',
  method: 'Unknown method of compression in $ data',
  memory: 'Unpacking the $ data takes too much memory',
  room: 'Unpacked, the $ data takes too much room',
  'too-many': 'Too many files in $ data',
  'too-deep': 'Too many archives inside each other',
  'no-disk': 'No disk image in $ data',
};

type Texts = { readonly [Code in ErrorCode]: (details: ErrorDetails[Code]) => string };

const TEXTS: Texts = {
  cancelled: () => 'Cancelled',
  'invalid-header': ({ message, field, value }) => {
    if (field === 'snapshot extra data') return `${message}\n${EXTRA_DATA_HINT}`;
    return field === 'snapshot table' ? `${message}\n${overhangHint(value)}` : message;
  },
  'not-a-disk-image': ({ format }) =>
    format === '' ? 'Image is not in a known format' : `Image is not in ${format} format`,
  'unknown-features': ({ features }) => `Unsupported qcow2 feature(s): ${features}`,
  'unsupported-feature': ({ feature, message }) =>
    message ?? `Not supported by this version: ${feature}`,
  'unreadable-cluster': () => 'Input/output error',
  'backing-missing': ({ name }) => `Could not open backing file: '${name}' is not here`,
  'header-full': () => 'No space left in the file header',
  'refcount-limit': ({ offset }) => `The refcount of the cluster at ${offset} cannot be changed`,
  'refcount-wrong': ({ offset }) =>
    `The cluster at ${offset} is in use but counted as free; repair the image first`,
  'snapshot-refused': ({ reason }) => SNAPSHOT_REFUSALS[reason],
  'refcount-width': ({ bits, offset, count }) =>
    `Cannot decrease refcount entry width to ${bits} bits: ` +
    `Cluster at offset 0x${offset.toString(16)} has a refcount of ${formatInteger(count)}`,
  'amend-refused': ({ reason, features }) => AMEND_REFUSALS[reason](features),
  'edit-refused': ({ reason, name }) => EDIT_REFUSALS[reason](name),
  'resize-refused': ({ reason, name }) => RESIZE_REFUSALS[reason](name),
  'refcount-block-unaligned': ({ offset, index }) =>
    `Refblock offset 0x${offset.toString(16)} unaligned (reftable index: 0x${index.toString(16)})`,
  'image-corrupt': () => 'qcow2: Image is corrupt; cannot be opened read/write',
  'image-dirty': ({ message }) => message ?? 'The image was not closed cleanly; repair it first',
  'image-damaged': ({ corruptions }) =>
    `The image has ${corruptions} errors and a change could destroy data; ` +
    "repair it first, see 'qemu-img check'",
  'l2-damaged': ({ index, offset }) =>
    `L2 table offset 0x${offset.toString(16)} unusable (L1 index: 0x${index.toString(16)})`,
  'bitmap-damaged': ({ name, entry }) => `Bitmap '${name}' is damaged: table entry ${entry}`,
  'bitmap-refused': (details) => bitmapRefusal(details),
  'bitmap-missing': ({ name }) => `Bitmap '${name}' not found`,
  'snapshot-missing': () => "Can't find snapshot",
  'wrong-passphrase': () => 'Invalid password, cannot unlock any keyslot',
  'key-slot': ({ problem, slot }) => KEY_SLOTS[problem](slot),
  'invalid-image': ({ message, field, value }) =>
    message === '' ? `Invalid ${field}: ${value}` : message,
  'container-invalid': ({ container, entry, problem }) =>
    (entry === '' ? '' : `'${entry}': `) + CONTAINER_PROBLEMS[problem].replace('$', container),
  'parent-mismatch': ({ parent, expected, found }) =>
    `'${parent}' is not the parent that the image was made over (${found} instead of ${expected})`,
  'backing-loop': ({ name }) => `Backing file '${name}' creates an infinite loop.`,
  'read-failed': ({ reason }) => reason,
  'file-gone': ({ name }) => `'${name}' is no longer there`,
  'file-changed': ({ name }) => `'${name}' was changed by another program while it was open`,
  'being-changed': ({ name }) =>
    `Failed to get "write" lock\nIs another process using the image [${name}]?`,
  'journal-foreign': ({ name, journal, offset }) =>
    `'${journal}' holds a change that was interrupted, but '${name}' is not the file that it was ` +
    `made for (byte ${offset}); nothing was written. If the file was replaced since, remove the ` +
    'journal',
  'change-unfinished': ({ name, journal, reason }) =>
    `The change of '${name}' could not be finished: ${reason}. Keep '${journal}' beside it: the ` +
    'change is finished when the file is opened the next time',
  'patch-invalid': ({ name, problem }) => `'${name}' ${PATCH_PROBLEMS[problem]}`,
  'patch-mismatch': ({ name, offset }) =>
    `'${name}' is not as it has to be (byte ${offset}): it was changed since; nothing was written`,
  'permission-lost': () => 'Permission denied',
  'write-failed': ({ reason }) => reason,
  'disk-full': () => 'No space left on device',
  'finish-refused': ({ name }) => `'${name}' could not be finished`,
  'read-only': ({ name }) => `'${name}' is read only`,
  'private-window': () => 'A private window has no room for a file of this size',
  'verify-failed': ({ name, offset }) => `'${name}' differs from the source at byte ${offset}`,
  'too-large': ({ what, value, limit }) => `${what} is too large: ${value}, limit ${limit}`,
  'check-unsupported': () => 'This image format does not support checks',
  'open-failed': ({ name, reason }) =>
    reason === NOT_REGULAR
      ? `'file' driver requires '${name}' to be a regular file`
      : `Could not open '${name}': ${reason}`,
  'same-file': ({ name }) =>
    `Failed to get "write" lock\nIs another process using the image [${name}]?`,
  'worker-died': ({ reason }) => `The worker ended unexpectedly: ${reason}`,
  internal: ({ reason }) => `Internal error: ${reason}`,
};

/** The words for an error, without the program's name before them. */
export function errorText(error: ImageError): string {
  // The compiler cannot see that code and details belong together; ImageError's constructor does.
  const text = TEXTS[error.code] as (details: ErrorDetails[ErrorCode]) => string;
  return text(error.details);
}

/** The words for a file that cannot be made. */
export function creationText(name: string, error: ImageError): string {
  if (error.code !== 'open-failed') return errorText(error);
  const { reason } = error.details as ErrorDetails['open-failed'];
  return `Could not create '${name}': ${reason}`;
}
