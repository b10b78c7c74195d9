/** Bitmaps that are added, changed and removed as edits of an image. */
import { BitmapDirectory, editQcow2, type Qcow2Image } from '../engine/index.ts';
import type { Edit } from './api.ts';
import type { Done } from './edit-place.ts';

type BitmapEdit = Extract<Edit, { kind: `${string}-bitmap` }>;

/** @throws ImageError bitmap-refused, bitmap-missing, bitmap-damaged and those of editQcow2 */
export async function changeBitmaps(disk: Qcow2Image, edit: BitmapEdit): Promise<Done> {
  const writer = await editQcow2(disk);
  const directory = await BitmapDirectory.open(disk, writer);
  await act(directory, disk, edit);
  await directory.flush();
  await writer.flush();
  return writer.refcounts.moved;
}

async function act(directory: BitmapDirectory, disk: Qcow2Image, edit: BitmapEdit): Promise<void> {
  const { name } = edit;
  switch (edit.kind) {
    case 'add-bitmap': {
      const { granularity, disabled = false } = edit;
      return directory.add(name, { granularity, enabled: !disabled });
    }
    case 'clear-bitmap':
      return directory.clear(name);
    case 'remove-bitmap':
      return directory.remove(name);
    case 'enable-bitmap':
    case 'disable-bitmap':
      directory.enable(name, edit.kind === 'enable-bitmap');
      return;
    case 'merge-bitmap':
      return directory.merge(name, disk, edit.from);
  }
}
