import type { ChecksumRequest, HashName } from '../worker/api.ts';
import { announcer } from './announcer.svelte.ts';
import type { ChecksumState, DigestState } from './checksum-state.svelte.ts';
import { verdictWords, type VerdictWords } from './checksum-verdict.ts';
import { engine } from './engine.svelte.ts';
import { jobs } from './jobs.svelte.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { toProblem } from './problem.ts';
import { words } from './words.svelte.ts';

/** A list is text of some kilobytes: what is longer than this is something else. */
export const LONGEST_LIST = 4 * 2 ** 20;

/** Takes over what was pasted. */
export async function paste(image: OpenImage, text: string): Promise<void> {
  image.checksum.pasted = text;
  await ask(image);
}

/** Takes a file for the list that the publisher gives. */
export async function takeList(image: OpenImage, file: File): Promise<void> {
  const state = image.checksum;
  state.tooLarge = file.size > LONGEST_LIST ? file.name : '';
  if (state.tooLarge !== '') return;
  state.list = { name: file.name, text: await file.text() };
  await ask(image);
}

/** Goes back to what was pasted. */
export async function forgetList(image: OpenImage): Promise<void> {
  image.checksum.list = undefined;
  await ask(image);
}

/** Computes the digest of the file, in the algorithm that is asked for, and compares it. */
export async function digestFile(image: OpenImage): Promise<void> {
  const state = image.checksum;
  await digest(image, state, state.file, 'file', state.algorithm);
  await ask(image);
  const title = verdictOf(image)?.title;
  if (title !== undefined) announcer.say(title);
}

/** How the file stands to what was published, in words. */
export function verdictOf(image: OpenImage): VerdictWords | undefined {
  const file = { name: image.name, size: image.info?.fileSize ?? 0 };
  return verdictWords(image.checksum, file, words.image.checksum.verdict, words.tag);
}

/** Computes the digest of what the guest reads. */
export async function digestContent(image: OpenImage): Promise<void> {
  await digest(image, image.checksum, image.checksum.content, 'content', 'sha256');
}

/** A raw disk that ends with a whole sector is nothing but its content. */
export function isItsContent(image: OpenImage): boolean {
  const { info } = image;
  return info?.format === 'raw' && info.fileSize === info.virtualSize;
}

async function digest(
  image: OpenImage,
  state: ChecksumState,
  part: DigestState,
  of: ChecksumRequest['of'],
  algorithm: HashName,
): Promise<void> {
  if (image.opened === undefined || part.job !== undefined) return;
  part.problem = undefined;
  part.cancelled = false;
  try {
    const request = { kind: 'checksum', image: image.opened.id, of, algorithm } as const;
    const result = await jobs.run<'checksum'>(request, image.name, {
      running: (job) => (part.job = job),
    });
    for (const one of isItsContent(image) ? [state.file, state.content] : [part]) {
      one.results = { ...one.results, [algorithm]: result };
    }
  } catch (error) {
    const problem = toProblem(error, image.name);
    if (problem.code === 'cancelled') part.cancelled = true;
    else part.problem = problem;
    if (problem.code === 'file-changed') image.changed = true;
  }
}

/** Asks what the publisher says of the file, and what the digests are to it that are known. */
async function ask(image: OpenImage): Promise<void> {
  const state = image.checksum;
  const text = state.published;
  if (text.trim() === '') {
    state.expectation = undefined;
    state.verdict = undefined;
    return;
  }
  const digests = Object.fromEntries(
    Object.entries(state.file.results).map(([name, result]) => [name, result.digest]),
  );
  try {
    const client = await engine.client();
    const answer = await client.askList({ text, name: image.name, digests });
    // Something else may have been pasted meanwhile: its own answer comes.
    if (state.published !== text) return;
    state.expectation = answer.expectation;
    state.verdict = answer.verdict;
  } catch (error) {
    state.file.problem = toProblem(error, image.name);
  }
}
