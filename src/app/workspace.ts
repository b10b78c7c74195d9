/** All that the frame needs once the first screen is painted, as one thing to load. */
export { redoOfCurrent, undoOfCurrent } from './changes.ts';
export { dropLabel, openFiles } from './checksum-lists.ts';
export { openDropped } from './drop.ts';
export { engine } from './engine.svelte.ts';
export { images } from './images.svelte.ts';
export { interrupted } from './interrupted.svelte.ts';
export { jobs } from './jobs.svelte.ts';
export { saveOfCurrent } from './save.svelte.ts';
export { stored } from './stored.svelte.ts';
export { showBadge, windowTitle } from './window-title.ts';
