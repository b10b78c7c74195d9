/** The single kinds of changes: making one on an overlay, and what it would do. */
import {
  applyPatch,
  applySnapshot,
  BitmapDirectory,
  BlobStorage,
  checkImage,
  type CheckReport,
  createSnapshot,
  deleteSnapshot,
  editQcow2,
  ImageError,
  isImageError,
  openPatch,
  planDeletion,
  planRepair,
  planResize,
  Qcow2Image,
  type RepairOptions,
  resizeDisk,
  runRepair,
  type Storage,
} from '../engine/index.ts';
import type { Edit, Foresight, ImageId, MadeEdit, SnapshotChoice } from './api.ts';
import type { JobContext } from './job.ts';

/** Findings that go to the page; all are counted. */
const FINDINGS = 1000;

/**
 * The check of an image's content.
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
    if (isImageError(error, 'invalid-header')) return undefined;
    throw error;
  }
}

type Counted = Pick<MadeEdit, 'taken' | 'freed'>;
type Snapshot = Qcow2Image['snapshots'][number];
type Writer = Awaited<ReturnType<typeof editQcow2>>;

/** Makes an edit on `overlay`. @throws ImageError and the overlay is to be dropped */
export async function makeEdit(
  image: ImageId,
  overlay: Storage,
  edit: Edit,
  context: JobContext,
): Promise<MadeEdit> {
  context.progress({ stage: 'changing', done: 0, total: 0 });
  const before = overlay.size;
  const made = await perform(image, overlay, edit, context);
  return {
    edit,
    fileSize: { before, after: overlay.size },
    ...{ taken: undefined, freed: undefined, repaired: [], oldSize: 0 },
    ...made,
  };
}

async function perform(
  image: ImageId,
  overlay: Storage,
  edit: Edit,
  context: JobContext,
): Promise<Partial<MadeEdit>> {
  const { signal } = context;
  switch (edit.kind) {
    case 'repair': {
      const { sums } = await runRepair(overlay, edit.choice, repairOptions(context));
      return { repaired: sums };
    }
    case 'patch':
      await applyPatch(await openPatch(new BlobStorage(edit.file), ['undo', 'patch']), overlay);
      return {};
    case 'resize': {
      const disk = await openQcow2(image, overlay, context);
      refuseDataFile(disk);
      const oldSize = disk.size;
      await resizeDisk(disk, edit.size, { signal });
      return { oldSize };
    }
    case 'add-bitmap':
    case 'clear-bitmap':
    case 'remove-bitmap':
      return changeBitmaps(await openQcow2(image, overlay, context), edit.kind, edit.name);
    case 'create-snapshot':
      return write(await openQcow2(image, overlay, context), (disk, writer) =>
        createSnapshot(disk, writer, { name: edit.name, ...now() }, signal),
      );
    case 'apply-snapshot':
      return write(await openQcow2(image, overlay, context), (disk, writer) =>
        applySnapshot(disk, writer, find(disk, edit.snapshot), signal),
      );
    case 'delete-snapshot':
      return write(await openQcow2(image, overlay, context), (disk, writer) =>
        deleteSnapshot(disk, writer, find(disk, edit.snapshot), signal),
      );
    default:
      throw new ImageError('internal', { reason: `no ${edit.kind}` });
  }
}

/** What an edit would do, as far as there is something to say. Nothing is changed. */
export async function foresee(
  image: ImageId,
  storage: Storage,
  edit: Edit,
  context: JobContext,
): Promise<Foresight> {
  const nothing: Foresight = { repair: undefined, freed: undefined, resize: undefined };
  switch (edit.kind) {
    case 'repair':
      return { ...nothing, repair: await planRepair(storage, edit.choice, repairOptions(context)) };
    case 'delete-snapshot': {
      const disk = await openQcow2(image, storage, context);
      const { freed } = await planDeletion(disk, find(disk, edit.snapshot), context.signal);
      return { ...nothing, freed };
    }
    case 'resize': {
      const disk = await openQcow2(image, storage, context);
      return { ...nothing, resize: await planResize(disk, edit.size) };
    }
    default:
      return nothing;
  }
}

function repairOptions({ signal, progress }: JobContext): RepairOptions {
  return { signal, progress, limit: FINDINGS };
}

async function openQcow2(
  image: ImageId,
  storage: Storage,
  { images }: JobContext,
): Promise<Qcow2Image> {
  const disk = await images.openWith(image, storage, 'read');
  if (disk instanceof Qcow2Image) return disk;
  throw new ImageError('unsupported-feature', { feature: 'changing a raw disk' });
}

/** What lies in another file cannot be part of an overlay of this one. */
function refuseDataFile({ header }: Qcow2Image): void {
  if (header.hasDataFile) {
    throw new ImageError('unsupported-feature', { feature: 'resizing an external data file' });
  }
}

async function write(
  disk: Qcow2Image,
  work: (disk: Qcow2Image, writer: Writer) => Promise<{ taken: number; freed: number }>,
): Promise<Counted> {
  const writer = await editQcow2(disk);
  const { taken, freed } = await work(disk, writer);
  await writer.flush();
  return { taken, freed };
}

async function changeBitmaps(
  disk: Qcow2Image,
  kind: `${'add' | 'clear' | 'remove'}-bitmap`,
  name: string,
): Promise<Counted> {
  const writer = await editQcow2(disk);
  const directory = await BitmapDirectory.open(disk, writer);
  if (kind === 'add-bitmap') await directory.add(name);
  else if (kind === 'clear-bitmap') await directory.clear(name);
  else await directory.remove(name);
  await directory.flush();
  await writer.flush();
  return writer.refcounts.moved;
}

/** Both have to fit, as neither alone is unique. @throws ImageError snapshot-missing */
function find({ snapshots }: Qcow2Image, { id, name }: SnapshotChoice): Snapshot {
  const found = snapshots.find((one) => one.id === id && one.name === name);
  if (found === undefined) throw new ImageError('snapshot-missing', { key: name });
  return found;
}

function now(): { seconds: number; nanoseconds: number } {
  const milliseconds = Date.now();
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanoseconds: (milliseconds % 1000) * 1_000_000 };
}
