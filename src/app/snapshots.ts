/** What snapshots are asked: what they differ in, and what each would free. */
import type { ImageInfo, SnapshotChoice } from '../worker/api.ts';
import { foresee } from './changes.ts';
import { checkSeconds } from './forecast.ts';
import { jobs } from './jobs.svelte.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { toProblem } from './problem.ts';
import { hex } from './units.ts';
import { words } from './words.svelte.ts';

export type Snapshot = ImageInfo['snapshots'][number];

/** What takes longer is looked at on request only, seconds for all of them. */
const BY_ITSELF_SECONDS = 1;
/** More are not asked one by one unless somebody wants to know. */
const BY_ITSELF_MOST = 20;

/** Both, because neither alone has to be unique. */
export function choiceOf({ id, name }: Snapshot): SnapshotChoice {
  return { id, name };
}

/** The snapshot that is meant; undefined: none, or the disk as it is now. */
export function snapshotOf(
  image: OpenImage,
  choice: SnapshotChoice | undefined,
): Snapshot | undefined {
  if (choice === undefined) return undefined;
  return image.info?.snapshots.find(({ id, name }) => id === choice.id && name === choice.name);
}

/** A state of the disk in words. */
export function stateName(choice: SnapshotChoice | undefined): string {
  return choice === undefined ? words.part('snapshots').now : choice.name;
}

/** Whether it is quickly known what each would free, so that nobody has to ask. */
export function isFreedCheap({ info }: OpenImage): boolean {
  if (info === undefined || info.snapshots.length > BY_ITSELF_MOST) return false;
  const seconds = checkSeconds(info) ?? 0;
  return seconds * info.snapshots.length < BY_ITSELF_SECONDS;
}

/** Looks what each snapshot would free if it were deleted alone. */
export async function lookAtFreed(image: OpenImage): Promise<void> {
  const { opened } = image;
  const state = image.changes.freed;
  if (opened === undefined || state.job !== undefined || state.bytes.length > 0) return;
  const found: (number | undefined)[] = [];
  for (const snapshot of opened.info.snapshots) {
    const edit = { kind: 'delete-snapshot', snapshot: choiceOf(snapshot) } as const;
    const seen = await foresee(image, edit, (job) => (state.job = job)).catch(() => undefined);
    // It has other snapshots by now.
    if (image.opened !== opened) return;
    found.push(seen?.freed);
    state.bytes = [...found];
  }
}

/** Compares the two states that are chosen. */
export async function compareStates(image: OpenImage): Promise<void> {
  const state = image.changes.compare;
  if (image.opened === undefined || state.job !== undefined) return;
  const { id } = image.opened;
  state.result = undefined;
  state.problem = undefined;
  state.cancelled = false;
  const first = { image: id, snapshot: state.first };
  const second = { image: id, snapshot: state.second };
  try {
    state.result = await jobs.run<'compare'>({ kind: 'compare', first, second }, image.name, {
      running: (job) => (state.job = job),
    });
  } catch (error) {
    const problem = toProblem(error, image.name);
    if (problem.code === 'cancelled') state.cancelled = true;
    else state.problem = problem;
    if (problem.code === 'file-changed') image.changed = true;
  }
}

/** Chooses a snapshot to be compared with the disk as it is now. */
export function compareWithNow(image: OpenImage, snapshot: Snapshot): void {
  const state = image.changes.compare;
  state.first = choiceOf(snapshot);
  state.second = undefined;
  state.chosen = true;
  forgetComparison(image);
}

/** What was found is about other states than those that are chosen now. */
export function forgetComparison({ changes }: OpenImage): void {
  changes.compare.result = undefined;
  changes.compare.problem = undefined;
  changes.compare.cancelled = false;
}

/** Ranges as lines to be copied: offset and length, tabs between. */
export function rangesAsText(ranges: readonly { offset: number; length: number }[]): string {
  return ranges.map(({ offset, length }) => `${hex(offset)}\t${length}`).join('\n');
}
