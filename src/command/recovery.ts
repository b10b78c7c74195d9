/** What is said of a change that was interrupted, when its file is opened again. */
import type { Recovery } from '../engine/index.ts';

/** Undefined where there is nothing to say. */
export function recoveryText(name: string, recovery: Recovery): string | undefined {
  switch (recovery.outcome) {
    case 'none':
      return undefined;
    case 'dropped':
      return (
        `'${name}': a change was interrupted before it began; the image is as it was ` +
        `(removed '${recovery.journal}')`
      );
    case 'finished':
      return (
        `'${name}': a change was interrupted and has been finished now ` +
        `(from '${recovery.journal}')`
      );
  }
}
