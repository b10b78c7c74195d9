import { compareDisks, type Disk, ImageError, type Progress } from '../engine/index.ts';
import { codecPool } from './codec-pool.ts';
import type { JobContext } from './job.ts';

/**
 * Reads what was written again and compares it with the source. The copy may be longer: zeros are
 * behind the end of the source then.
 * @throws ImageError verify-failed
 */
export async function verifyCopy(source: Disk, copy: Disk, context: JobContext): Promise<void> {
  const { name } = copy.storage;
  if (copy.size < source.size) throw new ImageError('verify-failed', { name, offset: copy.size });
  const progress = (step: Progress): void => context.progress({ ...step, stage: 'verifying' });
  const { signal } = context;
  const { outcome } = await compareDisks(source, copy, { signal, progress, pool: codecPool() });
  if (outcome.kind === 'identical') return;
  if (outcome.kind === 'map-failed' || outcome.kind === 'read-failed') throw outcome.error;
  const offset = outcome.kind === 'strict-size' ? 0 : outcome.offset;
  throw new ImageError('verify-failed', { name, offset });
}
