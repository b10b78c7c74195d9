/** Bytes of a file or of a disk, and looking for some. */
import { transfer } from 'comlink';
import { ImageError, seeDisk, seeFile } from '../engine/index.ts';
import type { AddressSpace, Bytes, ImageId, SearchRequest, SearchResult } from './api.ts';
import { codecPool } from './codec-pool.ts';
import type { Images } from './images.ts';
import type { JobContext } from './job.ts';

/** Bytes that are read at once, at most. */
const MOST_BYTES = 1024 * 1024;

/**
 * Reads bytes as they are, with the changes that wait; of the disk with all that lies below it.
 * @throws ImageError where the disk cannot be opened for reading at all, and those of reading
 */
export async function readBytes(
  images: Images,
  image: ImageId,
  space: AddressSpace,
  offset: number,
  length: number,
): Promise<Bytes> {
  const from = Number.isSafeInteger(offset) && offset > 0 ? offset : 0;
  const most = Math.max(0, Math.min(length, MOST_BYTES));
  const seen =
    space === 'file'
      ? await seeFile(images.opened(image).storage, from, most)
      : await seeDisk(await images.disk(image), from, most, { pool: codecPool() });
  return transfer({ offset: from, ...seen }, [seen.bytes.buffer]);
}

const missing = (...given: unknown[]) =>
  Promise.reject(new ImageError('internal', { reason: `not there yet: ${given.length}` }));

export function searchBytes(a: SearchRequest, c: JobContext): Promise<SearchResult> {
  return missing(a, c);
}
