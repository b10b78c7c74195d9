/** One writer at a time for a file, all tabs together; and what they tell each other. */
import { ImageError } from '../engine/index.ts';
import type { ChangedMessage } from './api.ts';

/** Files have no names of their own beyond this one: those of one name wait for each other. */
function lockOf(name: string): string {
  return `change:${name}`;
}

/**
 * Runs `work` while nobody else changes a file of that name.
 * @throws ImageError being-changed when somebody does
 */
export function aloneWith<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  return navigator.locks.request(lockOf(name), { ifAvailable: true }, (lock) => {
    if (lock === null) throw new ImageError('being-changed', { name });
    return work();
  });
}

/** Tells the other tabs that a file of that name is another one now. */
export function tellChanged(name: string): void {
  const channel = new BroadcastChannel('changes');
  const message: ChangedMessage = { name };
  channel.postMessage(message);
  channel.close();
}
