import { downloadResult } from './convert.ts';
import { images } from './images.svelte.ts';
import type { OpenImage } from './open-image.svelte.ts';

/** The image whose changes somebody wants to save by a key: its form takes the focus. */
class SaveWish {
  of = $state.raw<OpenImage>();

  /** Whether it is that one; asked for once. */
  take(image: OpenImage): boolean {
    if (this.of !== image) return false;
    this.of = undefined;
    return true;
  }
}

export const saveWish = new SaveWish();

/**
 * What «save» means for the image on the screen: its changes, else the result that was converted,
 * else a conversion, which is how a copy of the disk is made. Returns false without an image.
 */
export function saveOfCurrent(): boolean {
  const image = images.current;
  if (image?.phase !== 'open') return false;
  const { result, where } = image.convert;
  if (image.unsaved > 0) {
    saveWish.of = image;
    images.showPanel('changes');
  } else if (image.panel === 'convert' && result !== undefined && where === 'browser') {
    void downloadResult(image);
  } else {
    images.showPanel('convert');
  }
  return true;
}
