/** What the guest keeps on a disk. */
import { ImageError } from '../engine/index.ts';
import type { ContentsRequest, DiskContents } from './api.ts';
import type { JobContext } from './job.ts';

const missing = (...given: unknown[]) =>
  Promise.reject(new ImageError('internal', { reason: `not there yet: ${given.length}` }));

export function contentsOf(a: ContentsRequest, c: JobContext): Promise<DiskContents> {
  return missing(a, c);
}
