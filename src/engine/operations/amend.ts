/** Other properties for an image that is there. */
import type { Qcow2Image } from '../formats/qcow2/image.ts';
import { amendQcow2, type Qcow2Amendment } from '../formats/qcow2/edit/amend.ts';
import { readerBelow } from './read.ts';

export interface AmendOptions {
  /** How far it is. */
  steps?: ((done: number, total: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Changes an image, whose storages are overlays; the image itself does not see what changes.
 * @throws ImageError as {@link amendQcow2}
 */
export async function amendImage(
  image: Qcow2Image,
  wanted: Qcow2Amendment,
  { steps, signal }: AmendOptions = {},
): Promise<void> {
  await amendQcow2(image, wanted, {
    ...{ steps, signal, backingSize: image.backing?.size },
    readBelow: readerBelow(image, { signal }),
  });
}
