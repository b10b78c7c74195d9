/** What lies below an image: another name for it, another image, taking over from it and into it. */
import { openDiskTarget } from '../command/disk-target.ts';
import {
  commitContent,
  type Disk,
  editDisk,
  editQcow2,
  emptyQcow2,
  ImageError,
  isLayered,
  Qcow2Image,
  rebaseContent,
  rebaseIntoQcow2,
  type RebaseTarget,
  reopenQcow2,
  resizeDisk,
  type SameMedium,
} from '../engine/index.ts';
import type { Edit, FormatName, ImageId } from './api.ts';
import { type Below, fileBelow, filesBelow, findBelow } from './below.ts';
import { codecPool } from './codec-pool.ts';
import { type Done, type EditPlace, openAlone, refuseFormat } from './edit-place.ts';
import type { Images } from './images.ts';
import { sameMedia } from './same-media.ts';

export type { Below };

type EditOf<Kind extends Edit['kind']> = Extract<Edit, { kind: Kind }>;

/** Bytes of the name that a header can hold. */
const MOST_NAME_BYTES = 1023;

/**
 * Another name for the image below; '' for none. Nothing is copied.
 * @throws ImageError edit-refused, header-full
 */
export async function renameBacking(
  { image, overlay, context }: EditPlace,
  { name, format }: EditOf<'rename-backing'>,
): Promise<Done> {
  const disk = await context.images.openForChange(image, overlay, 'info');
  checkName(disk, name, format);
  await writeInto(disk, ({ setBacking }) => setBacking(name, format));
  return { below: fileBelow(context.images, image, name, format) };
}

/**
 * Another image below, or none; what the guest reads stays.
 * @throws ImageError edit-refused, backing-missing, backing-loop, header-full, unsupported-feature,
 * unreadable-cluster and those of reading
 */
export async function rebase(place: EditPlace, { to, compress }: EditOf<'rebase'>): Promise<Done> {
  const { images, signal, progress } = place.context;
  const { disk, next } = await openRebase(place, to);
  const { name, format } = to ?? { name: '', format: '' as const };
  checkName(disk, name, format);
  const sameMedium = mediaOf(disk, next);
  const moved = await writeInto(disk, async ({ target, setBacking }) => {
    await rebaseContent(disk, target, next, {
      ...{ compress, signal, progress, sameMedium },
      pool: codecPool(),
    });
    await setBacking(name, format);
  });
  const below = to && (await filesBelow(images, place.image, to));
  return { ...moved, ...(below && { below }) };
}

/** Both disks of a rebase. @throws as {@link rebase} */
export async function openRebase(
  place: EditPlace,
  to: EditOf<'rebase'>['to'],
): Promise<{ disk: Disk; next: Disk | undefined }> {
  const { images } = place.context;
  const disk = await openAlone(place);
  if (disk.backingMissing) {
    const name = isLayered(disk) ? disk.backingName : '';
    throw new ImageError('backing-missing', { name, format: '' });
  }
  if (to === undefined) return { disk, next: undefined };
  refuseUnsaved(images, to.image);
  const next = await images.disk(to.image);
  const isNamed = to.name !== '' && to.format === next.format;
  if (!isNamed) throw new ImageError('edit-refused', { reason: 'backing-format', name: to.name });
  return { disk, next };
}

/** Tells the files that both disks have in common. */
export function mediaOf(disk: Disk, next: Disk | undefined): SameMedium {
  return sameMedia(...(next === undefined ? [disk] : [disk, next]));
}

/** @throws ImageError edit-refused */
export function refuseUnsaved(images: Images, image: ImageId): void {
  if (!images.hasChanges(image)) return;
  throw new ImageError('edit-refused', { reason: 'unsaved', name: images.file(image).name });
}

function checkName(disk: Disk, name: string, format: FormatName | ''): void {
  if (name === '') return;
  const refuse = (reason: 'backing-format' | 'backing-name' | 'raw-data-file') => {
    throw new ImageError('edit-refused', { reason, name });
  };
  if (format === '') refuse('backing-format');
  // With a raw data file, that file alone has to make sense of the content.
  if (disk instanceof Qcow2Image && disk.header.dataFileRaw) refuse('raw-data-file');
  if (new TextEncoder().encode(name).length > MOST_NAME_BYTES) refuse('backing-name');
}

