/** Bytes of a file or of a disk, and looking for some. */
import { ImageError } from '../engine/index.ts';
import type { AddressSpace, Bytes, ImageId, SearchRequest, SearchResult } from './api.ts';
import type { Images } from './images.ts';
import type { JobContext } from './job.ts';

const missing = (...given: unknown[]) =>
  Promise.reject(new ImageError('internal', { reason: `not there yet: ${given.length}` }));

export function readBytes(
  a: Images,
  i: ImageId,
  s: AddressSpace,
  o: number,
  l: number,
): Promise<Bytes> {
  return missing(a, i, s, o, l);
}
export function searchBytes(a: SearchRequest, c: JobContext): Promise<SearchResult> {
  return missing(a, c);
}
