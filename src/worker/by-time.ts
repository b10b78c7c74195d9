/** Progress of what the browser does without a word, told by the time that it takes as a rule. */
import type { JobContext } from './job.ts';

/**
 * Bytes a second: Chromium reads a finished local file once more before it shows it, and copies a
 * file before it lets it be changed.
 */
const RATES = { finishing: 90e6, preparing: 130e6 };
/** Milliseconds between two estimates of how far it is. */
const STEP = 250;

/** Runs `work`, which is about `total` bytes. */
export async function byTime<Result>(
  work: () => Promise<Result>,
  stage: 'finishing' | 'preparing',
  total: number,
  { progress }: JobContext,
): Promise<Result> {
  const started = performance.now();
  const tell = (): void => {
    const guess = ((performance.now() - started) / 1000) * RATES[stage];
    progress({ stage, done: Math.min(Math.floor(guess), Math.floor(total * 0.99)), total });
  };
  tell();
  const timer = setInterval(tell, STEP);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
