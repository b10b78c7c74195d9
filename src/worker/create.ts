/** New images: made empty, in one file or several. Loaded when the first is made. */
import { ImageError } from '../engine/index.ts';
import type { CreateRequest, CreateResult } from './api.ts';
import type { JobContext } from './job.ts';

/** Makes the image that is asked for. */
export function createImage(request: CreateRequest, { signal }: JobContext): Promise<CreateResult> {
  return Promise.reject(
    new ImageError('internal', { reason: `no ${request.kind} ${String(signal.aborted)}` }),
  );
}
