/** Changing an image that a command line names: on an overlay first, into the file at the end. */
import { Change, verifyChange, verifyOther } from '../engine/index.ts';
import type { FormatName } from '../engine/formats/format.ts';
import { applyChange } from './apply-change.ts';
import { CommandFailure, notSupported, type Context } from './context.ts';
import { repairBefore } from './dirty.ts';
import { openByName, type OpenedImage, type OpenRequest } from './images.ts';

/** An image that is open for a change. */
export interface EditedImage extends OpenedImage {
  /** `change.storage` is what the disk was opened from, and where everything is written. */
  readonly change: Change;
  /** The same for its external data file, where it has one. */
  readonly dataChange: Change | undefined;
}

/**
 * Opens an image for a change, lets `work` make it, looks at the result and puts it into the file.
 * Nothing is in the file when `work` throws. Its backing files are open for reading.
 * @throws CommandFailure `Could not open ...`, and what `work` throws
 */
export async function editByName<Result>(
  context: Context,
  request: Omit<OpenRequest, 'mode' | 'opener'> & {
    mode?: 'read' | 'info';
    /** Where the undo file goes (that of the data file gets `.data` behind its name). */
    undo?: string | undefined;
  },
  work: (image: EditedImage) => Promise<Result>,
): Promise<Result> {
  let change: Change | undefined;
  let dataChange: Change | undefined;
  const extentChanges: Change[] = [];
  const image = await openByName(context, {
    ...request,
    mode: request.mode ?? 'read',
    opener: async (path) => {
      change = await openChange(context, path);
      await repairBefore(context, change);
      return change.storage;
    },
    dataOpener: async (path) => {
      dataChange = await openChange(context, path);
      return dataChange.storage;
    },
    extentOpener: async (path) => {
      const extent = await openChange(context, path);
      extentChanges.push(extent);
      return extent.storage;
    },
  });
  try {
    if (change === undefined) throw new CommandFailure(`Could not open '${request.name}'`);
    refuseCorrupt(request.name, image);
    const result = await work({ ...image, change, dataChange });
    await verify(image.disk.format, change, context);
    // What the image names has to be there before, and until it no longer names it.
    const isCut =
      dataChange !== undefined && dataChange.storage.size < dataChange.storage.base.size;
    const { undo } = request;
    const applyData = async () => {
      if (dataChange?.storage.changed !== true) return;
      await applyChange(context, dataChange, undo && `${undo}.data`);
    };
    if (!isCut) await applyData();
    // What the other files hold is of no use before the first one says so.
    for (const [index, extent] of extentChanges.entries()) {
      if (extent.storage.changed) {
        await applyChange(context, extent, undo && `${undo}.${index + 1}`);
      }
    }
    await applyChange(context, change, undo);
    if (isCut) await applyData();
    return result;
  } finally {
    await image.close();
    await dataChange?.storage.base.close();
    for (const extent of extentChanges) await extent.storage.base.close();
    await change?.storage.base.close();
  }
}

/** Looks at a change before it is put into the file, where there is a check of the format. */
async function verify(format: FormatName, change: Change, { signal }: Context): Promise<void> {
  if (format === 'qcow2') await verifyChange(change.storage, signal);
  else if (format !== 'raw') await verifyOther(format, change.storage, signal);
}

/** @throws CommandFailure for an image that is marked as corrupt */
export function refuseCorrupt(name: string, { info }: OpenedImage): void {
  if (info.qcow2?.corrupt !== true) return;
  const reason = 'qcow2: Image is corrupt; cannot be opened read/write';
  throw new CommandFailure(`Could not open '${name}': ${reason}`);
}

/** Opens a file for a change. Whoever asks closes `storage.base`, after the overlay. */
export async function openChange({ host }: Context, path: string): Promise<Change> {
  if (host.change !== undefined) return host.change(path);
  if (host.modify === undefined) throw notSupported('Changing an existing file');
  return new Change(await host.modify(path));
}
