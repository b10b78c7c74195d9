/** Looking at a change of an image before it is put into the file. */
import { ImageError } from '../errors.ts';
import type { FormatName } from '../formats/format.ts';
import { openImage } from '../formats/index.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';
import type { Overlay } from '../storage/overlay.ts';
import type { Storage } from '../storage/storage.ts';
import type { CheckReport } from './check-report.ts';
import { checkImage } from './check.ts';
import type { FindingKind, Severity } from './finding.ts';
import { isClean } from './repair.ts';

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
 * @throws ImageError as {@link judgeChange}; cancelled and those of reading
 */
export async function verifyChange(overlay: Overlay, signal?: AbortSignal): Promise<void> {
  const after = await check(overlay, signal);
  if (isClean(after)) return;
  judgeChange(overlay.name, await check(overlay.base, signal), after);
}

/**
 * Makes sure that a change of an image that is one file, of another format, leaves nothing wrong
 * that was right before. Formats without a check, and images of several files, are not looked at.
 * @throws ImageError internal where the change does harm; cancelled and those of reading
 */
export async function verifyOther(
  format: FormatName,
  overlay: Overlay,
  signal?: AbortSignal,
): Promise<void> {
  const after = await findingsOf(overlay, format, signal);
  const found = after.filter(([, severity]) => severity !== 'notice');
  if (found.length === 0) return;
  const before = new Set((await findingsOf(overlay.base, format, signal)).map(([kind]) => kind));
  const worse = found.find(([kind]) => !before.has(kind));
  if (worse === undefined) return;
  throw new ImageError('internal', { reason: `the changed image would have ${worse[0]}` });
}

async function findingsOf(
  storage: Storage,
  format: FormatName,
  signal: AbortSignal | undefined,
): Promise<[FindingKind, Severity][]> {
  const disk = await openImage(storage, { format, mode: 'check', lenient: true });
  if (disk.check === undefined || (disk.files ?? []).length > 1) return [];
  const { findings } = await checkImage(disk, { signal });
  return findings.map(({ kind, severity }) => [kind, severity]);
}

/**
 * The rule for every change but a repair, which judges itself, and a patch, which says all bytes.
 * @param name of the image's file
 * @param before what the check says of the image as it was; `after` with the change
 * @throws ImageError image-damaged where the image was in no state to be changed; internal where the
 * change does harm
 */
export function judgeChange(name: string, before: CheckReport, after: CheckReport): void {
  if (isClean(after)) return;
  const { findingCounts, aborted } = before;
  // A check that had to stop has not come to compare the refcounts.
  const isUntrusted = aborted !== undefined || UNTRUSTED.some((kind) => kind in findingCounts);
  if (isUntrusted) {
    throw new ImageError('image-damaged', {
      name,
      corruptions: before.corruptions + before.checkErrors,
    });
  }
  // Damage counts once for every layer that it is seen from: a snapshot more makes it more.
  const kinds = Object.keys(after.findingCounts) as FindingKind[];
  const isNew = kinds.some((kind) => kind !== 'leak' && findingCounts[kind] === undefined);
  const isMore = after.leaks > before.leaks || after.checkErrors > before.checkErrors;
  if (!isNew && !isMore && after.aborted === undefined) return;
  const found = `${after.corruptions} errors and ${after.leaks} leaks`;
  throw new ImageError('internal', { reason: `the changed image would have ${found}` });
}

async function check(storage: Storage, signal: AbortSignal | undefined): Promise<CheckReport> {
  const disk = await openImage(storage, { format: 'qcow2', mode: 'check' });
  if (!(disk instanceof Qcow2Image)) throw new ImageError('internal', { reason: 'not qcow2' });
  return checkImage(disk, { signal, limit: 0 });
}
