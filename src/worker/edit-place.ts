/** What the kinds of changes have in common: what they are told, and opening the image for them. */
import { type Disk, ImageError, Qcow2Image, type Storage } from '../engine/index.ts';
import type { FormatName, ImageId, MadeEdit, SnapshotChoice } from './api.ts';
import type { Below } from './below.ts';
import type { JobContext } from './job.ts';

/** What an edit is told. */
export interface EditPlace {
  readonly image: ImageId;
  /** Where everything is written. */
  readonly overlay: Storage;
  readonly context: JobContext;
}

/** What an edit did, as far as it knows. */
export type Done = Partial<Omit<MadeEdit, 'edit' | 'fileSize'>> & { below?: Below };

/** The image for a change that only qcow2 has. @throws ImageError edit-refused (format) */
export async function openQcow2({ image, overlay, context }: EditPlace): Promise<Qcow2Image> {
  const disk = await context.images.openForChange(image, overlay);
  if (disk instanceof Qcow2Image) return disk;
  return refuseFormat(disk.format);
}

/** @throws ImageError edit-refused */
export function refuseFormat(format: FormatName): never {
  throw new ImageError('edit-refused', { reason: 'format', name: format });
}

/** The image for a change of its content. @throws ImageError edit-refused (several-files) */
export async function openAlone({ image, overlay, context }: EditPlace): Promise<Disk> {
  const disk = await context.images.openForChange(image, overlay);
  refuseSeveralFiles(disk);
  return disk;
}

/** What lies in another file cannot be part of an overlay of this one. */
export function refuseSeveralFiles(disk: Disk): void {
  const others = disk.files?.some((file) => file !== disk.storage) === true;
  const hasDataFile = disk instanceof Qcow2Image && disk.header.hasDataFile;
  if (!others && !hasDataFile) return;
  throw new ImageError('edit-refused', { reason: 'several-files', name: disk.storage.name });
}

/** Both have to fit, as neither alone is unique. @throws ImageError snapshot-missing */
export function findSnapshot(
  { snapshots }: Qcow2Image,
  { id, name }: SnapshotChoice,
): Qcow2Image['snapshots'][number] {
  const found = snapshots.find((one) => one.id === id && one.name === name);
  if (found === undefined) throw new ImageError('snapshot-missing', { key: name });
  return found;
}
