import type { Foresight } from '../worker/api.ts';
import { bytes } from './units.ts';
import { words } from './words.svelte.ts';

/** What a change would do, in sentences; none where nobody knows. */
export function foresightLines(found: Foresight | undefined): string[] {
  if (found === undefined) return [];
  const text = words.part('changing').foresight;
  const { tag } = words;
  const { freed, takes } = found;
  const lines: string[] = [];
  if (takes !== undefined) {
    const say = takes.exact ? text.takes : text.takesMost;
    lines.push(takes.data === 0 ? text.takesNothing : say(bytes(takes.data, tag)));
    if (takes.zeros > 0) lines.push(text.zeros(bytes(takes.zeros, tag)));
  }
  if (freed !== undefined) lines.push(text.frees(bytes(freed, tag)));
  return lines;
}

/** What the guest would see of it when an image is emptied. */
export function emptyingLine(found: Foresight | undefined): string {
  const text = words.part('changing').foresight;
  if (found?.different === undefined) return text.differentUnknown;
  if (found.different === 0) return text.differentNone;
  return text.different(bytes(found.different, words.tag));
}
