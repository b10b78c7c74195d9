/** Looks at what is on a disk and where the bytes of its file went, behind everything else. */
import { contentsOf } from './contents-state.svelte.ts';
import { checkSeconds } from './forecast.ts';
import { jobs } from './jobs.svelte.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { toProblem } from './problem.ts';
import { words } from './words.svelte.ts';

/** The file is looked at by itself where that takes less, seconds. */
const BY_ITSELF_SECONDS = 1;

/** Looks at both as far as that is quick. Nothing happens where it was done before. */
export async function lookInside(image: OpenImage): Promise<void> {
  await lookAtContents(image);
  const { info } = image;
  const seconds = info === undefined ? undefined : checkSeconds(info);
  if (seconds !== undefined && seconds < BY_ITSELF_SECONDS) await lookAtSpace(image, true);
}

async function lookAtContents(image: OpenImage): Promise<void> {
  const { opened } = image;
  const contents = contentsOf(image);
  // Where nothing can be read, there is no need to try.
  if (opened === undefined || contents === undefined || image.gap !== undefined) return;
  if (contents.asked) return;
  contents.asked = true;
  try {
    const request = { kind: 'contents', image: opened.id } as const;
    await words.loadPart('contents');
    contents.found = await jobs.run<'contents'>(request, image.name, { quiet: true });
  } catch (error) {
    contents.problem = toProblem(error, image.name);
  }
}

/** @param quiet nobody asked for it: what goes wrong is no news */
export async function lookAtSpace(image: OpenImage, quiet = false): Promise<void> {
  const { opened } = image;
  const contents = contentsOf(image);
  if (opened === undefined || contents === undefined) return;
  if (contents.isLooking || (quiet && contents.spaceAsked)) return;
  contents.spaceAsked = true;
  contents.isLooking = true;
  contents.spaceProblem = undefined;
  try {
    const request = { kind: 'picture', image: opened.id, space: 'file' } as const;
    const { kinds, sums } = await jobs.run<'picture'>(request, image.name, { quiet: true });
    contents.space = kinds.map((kind, index) => ({ kind, size: sums[index] ?? 0 }));
  } catch (error) {
    if (!quiet) contents.spaceProblem = toProblem(error, image.name);
  }
  contents.isLooking = false;
}
