/** Looking at a change of an image before it is put into the file. */
import { ImageError } from '../errors.ts';
import { openImage } from '../formats/index.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';
import type { Overlay } from '../storage/overlay.ts';
import type { Storage } from '../storage/storage.ts';
import type { CheckReport } from './check-report.ts';
import { checkImage } from './check.ts';
import type { FindingKind } from './finding.ts';

/** Damage by which free clusters cannot be told from those in use. */
const UNTRUSTED: readonly FindingKind[] = [
  'refcount-low',
  'refcount-zero',
  'refcount-unreadable',
  'reftable-reserved-bits',
  'refblock-unaligned',
  'refblock-outside',
  'refblock-shared',
  'snapshot-table-invalid',
  'io-error',
];

/**
 * Makes sure that a change of a qcow2 image leaves nothing wrong that was right before.
 * @throws ImageError image-damaged where the image was in no state to be changed; internal where the
 * change does harm; cancelled and those of reading
 */
export async function verifyChange(overlay: Overlay, signal?: AbortSignal): Promise<void> {
  const after = await check(overlay, signal);
  if (isClean(after)) return;
  const before = await check(overlay.base, signal);
  const { findingCounts, corruptions } = before;
  if (UNTRUSTED.some((kind) => findingCounts[kind] !== undefined)) {
    throw new ImageError('image-damaged', { name: overlay.name, corruptions });
  }
  // Damage counts once for every layer that it is seen from: a snapshot more makes it more.
  const kinds = Object.keys(after.findingCounts) as FindingKind[];
  const isNew = kinds.some((kind) => kind !== 'leak' && findingCounts[kind] === undefined);
  if (!isNew && after.leaks <= before.leaks && after.checkErrors <= before.checkErrors) return;
  const found = `${after.corruptions} errors and ${after.leaks} leaks`;
  throw new ImageError('internal', { reason: `the changed image would have ${found}` });
}

function isClean({ corruptions, leaks, checkErrors, aborted }: CheckReport): boolean {
  return corruptions === 0 && leaks === 0 && checkErrors === 0 && aborted === undefined;
}

async function check(storage: Storage, signal: AbortSignal | undefined): Promise<CheckReport> {
  const disk = await openImage(storage, { format: 'qcow2', mode: 'check' });
  if (!(disk instanceof Qcow2Image)) throw new ImageError('internal', { reason: 'not qcow2' });
  return checkImage(disk, { signal, limit: 0 });
}
