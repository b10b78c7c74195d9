import { expect, it } from 'vitest';
import { pacer } from '../../src/engine/index.ts';

it('timers have their turn during long work that waits for nothing else', async () => {
  const pause = pacer();
  const started = performance.now();
  let heard = Infinity;
  setTimeout(() => {
    heard = performance.now() - started;
  }, 20);
  while (performance.now() - started < 600) await pause();
  // Half a second of ten; on a busy machine all of it takes longer together.
  expect(heard).toBeLessThan(500);
});
