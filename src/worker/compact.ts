import { ImageError } from '../engine/index.ts';
import type { CompactRequest, CompactResult } from './api.ts';
import type { JobContext } from './job.ts';

export function compact(request: CompactRequest, context: JobContext): Promise<CompactResult> {
  context.progress({ stage: 'planning', done: 0, total: 0 });
  return Promise.reject(new ImageError('internal', { reason: `${request.kind}: not built` }));
}
