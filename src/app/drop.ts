import { openFiles } from './checksum-lists.ts';
import type { Dropped } from './files.ts';
import { readDrop, withImages } from './folder.ts';
import { images } from './images.svelte.ts';

/** Opens what was dropped on the window; a folder gives its images and what they name. */
export async function openDropped(dropped: readonly Dropped[]): Promise<void> {
  const found = await withImages(await readDrop(dropped));
  await openFiles(found.files);
  if (found.all.length > found.files.length) await images.join(found);
}
