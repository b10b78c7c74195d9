/** What mends a finding, as lines for the command line or to be pasted. */
import { commandsFor } from '../command/diagnosis/remedy.ts';
import type { Remedy } from '../worker/api.ts';
import type { OpenImage } from './open-image.svelte.ts';

/** Those that are not about looking, or about what is only kept here. */
const WITH_COMMAND: readonly Remedy['kind'][] = [
  ...(['repair', 'compact', 'convert', 'amend', 'relink', 'flatten', 'commit'] as const),
  ...(['delete-snapshot', 'delete-bitmap'] as const),
];

/** Equivalent commands of qemu-img, each once. */
export function commandsOf(image: OpenImage, remedies: readonly Remedy[]): string[] {
  return linesFor(
    image,
    remedies.filter(({ kind }) => WITH_COMMAND.includes(kind)),
  );
}

/** Lines to be pasted where the image is used, under its name. */
export function linesOf(image: OpenImage, remedies: readonly Remedy[]): string[] {
  return linesFor(
    image,
    remedies.filter(({ kind }) => kind === 'paste'),
  );
}

function linesFor({ diskName, info }: OpenImage, remedies: readonly Remedy[]): string[] {
  const facts = { backing: info?.backing?.name };
  return [...new Set(remedies.flatMap((remedy) => commandsFor(remedy, diskName, facts)))];
}
