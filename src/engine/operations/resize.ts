/** Another size for a disk: what it would cut off, and doing it. */
import { ImageError, isImageError } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import type { Qcow2Options } from '../formats/qcow2/edit/create.ts';
import { resizeQcow2 } from '../formats/qcow2/edit/resize.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';
import { readPartitions, type Partition } from '../guest/partitions.ts';
import { fillWithZeros } from '../storage/fill.ts';
import { editDisk } from './edit-disk.ts';
import { readDisk, readerBelow } from './read.ts';

/** What another size means for what the guest keeps on the disk. Bytes. */
export interface ResizePlan {
  readonly oldSize: number;
  readonly newSize: number;
  /** Partitions that would lose their end, or all of it. */
  readonly cut: readonly Partition[];
  /**
   * What becomes of the backup of a GPT, which belongs at the end of the disk: `lost` with what is
   * cut off, `misplaced` in the middle of a disk that has grown.
   */
  readonly gptBackup: 'lost' | 'misplaced' | 'unaffected';
  /** Whether the partitions could be looked at: not where the content cannot be had. */
  readonly isKnown: boolean;
}

export interface ResizeOptions {
  /** Which new clusters get their places at once, and whether these take room; default `off`. */
  preallocation?: Qcow2Options['preallocation'] | undefined;
  signal?: AbortSignal | undefined;
}

/** What would happen. Changes nothing. @param size bytes */
export async function planResize(disk: Disk, size: number): Promise<ResizePlan> {
  const plan = { oldSize: disk.size, newSize: size, cut: [], isKnown: true };
  const gptBackup = 'unaffected';
  if (disk.contentMissing !== undefined) return { ...plan, gptBackup, isKnown: false };
  try {
    const read = (offset: number, length: number) => readDisk(disk, offset, length);
    const table = await readPartitions(read, disk.size);
    if (table === undefined) return { ...plan, gptBackup };
    const cut = table.partitions.filter(
      ({ start, length }) => Math.min(start + length, disk.size) > size,
    );
    return { ...plan, cut, gptBackup: backupAfter(table.gpt, disk.size, size) };
  } catch (error) {
    // Whoever cannot read the disk may want it smaller or larger all the same.
    if (!isImageError(error) || error.code === 'cancelled') throw error;
    return { ...plan, gptBackup, isKnown: false };
  }
}

function backupAfter(
  gpt: { backup: boolean; backupEnd: number } | undefined,
  oldSize: number,
  size: number,
): ResizePlan['gptBackup'] {
  if (gpt === undefined || !gpt.backup || size === oldSize) return 'unaffected';
  return size < gpt.backupEnd ? 'lost' : 'misplaced';
}

/**
 * Gives a disk another size. Its storages are overlays; the disk itself does not see what changes.
 * @param size bytes: whole sectors, unless it is raw
 * @throws ImageError resize-refused, too-large, unsupported-feature, and those of reading and of damaged tables
 */
export async function resizeDisk(
  disk: Disk,
  size: number,
  { preallocation = 'off', signal }: ResizeOptions = {},
): Promise<void> {
  if (disk instanceof Qcow2Image) {
    await resizeQcow2(disk, size, {
      ...{ preallocation, signal, backingSize: disk.backing?.size },
      readBelow: readerBelow(disk, { signal }),
    });
    return;
  }
  if (disk.format !== 'raw') {
    await resizeForeign(disk, size);
    return;
  }
  const { storage } = disk;
  const oldSize = storage.size;
  await storage.resize(size);
  const isFilled = preallocation === 'falloc' || preallocation === 'full';
  if (isFilled && size > oldSize) await fillWithZeros(storage, oldSize, size - oldSize, signal);
}

async function resizeForeign(disk: Disk, size: number): Promise<void> {
  const writer = await editDisk(disk);
  if (writer.resize === undefined) {
    const message = 'Image format driver does not support resize';
    throw new ImageError('unsupported-feature', { feature: `resizing ${disk.format}`, message });
  }
  await writer.resize(size);
  await writer.flush();
}
