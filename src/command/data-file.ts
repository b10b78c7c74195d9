/** The external data file of an image that is being made. */
import { isImageError, type Qcow2Options } from '../engine/index.ts';
import type { Storage } from '../engine/storage/storage.ts';
import { isCancelled, type Context } from './context.ts';
import { creationText } from './messages.ts';
import { fileName, refusedName } from './names.ts';
import { OptionFault } from './option-text.ts';
import type { ChosenQcow2 } from './qcow2-options.ts';

/**
 * Makes the data file that is wanted, if one is, and calls `work` with an image that has it. What
 * was in a file of that name is gone, as with the image itself.
 * @param target the name of the image
 * @throws OptionFault where it cannot be made, and what `work` throws
 */
export async function withDataFile<Result>(
  context: Context,
  image: ChosenQcow2,
  target: string,
  work: (image: Qcow2Options) => Promise<Result>,
): Promise<Result> {
  const { dataFileChoice: choice } = image;
  if (choice === undefined) return work(image);
  if (plain(choice.name) === plain(target)) {
    const lock = 'Failed to get shared "resize" lock';
    throw new OptionFault(`${lock}\nIs another process using the image [${target}]?`);
  }
  const storage = await openDataFile(context, choice.name);
  try {
    const result = await work({ ...image, dataFile: { ...choice, storage } });
    await storage.flush();
    return result;
  } finally {
    await storage.close();
  }
}

/** A name as text: two that differ may still be the same file. */
function plain(name: string): string {
  return fileName(name).replace(/^(?:\.\/+)+/, '');
}

async function openDataFile({ host }: Context, name: string): Promise<Storage> {
  if (name === '') throw new OptionFault("Could not create '': No such file or directory");
  const refusal = refusedName(name);
  if (refusal !== undefined) throw new OptionFault(refusal);
  const path = fileName(name);
  try {
    return await host.create(path);
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    throw new OptionFault(creationText(path, error));
  }
}
