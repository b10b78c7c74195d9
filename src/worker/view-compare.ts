/** What is different between two disks, or two states of one. */
import { compareRanges } from '../engine/index.ts';
import type { CompareRequest, CompareResult } from './api.ts';
import { codecPool } from './codec-pool.ts';
import type { JobContext } from './job.ts';
import { sameMedia } from './same-media.ts';

/** Ranges that go to the page; all are counted. */
const RANGES = 1000;

/**
 * Compares all of both disks; behind its end, the shorter one has zeros.
 * @throws ImageError unreadable-cluster where one of them cannot be read, cancelled
 */
export async function compareStates(
  { first, second }: CompareRequest,
  { images, signal, progress }: JobContext,
): Promise<CompareResult> {
  const started = performance.now();
  const a = await images.disk(first.image, first.snapshot);
  const b = await images.disk(second.image, second.snapshot);
  const report = await compareRanges(a, b, {
    ...{ signal, progress, most: RANGES, pool: codecPool() },
    sameMedium: sameMedia(a, b),
  });
  return {
    ...report,
    identical: report.different === 0 && a.size === b.size,
    sizes: [a.size, b.size],
    milliseconds: performance.now() - started,
  };
}
