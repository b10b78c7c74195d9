/** The single kinds of changes: making one on an overlay. */
import {
  applyPatch,
  applySnapshot,
  BlobStorage,
  checkImage,
  type CheckReport,
  createSnapshot,
  deleteSnapshot,
  editQcow2,
  ImageError,
  isImageError,
  openPatch,
  type Qcow2Image,
  type RepairOptions,
  resizeDisk,
  runRepair,
  type Storage,
} from '../engine/index.ts';
import type { Edit, FormatName, ImageId, MadeEdit } from './api.ts';
import {
  type Done,
  type EditPlace,
  findSnapshot,
  openAlone,
  openQcow2,
  refuseFormat,
} from './edit-place.ts';
import { amend } from './edits-amend.ts';
import { changeBitmaps } from './edits-bitmaps.ts';
import { type Below, commitInto, empty, rebase, renameBacking } from './edits-below.ts';
import { addPassphrase, removePassphrase, withoutSecrets } from './edits-keys.ts';
import type { JobContext } from './job.ts';

export type { Below };

/** Findings that go to the page; all are counted. */
const FINDINGS = 1000;

/** What the check says of a format that has nothing that could be checked. */
export const NO_CHECK: CheckReport = {
  ...{ corruptions: 0, leaks: 0, checkErrors: 0 },
  ...{ totalClusters: 0, allocatedClusters: 0, fragmentedClusters: 0, compressedClusters: 0 },
  ...{ imageEndOffset: 0, findings: [], findingCounts: {}, aborted: undefined },
};

/**
 * The check of an image's content; {@link NO_CHECK} where its format has none.
 * @returns undefined where it cannot even be opened for a check
 */
export async function checkContent(
  image: ImageId,
  storage: Storage,
  { images, signal, progress }: JobContext,
): Promise<CheckReport | undefined> {
  try {
    const disk = await images.openWith(image, storage, 'check');
    return await checkImage(disk, { signal, progress, limit: FINDINGS, explain: true });
  } catch (error) {
    if (isImageError(error, 'check-unsupported')) return NO_CHECK;
    if (isImageError(error, 'invalid-header')) return undefined;
    throw error;
  }
}

type Writer = Awaited<ReturnType<typeof editQcow2>>;

/** Makes an edit on `overlay`. @throws ImageError and the overlay is to be dropped */
export async function makeEdit(
  image: ImageId,
  overlay: Storage,
  edit: Edit,
  context: JobContext,
): Promise<{ made: MadeEdit; below: Below | undefined }> {
  context.progress({ stage: 'changing', done: 0, total: 0 });
  const before = overlay.size;
  const { below, ...done } = await perform({ image, overlay, context }, edit);
  const made = {
    edit: withoutSecrets(edit),
    fileSize: { before, after: overlay.size },
    ...{ taken: undefined, freed: undefined, repaired: [], oldSize: 0 },
    ...done,
  };
  return { made, below };
}

async function perform(place: EditPlace, edit: Edit): Promise<Done> {
  const { overlay, context } = place;
  const { signal } = context;
  switch (edit.kind) {
    case 'command':
      throw new ImageError('internal', { reason: 'a command is made by the console' });
    case 'repair': {
      const { sums } = await runRepair(overlay, edit.choice, repairOptions(context));
      return { repaired: sums };
    }
    case 'patch':
      await applyPatch(await openPatch(new BlobStorage(edit.file), ['undo', 'patch']), overlay);
      return {};
    case 'resize': {
      const disk = await openAlone(place);
      const oldSize = disk.size;
      await unlessFormat(disk.format, resizeDisk(disk, edit.size, { signal }));
      return { oldSize };
    }
    case 'add-bitmap':
    case 'clear-bitmap':
    case 'remove-bitmap':
    case 'enable-bitmap':
    case 'disable-bitmap':
    case 'merge-bitmap':
      return changeBitmaps(await openQcow2(place), edit);
    case 'rename-backing':
      return renameBacking(place, edit);
    case 'rebase':
      return rebase(place, edit);
    case 'commit':
      return commitInto(place, edit.from);
    case 'empty':
      return empty(place);
    case 'amend':
      return amend(await openQcow2(place), edit.options, context);
    case 'add-passphrase':
      return addPassphrase(place, edit);
    case 'remove-passphrase':
      return removePassphrase(place, edit.slot);
    case 'create-snapshot':
      return write(await openQcow2(place), (disk, writer) =>
        createSnapshot(disk, writer, { name: edit.name, ...now() }, signal),
      );
    case 'apply-snapshot':
      return write(await openQcow2(place), (disk, writer) =>
        applySnapshot(disk, writer, findSnapshot(disk, edit.snapshot), signal),
      );
    case 'delete-snapshot':
      return write(await openQcow2(place), (disk, writer) =>
        deleteSnapshot(disk, writer, findSnapshot(disk, edit.snapshot), signal),
      );
  }
}

export function repairOptions({ signal, progress }: JobContext): RepairOptions {
  return { signal, progress, limit: FINDINGS };
}

/** The same where the work says that a format does not have it; qcow2 has all. */
async function unlessFormat(format: FormatName, work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (format !== 'qcow2' && isImageError(error, 'unsupported-feature')) refuseFormat(format);
    throw error;
  }
}

async function write(
  disk: Qcow2Image,
  work: (disk: Qcow2Image, writer: Writer) => Promise<{ taken: number; freed: number }>,
): Promise<Done> {
  const writer = await editQcow2(disk);
  const { taken, freed } = await work(disk, writer);
  await writer.flush();
  return { taken, freed };
}

function now(): { seconds: number; nanoseconds: number } {
  const milliseconds = Date.now();
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanoseconds: (milliseconds % 1000) * 1_000_000 };
}
