/** Calls `work` once the browser has nothing better to do, at the latest after a moment. */
export function whenIdle(work: () => Promise<void>): void {
  if (typeof requestIdleCallback === 'function') {
    requestIdleCallback(() => void work(), { timeout: 500 });
  } else {
    setTimeout(() => void work(), 50);
  }
}
