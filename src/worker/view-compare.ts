/** What is different between two disks, or two states of one. */
import { ImageError } from '../engine/index.ts';
import type { CompareRequest, CompareResult } from './api.ts';
import type { JobContext } from './job.ts';

const missing = (...given: unknown[]) =>
  Promise.reject(new ImageError('internal', { reason: `not there yet: ${given.length}` }));

export function compareStates(a: CompareRequest, c: JobContext): Promise<CompareResult> {
  return missing(a, c);
}
