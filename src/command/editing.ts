/** Changing an image that a command line names: on an overlay first, into the file at the end. */
import { Change } from '../engine/index.ts';
import { CommandFailure, notSupported, type Context } from './context.ts';
import { openByName, type OpenedImage, type OpenRequest } from './images.ts';

/** An image that is open for a change. */
export interface EditedImage extends OpenedImage {
  /** `change.storage` is what the disk was opened from, and where everything is written. */
  readonly change: Change;
}

/**
 * Opens an image for a change, lets `work` make it, looks at the result and puts it into the file.
 * Nothing is in the file when `work` throws. Its backing files are open for reading.
 * @throws CommandFailure `Could not open ...`, and what `work` throws
 */
export async function editByName<Result>(
  context: Context,
  request: Omit<OpenRequest, 'mode' | 'opener'>,
  work: (image: EditedImage) => Promise<Result>,
): Promise<Result> {
  let change: Change | undefined;
  const image = await openByName(context, {
    ...request,
    mode: 'read',
    opener: async (path) => {
      change = new Change(await modify(context, path));
      return change.storage;
    },
  });
  try {
    if (change === undefined) throw new CommandFailure(`Could not open '${request.name}'`);
    if (image.info.qcow2?.corrupt === true) {
      const reason = 'qcow2: Image is corrupt; cannot be opened read/write';
      throw new CommandFailure(`Could not open '${request.name}': ${reason}`);
    }
    const result = await work({ ...image, change });
    await change.apply();
    return result;
  } finally {
    await image.close();
    await change?.storage.base.close();
  }
}

function modify({ host }: Context, path: string) {
  if (host.modify === undefined) throw notSupported('Changing an existing file');
  return host.modify(path);
}
