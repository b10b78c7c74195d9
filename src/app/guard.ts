/** What is remembered of base images, so that it is noticed when one is changed under its overlays. */
import { del, get, set } from 'idb-keyval';
import type { BaseFingerprint } from '../worker/api.ts';
import type { OpenImage } from './open-image.svelte.ts';

/**
 * Under which a base is found again: by the name of the overlay and the name that it has for its
 * base. What changes while both are in use (sizes, times) is no part of it. Undefined without a base.
 */
export function guardKey(overlay: string, base: string | undefined): string | undefined {
  return base === undefined ? undefined : `guard\0${overlay}\0${base}`;
}

function keyOf(image: OpenImage): string | undefined {
  return guardKey(image.diskName, image.info?.backing?.name);
}

/** What is remembered of the base of an image; undefined: nothing, or there is none. */
export async function recall(image: OpenImage): Promise<BaseFingerprint | undefined> {
  const key = keyOf(image);
  if (key === undefined) return undefined;
  try {
    return await get<BaseFingerprint>(key);
  } catch {
    // No IndexedDB (some private windows): it is remembered as long as the page lives.
    return image.diagnose.remembered;
  }
}

export async function keep(image: OpenImage, fingerprint: BaseFingerprint): Promise<void> {
  image.diagnose.remembered = fingerprint;
  const key = keyOf(image);
  if (key === undefined) return;
  try {
    await set(key, fingerprint);
  } catch {
    // As above.
  }
}

export async function forget(image: OpenImage): Promise<void> {
  image.diagnose.remembered = undefined;
  const key = keyOf(image);
  if (key === undefined) return;
  try {
    await del(key);
  } catch {
    // As above.
  }
}
