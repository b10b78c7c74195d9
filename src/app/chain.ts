/** Giving an image the files that it names, and unlocking them. */
import type { ChainFile, OpenedImage } from '../worker/api.ts';
import { announcer } from './announcer.svelte.ts';
import { engine } from './engine.svelte.ts';
import type { Chosen } from './files.ts';
import type { Findings, FoundFile } from './folder.ts';
import type { GivenChosen, OpenImage, SearchResult } from './open-image.svelte.ts';
import { lookAtDisk } from './plan.ts';
import { type Problem, toProblem } from './problem.ts';
import { words } from './words.svelte.ts';

/** Files of one name that are opened to see which is meant. */
const MOST_CANDIDATES = 200;

/** Gives the file for a place of the chain. */
export async function attach(image: OpenImage, link: ChainFile, chosen: Chosen): Promise<void> {
  const { opened, files } = image;
  if (opened === undefined) return;
  files.problem = undefined;
  files.search = undefined;
  try {
    const client = await engine.client();
    take(image, await client.attach(opened.id, link.key, chosen.file));
    files.given = [...without(files.given, link.key), { key: link.key, chosen }];
    announcer.say(words.image.chain.attached(chosen.file.name));
  } catch (error) {
    files.problem = toProblem(error, chosen.file.name);
  }
}

/** Takes the file of a place away again. */
export async function detach(image: OpenImage, link: ChainFile): Promise<void> {
  const { opened, files } = image;
  if (opened === undefined) return;
  files.problem = undefined;
  try {
    const client = await engine.client();
    take(image, await client.detach(opened.id, link.key));
    files.given = without(files.given, link.key);
  } catch (error) {
    files.problem = toProblem(error, link.name);
  }
}

/**
 * Looks for the missing files by their names among many, and further for those that the found ones
 * name. What was found and what not is said in `image.files.search`.
 */
export async function attachFrom(image: OpenImage, given: Findings): Promise<void> {
  const { files } = image;
  files.problem = undefined;
  files.searching = true;
  try {
    files.search = await searchIn(image, given);
    if (files.search.found.length > 0) {
      announcer.say(words.image.chain.found(files.search.found.length));
    }
  } catch (error) {
    files.problem = toProblem(error, image.name);
  } finally {
    files.searching = false;
  }
}

async function searchIn(image: OpenImage, given: Findings): Promise<SearchResult> {
  const { all, looked, cut } = given;
  const found: string[] = [];
  for (;;) {
    const before = missing(image);
    const known = new Set(image.chain.map(({ file }) => file?.name));
    const wanted = new Set(before.flatMap(namesOf));
    const candidates = all.filter(({ name }) => wanted.has(name) || known.has(name));
    await offer(image, candidates.slice(0, MOST_CANDIDATES));
    const still = new Set(missing(image).map(({ key }) => key));
    const taken = before.filter(({ key }) => !still.has(key));
    found.push(...taken.map(({ reference }) => reference.fileName));
    if (taken.length > 0) continue;
    const left = image.chain.filter((link) => still.has(link.key) && namesOf(link).length > 0);
    const isThere = (link: ChainFile): boolean =>
      all.some((file) => namesOf(link).includes(file.name));
    const nameOf = (link: ChainFile): string => namesOf(link)[0] ?? '';
    const notThere = left.filter((link) => !isThere(link)).map(nameOf);
    return { found, notThere, several: left.filter(isThere).map(nameOf), looked, cut };
  }
}

/** Lets the engine decide which of the files goes where. */
async function offer(image: OpenImage, candidates: readonly FoundFile[]): Promise<void> {
  const { opened, files } = image;
  if (opened === undefined || candidates.length === 0) return;
  const opening = candidates.map(async ({ path, open }) => ({ path, chosen: await open() }));
  // A file that vanished or may not be read is not the one.
  const tried = await Promise.allSettled(opening);
  const there = tried.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const list = there.map(({ path, chosen }) => ({ file: chosen.file, path }));
  const client = await engine.client();
  const after = await client.attachAll(opened.id, list);
  const given = [...files.given];
  for (const { key, file } of after.chain) {
    const chosen = there.find(
      (one) =>
        one.chosen.file.name === file?.name &&
        one.chosen.file.size === file.size &&
        one.chosen.file.lastModified === file.modified,
    );
    const isNew = key !== '' && !given.some((one) => one.key === key);
    if (chosen !== undefined && isNew) given.push({ key, chosen: chosen.chosen });
  }
  files.given = given;
  take(image, after);
}

function without(given: readonly GivenChosen[], key: string): GivenChosen[] {
  return given.filter((one) => one.key !== key);
}

function missing(image: OpenImage): ChainFile[] {
  return image.chain.filter(({ state }) => state === 'missing');
}

/** Names that a file of the chain may have, the likeliest first. */
function namesOf({ reference, otherNames }: ChainFile): string[] {
  return [reference.fileName, ...otherNames].filter((name) => name !== '');
}

/** After the image was opened anew: gives it the same files again, as they are on disk now. */
export async function giveAgain(image: OpenImage, given: readonly GivenChosen[]): Promise<void> {
  for (const { key, chosen } of given) {
    const link = image.chain.find((one) => one.key === key);
    if (link === undefined) continue;
    const now = await chosen.handle?.getFile().catch(() => undefined);
    await attach(image, link, { ...chosen, file: now ?? chosen.file });
  }
}

/**
 * Unlocks a file of the chain. The bytes of the passphrase go to the worker and are gone here.
 * @returns what went wrong: the passphrase mostly
 */
export async function unlock(
  image: OpenImage,
  link: ChainFile,
  passphrase: Uint8Array<ArrayBuffer>,
): Promise<Problem | undefined> {
  const { opened } = image;
  if (opened === undefined) return undefined;
  try {
    const client = await engine.client();
    take(image, await client.unlock(opened.id, link.key, passphrase));
    announcer.say(words.image.chain.passphrase.unlocked(link.file?.name ?? link.name));
    return undefined;
  } catch (error) {
    return toProblem(error, link.name);
  }
}

/** The image as it is with another file, or unlocked. */
function take(image: OpenImage, opened: OpenedImage): void {
  // Closed, or opened anew by a worker that is not this one any more.
  if (image.opened?.id !== opened.id) return;
  image.opened = opened;
  image.plans = {};
  void lookAtDisk(image);
}
