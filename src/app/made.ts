/** Files that were made: opened, given out, copied, deleted. */
import { chooseTargetFolder, type Chosen } from './files.ts';
import { images } from './images.svelte.ts';
import { type Problem, toProblem } from './problem.ts';
import { stored } from './stored.svelte.ts';

/** Files of one result, and where they are: in a chosen place, or else in private storage. */
export interface Made {
  files: readonly { name: string }[];
  handle: FileSystemFileHandle | undefined;
  folder: FileSystemDirectoryHandle | undefined;
}

/** Opens them, as an image of its own. */
export async function openMade({ files, handle, folder }: Made): Promise<void> {
  if (handle !== undefined) {
    await images.open([{ file: await handle.getFile(), handle }]);
    return;
  }
  const made = files.map(async ({ name }): Promise<Chosen> => {
    if (folder !== undefined) {
      const own = await folder.getFileHandle(name);
      return { file: await own.getFile(), handle: own };
    }
    return { file: await stored.file(name), handle: undefined, own: true, stored: name };
  });
  await images.open(await Promise.all(made));
}

/** Gives all of them out as downloads, one after the other. */
export async function downloadMade({ files }: Pick<Made, 'files'>): Promise<void> {
  for (const { name } of files) await stored.save(name);
}

/**
 * Copies them into a folder that the person chooses. Needs a click or key.
 * @returns `done`; undefined when the person changed their mind; or what went wrong
 */
export async function saveMade({
  files,
}: Pick<Made, 'files'>): Promise<'done' | Problem | undefined> {
  const folder = await chooseTargetFolder();
  if (folder === undefined) return undefined;
  try {
    // Nobody was asked whether another file of that name may go.
    for (const { name } of files) {
      if (!(await hasFile(folder, name))) continue;
      return { code: 'open-failed', details: { name, reason: 'File exists' }, stack: '' };
    }
    for (const { name } of files) {
      const handle = await folder.getFileHandle(name, { create: true });
      const file = await stored.file(name);
      await file.stream().pipeTo(await handle.createWritable());
    }
    return 'done';
  } catch (error) {
    return toProblem(error, files[0]?.name ?? '');
  }
}

async function hasFile(folder: FileSystemDirectoryHandle, name: string): Promise<boolean> {
  try {
    await folder.getFileHandle(name);
    return true;
  } catch (error) {
    if (error instanceof Error && error.name === 'NotFoundError') return false;
    throw error;
  }
}

/** Deletes what the browser keeps of them. */
export async function deleteMade({ files }: Pick<Made, 'files'>): Promise<void> {
  for (const { name } of files) await stored.remove(name);
}
