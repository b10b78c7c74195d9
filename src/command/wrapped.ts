/** Disks in archives and compressed files, which the real program takes for raw disks. */
import { openWrapped, type ContainerKind, type Storage } from '../engine/index.ts';
import { report, type Context } from './context.ts';

const KINDS: Readonly<Record<ContainerKind, string>> = {
  gzip: 'gzip-compressed',
  xz: 'xz-compressed',
  zstd: 'zstd-compressed',
  bzip2: 'bzip2-compressed',
  zip: 'a zip archive',
  tar: 'a tar archive',
};

/**
 * The disk in a file where there is exactly one, which is said; else the file itself. Closing it
 * closes the file as well.
 * @throws ImageError container-invalid and those of reading and unpacking
 */
export async function openInside(
  context: Context,
  file: Storage,
  quiet: boolean,
): Promise<Storage> {
  const { scratch } = context.host;
  if (scratch === undefined) return file;
  const found = await openWrapped(file, { scratch, careful: true });
  const [outer] = found?.kind === 'disk' ? found.inside : [];
  if (found?.kind !== 'disk' || outer === undefined) return file;
  const entry = found.inside.at(-1)?.entry ?? '';
  if (!quiet) {
    const what = `'${file.name}' is ${KINDS[outer.container]}`;
    report(context, `note: ${what}; reading '${entry}' inside it`);
  }
  const { storage } = found;
  const close = storage.close.bind(storage);
  storage.close = async () => {
    storage.close = close;
    await found.close();
    await file.close();
  };
  return storage;
}
