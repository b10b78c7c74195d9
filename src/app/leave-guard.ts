import type { OpenImage } from './open-image.svelte.ts';
import { settings } from './settings.svelte.ts';

let isHeld = false;

/** Asks before the page is left while changes are not saved, and no longer than that. */
export function guardChanges(images: readonly OpenImage[]): void {
  const isNeeded = images.some(({ unsaved }) => unsaved > 0);
  if (isNeeded === isHeld) return;
  isHeld = isNeeded;
  if (isNeeded) addEventListener('beforeunload', ask);
  else removeEventListener('beforeunload', ask);
}

function ask(event: BeforeUnloadEvent): void {
  if (!settings.askBeforeLeaving) return;
  event.preventDefault();
}
