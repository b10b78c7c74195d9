/** All that changes images, as one thing to load. */
import { Changes } from './changes.ts';
import type { Images } from './images.ts';

export { recoverPrivate } from './private-journal.ts';
export { saveChanges } from './save.ts';

let known: { images: Images; changes: Changes } | undefined;

/** The changes of this worker's images. */
export function changesOf(images: Images): Changes {
  if (known?.images !== images) known = { images, changes: new Changes(images) };
  return known.changes;
}
