/** Who would take an image, and what would be made of it for each: for the page, which has no rules. */
import { DESTINATIONS, factsOf, type ImageInfo, judge, sizeFor } from '../engine/index.ts';
import type { Acceptance } from './api.ts';

/**
 * What every destination says of an image.
 * @param container what it was found in, '' for none
 * @param severalFiles whether it is made of more than one
 */
export function acceptanceOf(
  info: ImageInfo,
  { container, severalFiles }: { container: string; severalFiles: boolean },
): Acceptance[] {
  const facts = factsOf(info, { container, severalFiles });
  return DESTINATIONS.map((destination) => {
    const { id, name, recipe, commands } = destination;
    const { verdict, reasons } = judge(destination, facts);
    const size = sizeFor(destination, info.virtualSize);
    return { id, name, recipe, commands, verdict, reasons, size };
  });
}
