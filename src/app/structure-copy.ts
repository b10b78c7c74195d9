import { announcer } from './announcer.svelte.ts';
import { copyText } from './files.ts';
import { copyBytes, type CopyStyle } from './hex-inspect.ts';
import { explain, toProblem } from './problem.ts';
import { MOST_COPIED } from './structure-words.ts';
import type { StructureView } from './structure.svelte.ts';
import { bytes } from './units.ts';
import { words } from './words.svelte.ts';

/** Copies the selected bytes, and says what came of it. */
export async function copySelection(view: StructureView, style: CopyStyle): Promise<void> {
  view.copied = await copied(view, style);
  announcer.say(view.copied);
}

async function copied(view: StructureView, style: CopyStyle): Promise<string> {
  const text = words.part('structure').values;
  const { offset, length } = view.selection;
  if (length > MOST_COPIED) return text.tooMuch(bytes(MOST_COPIED, words.tag));
  try {
    const { bytes: content, unreadable } = await view.read(view.space, offset, length);
    if (unreadable.length > 0) return text.partly;
    if (!(await copyText(copyBytes(content, style)))) return text.notCopied;
    return text.copied(bytes(length, words.tag));
  } catch (error) {
    return explain(toProblem(error, view.image.name), words.image.errors).what;
  }
}
