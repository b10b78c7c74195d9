/** What stops the work, in qemu-img's words. */
import type { ErrorCode, ErrorDetails } from '../engine/errors.ts';
import type { ImageError } from '../engine/index.ts';
import { NOT_REGULAR } from './host.ts';

/** Comes with a snapshot that carries more data than it may. */
export const EXTRA_DATA_HINT =
  'You can force-remove this extra metadata with qemu-img check -r all';

/** Comes with a table of more snapshots than there may be. */
export function overhangHint(overhang: number | string): string {
  return `You can force-remove all ${overhang} overhanging snapshots with qemu-img check -r all`;
}

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
  'unsupported-feature': ({ feature }) => `Not supported by this version: ${feature}`,
  'unreadable-cluster': () => 'Input/output error',
  'backing-missing': ({ name }) => `Could not open backing file: '${name}' is not here`,
  'header-full': () => 'No space left in the file header',
  'refcount-limit': ({ offset }) => `The refcount of the cluster at ${offset} cannot be changed`,
  'refcount-block-unaligned': ({ offset, index }) =>
    `Refblock offset 0x${offset.toString(16)} unaligned (reftable index: 0x${index.toString(16)})`,
  'image-corrupt': () => 'qcow2: Image is corrupt; cannot be opened read/write',
  'image-dirty': () => 'The image was not closed cleanly; repair it first',
  'l2-damaged': ({ index, offset }) =>
    `L2 table offset 0x${offset.toString(16)} unusable (L1 index: 0x${index.toString(16)})`,
  'bitmap-damaged': ({ name, entry }) => `Bitmap '${name}' is damaged: table entry ${entry}`,
  'bitmap-missing': ({ name }) => `Bitmap '${name}' not found`,
  'snapshot-missing': () => "Can't find snapshot",
  'wrong-passphrase': () => 'Invalid password, cannot unlock any keyslot',
  'backing-loop': ({ name }) => `Backing file '${name}' creates an infinite loop.`,
  'read-failed': ({ reason }) => reason,
  'file-gone': ({ name }) => `'${name}' is no longer there`,
  'file-changed': ({ name }) => `'${name}' was changed while it was read`,
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
