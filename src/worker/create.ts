/** New images: made empty, in one file or several. Loaded when the first is made. */
import { makeEmpty } from '../command/make-empty.ts';
import {
  BlobStorage,
  ImageError,
  openImage,
  PassingStorage,
  type Storage,
  throwIfCancelled,
} from '../engine/index.ts';
import type { CreateRequest, CreateResult } from './api.ts';
import type { JobContext } from './job.ts';
import { StagedFiles } from './staging.ts';

/** What tables and headers may add to a disk, bytes. */
const MORE = 2 ** 30;

/**
 * Makes the image that is asked for, and opens it to see that it is one.
 * @throws ImageError unsupported-feature for what no image can be, verify-failed, same-file,
 * private-window, disk-full, cancelled and those of opening the image below
 */
export async function createImage(
  request: CreateRequest,
  context: JobContext,
): Promise<CreateResult> {
  const started = performance.now();
  const { images, signal } = context;
  const { format, options, backing, passphrase, target } = request;
  const sources = backing === undefined ? [] : images.files(backing.image);
  const size = request.size ?? (backing && (await images.disk(backing.image)).size);
  const wish = { target, sources, expected: 0, most: 2 * (size ?? 0) + MORE };
  context.progress({ stage: 'preparing', done: 0, total: 0 });
  const files = await StagedFiles.open(wish, context);
  try {
    const { name } = files;
    const host = {
      open: (path: string) => openBelow(path, request, context),
      create: async (path: string) =>
        path === name ? new KeptOpen(files.main) : new KeptOpen(await files.beside(nameIn(path))),
    };
    const below = backing && { name: backing.name, format: backing.format };
    await makeEmpty(
      { format, name, size: request.size, options, backing: below, passphrase },
      host,
      signal,
    );
    throwIfCancelled(signal);
    await files.place();
    const made = await sizeOfMade(files, format);
    await files.publish();
    const milliseconds = performance.now() - started;
    return { name, size: made, files: files.files, milliseconds };
  } catch (error) {
    context.leave(await files.discard());
    throwIfCancelled(signal);
    throw error;
  } finally {
    passphrase?.fill(0);
  }
}

/** The image below and what it names; by its name, as nothing here has folders. */
function openBelow(path: string, request: CreateRequest, { images }: JobContext): Promise<Storage> {
  const { backing } = request;
  const file =
    backing !== undefined && path === backing.name
      ? images.file(backing.image)
      : images.fileNamed(nameIn(path));
  if (file !== undefined) return Promise.resolve(new BlobStorage(file, path));
  const reason = 'No such file or directory';
  return Promise.reject(new ImageError('open-failed', { name: path, reason }));
}

function nameIn(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Virtual size of what was made, as whoever opens it finds it. */
async function sizeOfMade(files: StagedFiles, format: CreateRequest['format']): Promise<number> {
  const readers = await files.readers();
  const [main] = readers.values();
  if (main === undefined) throw new ImageError('internal', { reason: 'no file was made' });
  const gate = ({ kind, name }: { kind: string; name: string }) =>
    Promise.resolve(kind === 'backing' ? undefined : readers.get(nameIn(name)));
  const disk = await openImage(new KeptOpen(main), { format, mode: 'info', gate });
  return disk.size;
}

/** A file that its maker wants to close, but that is needed further. */
class KeptOpen extends PassingStorage {
  override close(): Promise<void> {
    return this.inner.flush();
  }
}
