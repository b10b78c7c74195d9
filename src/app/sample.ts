import type { Chosen } from './files.ts';

/**
 * The sample image. The page may not fetch anything, not even from its own place, so the image
 * comes as a script: a data address that is decoded here.
 */
export async function loadSample(): Promise<Chosen> {
  const { default: address } = await import('./sample/sample.qcow2?url&inline');
  const text = atob(address.slice(address.indexOf(',') + 1));
  const content = Uint8Array.from(text, (character) => character.charCodeAt(0));
  // A fixed date: opening the sample twice shows the one that is open already.
  const file = new File([content], 'sample.qcow2', { lastModified: 0 });
  return { file, handle: undefined, own: true };
}
