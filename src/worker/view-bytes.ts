/** Bytes of a file or of a disk, and looking for some. */
import { transfer } from 'comlink';
import { ImageError, searchDisk, searchFile, seeDisk, seeFile } from '../engine/index.ts';
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
  // A copy, since what a storage gives may be its own.
  const bytes = seen.bytes.slice();
  return transfer({ ...seen, offset: from, bytes }, [bytes.buffer]);
}

/** Patterns of one search, bytes of each, and matches, at most. */
const MOST_PATTERNS = 8;
const LONGEST = 256;
const MOST_MATCHES = 100_000;

/**
 * Looks for bytes from front to back; see {@link SearchRequest}. Matches do not overlap: behind one,
 * the search goes on behind its end; of several at one place, the longest counts.
 * @throws ImageError cancelled, and as {@link readBytes}
 */
export async function searchBytes(
  request: SearchRequest,
  { images, signal, progress }: JobContext,
): Promise<SearchResult> {
  const { image, space, patterns, ignoreCase, from, to } = request;
  const isPossible = patterns.every(({ length }) => length > 0 && length <= LONGEST);
  if (patterns.length === 0 || patterns.length > MOST_PATTERNS || !isPossible) {
    throw new ImageError('internal', { reason: 'patterns that nobody can look for' });
  }
  const most = Math.max(1, Math.min(request.most, MOST_MATCHES));
  const options = { patterns, ignoreCase, from, to, most, signal, progress, pool: codecPool() };
  if (space === 'file') return searchFile(images.opened(image).storage, options);
  return searchDisk(await images.disk(image), options);
}
