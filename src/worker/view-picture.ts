/** The picture of a file or a disk. */
import { ImageError } from '../engine/index.ts';
import type { AddressSpace, ImageId, Picture, PictureRequest, PictureRun, Place } from './api.ts';
import type { Images } from './images.ts';
import type { JobContext } from './job.ts';

const missing = (...given: unknown[]) =>
  Promise.reject(new ImageError('internal', { reason: `not there yet: ${given.length}` }));

export function pictureOf(a: PictureRequest, c: JobContext): Promise<Picture> {
  return missing(a, c);
}
export function placeAt(a: Images, i: ImageId, s: AddressSpace, o: number): Promise<Place> {
  return missing(a, i, s, o);
}
export function runsFrom(
  a: Images,
  i: ImageId,
  s: AddressSpace,
  o: number,
  m: number,
): Promise<PictureRun[]> {
  return missing(a, i, s, o, m);
}
