import type { SameMedium, Storage } from '../engine/index.ts';
import type { ImageId } from './api.ts';
import type { Images } from './images.ts';
import { isSameFile } from './same-file.ts';

/** Tells files that several open images have in common, although each has opened them by itself. */
export async function sameMedia(images: Images, ids: readonly ImageId[]): Promise<SameMedium> {
  const media = new Map<Storage, File>();
  for (const id of new Set(ids)) {
    for (const { file, storage } of images.media(id)) {
      const known = [...media.values()];
      const same = await find(known, (one) => isSameFile(one, file));
      media.set(storage, same ?? file);
    }
  }
  return (a, b) => {
    const file = media.get(a);
    return a === b || (file !== undefined && file === media.get(b));
  };
}

async function find(
  files: readonly File[],
  test: (file: File) => Promise<boolean>,
): Promise<File | undefined> {
  for (const file of files) if (await test(file)) return file;
  return undefined;
}
