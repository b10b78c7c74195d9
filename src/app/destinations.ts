/** Who takes an image: in which order it is shown, and why not, in words. */
import type { Acceptance, DestinationId } from '../worker/api.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { bytes } from './units.ts';
import { words } from './words.svelte.ts';

/** Shown at first: what most people ask for. */
const USUAL: readonly DestinationId[] = ['qemu', 'esxi', 'hyper-v', 'virtualbox', 'azure'];
const ORDER: Record<Acceptance['verdict'], number> = { yes: 0, care: 1, no: 2 };

/** What the destinations say of an image, those that take it first. */
export function destinationsOf(image: OpenImage, all: boolean): Acceptance[] {
  const known = image.opened?.destinations ?? [];
  return known
    .filter(({ id }) => all || USUAL.includes(id))
    .sort((a, b) => ORDER[a.verdict] - ORDER[b.verdict]);
}

/** Why it is not taken, or what is to be known, one sentence each. */
export function reasonsOf({ reasons }: Acceptance): string[] {
  const { reasons: text } = words.image.destinations;
  return reasons.map(({ reason, grade, limit }) =>
    text[reason](bytes(limit, words.tag), grade === 'no'),
  );
}