interface BelowWriter {
  readonly target: RebaseTarget;
  readonly setBacking: (name: string, format: string) => Promise<void>;
}

/** Lets `work` write into an image that can have another one below it. */
async function writeInto(
  disk: Disk,
  work: (writer: BelowWriter) => Promise<void>,
): Promise<Pick<Done, 'taken' | 'freed'>> {
  if (disk instanceof Qcow2Image) {
    const writer = await editQcow2(disk);
    await work({
      target: rebaseIntoQcow2(disk, writer),
      setBacking: (name, format) => {
        writer.header.backingName = name;
        writer.header.backingFormat = name === '' ? '' : format;
        return Promise.resolve();
      },
    });
    await writer.flush();
    return writer.refcounts.moved;
  }
  if (!isLayered(disk)) return refuseFormat(disk.format);
  const writer = await editDisk(disk, { rebases: true });
  const { clusterSize, packing } = writer;
  if (writer.setBacking === undefined) return refuseFormat(disk.format);
  await work({
    target: {
      ...{ unit: clusterSize, clusterSize, packing },
      write: (offset, bytes) => writer.write(offset, bytes),
      zero: (offset, length) => writer.zero(offset, length),
      writePacked: (offset, packed) => writer.writePacked(offset, packed),
    },
    setBacking: async (name, format) => {
      await writer.setBacking?.(name, name === '' ? '' : format);
    },
  });
  await writer.flush();
  return {};
}

/**
 * Takes over everything that `from` and the images between have, as `qemu-img commit` does.
 * @throws ImageError edit-refused, unreadable-cluster, and those of resizing and writing
 */
export async function commitInto(place: EditPlace, from: ImageId): Promise<Done> {
  const { signal, progress } = place.context;
  const { disk, base, depth } = await openCommit(place, from);
  const oldSize = base.size;
  if (oldSize < disk.size) await resizeDisk(base, disk.size, { signal });
  const target = await openDiskTarget(base instanceof Qcow2Image ? await reopenQcow2(base) : base);
  await commitContent(disk, depth, target, { signal, progress, pool: codecPool() });
  await target.end();
  return { oldSize };
}

/** The chain of `from`, in which the image itself is what is to be written into. */
export async function openCommit(
  { image, overlay, context }: EditPlace,
  from: ImageId,
): Promise<{ disk: Disk; base: Disk; depth: number }> {
  const { images } = context;
  refuseUnsaved(images, from);
  const { key, format } = await findBelow(images, from, image);
  const { disk, asked } = await images.openAbove(from, { key, storage: overlay });
  const { storage } = asked.find((one) => one.key === key) ?? {};
  let depth = 1;
  let base = disk.backing;
  for (; base !== undefined && base.storage !== storage; depth++) base = base.backing;
  const { name } = images.file(image);
  if (base === undefined) throw new ImageError('edit-refused', { reason: 'not-below', name });
  // Somebody who takes the one for raw would write something else into it.
  if (base.format !== format) {
    throw new ImageError('edit-refused', { reason: 'backing-format', name });
  }
  const others = base.files?.some((file) => file !== storage) === true;
  const hasDataFile = base instanceof Qcow2Image && base.header.hasDataFile;
  if (others || hasDataFile) {
    throw new ImageError('edit-refused', { reason: 'several-files', name });
  }
  return { disk, base, depth };
}

/**
 * Nothing is in it any more, so that what lies below shows. Size, snapshots and bitmaps stay.
 * @throws ImageError edit-refused (nothing lies below, format)
 */
export async function empty(place: EditPlace): Promise<Done> {
  const disk = await openAlone(place);
  if (!isLayered(disk) || disk.backingName === '') {
    const { name } = disk.storage;
    throw new ImageError('edit-refused', { reason: 'nothing-below', name });
  }
  if (disk instanceof Qcow2Image) return emptyQcow2(disk, place.context.signal);
  const writer = await editDisk(disk);
  if (writer.empty === undefined) return refuseFormat(disk.format);
  await writer.empty();
  await writer.flush();
  return {};
}
