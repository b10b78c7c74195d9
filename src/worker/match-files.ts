import type { ChainFile, GivenFile } from './api.ts';

/**
 * Which of several files goes to which missing place of a chain: the one that has its name, and of
 * several the one that lies where the image looks for it, or whose folders are called like that.
 * Where that does not decide, none.
 */
export function matchFiles(
  chain: readonly ChainFile[],
  files: readonly GivenFile[],
): Map<string, File> {
  const matches = new Map<string, File>();
  let asker: ChainFile | undefined;
  for (const link of chain) {
    const { key, state, reference } = link;
    const from = asker;
    if (link.kind === 'image' || link.kind === 'backing') asker = link;
    // The likeliest of its names that a file has.
    const name = [reference.fileName, ...link.otherNames].find(
      (one) => one !== '' && files.some(({ file }) => file.name === one),
    );
    if (state !== 'missing' || name === undefined) continue;
    const wanted = partsOf(reference.target);
    const place = placeOf(reference.target, folderOf(from, files));
    const ranked = files
      .filter(({ file }) => file.name === name)
      .map(({ file, path }) => {
        const parts = partsOf(path);
        const isThere = parts.join('/') === place;
        return { file, rank: isThere ? Infinity : commonEnd(parts, wanted) };
      })
      .sort((a, b) => b.rank - a.rank);
    const [best, second] = ranked;
    if (best !== undefined && best.rank > (second?.rank ?? -1)) matches.set(key, best.file);
  }
  return matches;
}

/** The folder of a file of the chain, where it is one of those that were given; else undefined. */
function folderOf(
  link: ChainFile | undefined,
  files: readonly GivenFile[],
): readonly string[] | undefined {
  const known = files.filter(
    ({ file }) =>
      file.name === link?.file?.name &&
      file.size === link.file.size &&
      file.lastModified === link.file.modified,
  );
  const [only] = known;
  return only !== undefined && known.length === 1 ? partsOf(only.path).slice(0, -1) : undefined;
}

/** A name as seen from a folder; undefined where that leads out of what was given. */
function placeOf(name: string, folder: readonly string[] | undefined): string | undefined {
  if (folder === undefined || /^([/\\]|[a-z]:)/i.test(name)) return undefined;
  const parts = [...folder];
  for (const part of name.split(/[/\\]/)) {
    if (part === '..' && parts.pop() === undefined) return undefined;
    if (!['', '.', '..'].includes(part)) parts.push(part);
  }
  return parts.join('/');
}

/** Folders and the name, without those that only lead up or nowhere. */
function partsOf(path: string): string[] {
  return path.split(/[/\\]/).filter((part) => !['', '.', '..'].includes(part));
}

/** How many of the last parts agree. */
function commonEnd(a: readonly string[], b: readonly string[]): number {
  let count = 0;
  while (count < a.length && count < b.length && a.at(-1 - count) === b.at(-1 - count)) count++;
  return count;
}
