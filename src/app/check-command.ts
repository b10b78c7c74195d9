import type { OpenImage } from './open-image.svelte.ts';
import { quote } from './target.ts';

/**
 * The command of qemu-img that checks as is done here; undefined where it has none, and for what
 * lies encrypted or inside another file.
 */
export function checkCommand(image: OpenImage): string | undefined {
  const { info, opened } = image;
  if (info === undefined || opened?.check !== 'as-qemu-img' || opened.inside.length > 0)
    return undefined;
  return `qemu-img check -f ${info.format} ${quote(image.name)}`;
}

/** The one that repairs as far as it is able: everything, in the file itself. */
export function repairCommand(image: OpenImage): string | undefined {
  const check = checkCommand(image);
  return check?.replace('qemu-img check', 'qemu-img check -r all');
}
