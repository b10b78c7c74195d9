import type { UnreadableReason } from '../engine/errors.ts';
import type { StructureNode } from '../worker/api.ts';
import type { StructureView } from './structure.svelte.ts';
import { quote } from './target.ts';
import { words } from './words.svelte.ts';

/** Bytes that can be read, and so copied, at once. */
export const MOST_COPIED = 1024 * 1024;

/** What a node means, in the language that is on; English comes with the node. */
export function meaningOf({ key, meaning }: StructureNode): string {
  const sentences: Readonly<Record<string, string | undefined>> = words.part('structures');
  return sentences[key] ?? meaning;
}

/** Why a byte cannot be read: a code of the engine's in words, or what was said of it as it is. */
export function whyUnreadable(reason: string): string {
  const nowhere = { guestOffset: 0, hostOffset: 0, length: 0 };
  const sentence = words.image.errors['unreadable-cluster'];
  const why: string | undefined = sentence({ ...nowhere, reason: reason as UnreadableReason }).why;
  return why ?? reason;
}

/**
 * How qemu-io shows the selected bytes; '' where there are too many to be looked at, or where it
 * would need more than the file.
 */
export function readCommand({ image, selection, space }: StructureView): string {
  const { info } = image;
  const { offset, length } = selection;
  if (info === undefined || length === 0 || length > MOST_COPIED) return '';
  const isInside = (image.opened?.inside.length ?? 0) > 0 || image.pending !== undefined;
  if (isInside || (space === 'guest' && info.encrypted)) return '';
  const format = space === 'file' ? 'raw' : info.format;
  return `qemu-io -r -f ${format} -c 'read -v ${offset} ${length}' ${quote(image.name)}`;
}
