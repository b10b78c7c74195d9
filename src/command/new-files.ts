/** The files of a new image that may be several. */
import type { NewFiles } from '../engine/formats/format.ts';
import type { Storage } from '../engine/storage/storage.ts';
import type { Context } from './context.ts';
import type { CreationBacking } from './creation/target-format.ts';
import type { OpenedImage } from './images.ts';
import { fileName, resolveName } from './names.ts';

/**
 * Lets `work` make an image whose first file is open already; the others are made as it asks for
 * them. All of them are closed at the end.
 * @param name of the image, as it was given: the others lie beside it
 */
export async function withNewFiles<Result>(
  { host }: Context,
  main: Storage,
  name: string,
  work: (files: NewFiles) => Promise<Result>,
  decorate: (storage: Storage) => Storage = (storage) => storage,
): Promise<Result> {
  const opened: Storage[] = [main];
  const files: NewFiles = {
    main,
    beside: async (other) => {
      const storage = decorate(await host.create(resolveName(other, fileName(name))));
      opened.push(storage);
      return storage;
    },
  };
  try {
    const result = await work(files);
    for (const storage of opened) await storage.flush();
    return result;
  } finally {
    for (const storage of opened) await storage.close();
  }
}

/** What a new image has to know of the one below it. */
export function creationBacking(name: string, { disk, info }: OpenedImage): CreationBacking {
  const facts = new Map((info.description?.facts ?? []).map(({ key, value }) => [key, value]));
  return { name, format: disk.format, facts };
}
