import { chooseTarget, hasSavePicker } from './files.ts';
import { forecastConvert, type Known } from './forecast.ts';
import { images } from './images.svelte.ts';
import { jobs } from './jobs.svelte.ts';
import { type OpenImage, planKey } from './open-image.svelte.ts';
import { lookAtDisk } from './plan.ts';
import { toProblem } from './problem.ts';
import { stored } from './stored.svelte.ts';
import { suggestName } from './target.ts';
import type { SnapshotChoice, Target } from '../worker/api.ts';

/** Converts an image to raw. Needs a click or key when the person is to choose the place. */
export async function convertToRaw(image: OpenImage): Promise<void> {
  const state = image.convert;
  if (image.opened === undefined || state.job !== undefined) return;
  forgetLast(image);
  const name = state.name.trim();
  try {
    const target = await chooseWhere(image, name);
    if (target === undefined) {
      state.notChosen = true;
      return;
    }
    if (target.kind === 'handle') state.handle = target.handle;
    const { verify, snapshot } = state;
    const { id } = image.opened;
    const request = { kind: 'convert', image: id, snapshot, target, verify } as const;
    const { info } = image;
    const forecast = info && forecastConvert(info, knownOf(image), state.where, verify);
    const sparse = forecast?.exact === true && forecast.data < forecast.size / 2;
    state.result = await jobs.run<'convert'>(request, image.name, {
      heavy: sparse ? forecast.data : undefined,
      running: (job) => (state.job = job),
      left: (left) => (state.left = left),
    });
  } catch (error) {
    const problem = toProblem(error, name);
    if (problem.code === 'cancelled') state.cancelled = true;
    else state.problem = problem;
    if (problem.code === 'file-changed') image.changed = true;
  }
  await stored.load();
}

async function chooseWhere(image: OpenImage, name: string): Promise<Target | undefined> {
  if (image.convert.where === 'browser') {
    // So that the browser does not clear it away when room gets short. Chromium does not ask.
    if (hasSavePicker()) void navigator.storage.persist();
    return { kind: 'private', name };
  }
  const handle = await chooseTarget(name);
  return handle === undefined ? undefined : { kind: 'handle', handle };
}

/** What was found out of the disk that is to be converted. */
export function knownOf(image: OpenImage): Known {
  const { snapshot } = image.convert;
  const plan = image.plans[planKey(snapshot)];
  return { plan, report: snapshot === undefined ? image.check.report : undefined };
}

/** Chooses what is converted: the disk as it is now, or as a snapshot keeps it. */
export function chooseSnapshot(image: OpenImage, snapshot: SnapshotChoice | undefined): void {
  const state = image.convert;
  const wasSuggested = state.name === suggestName(image.name, state.snapshot?.name);
  state.snapshot = snapshot;
  if (wasSuggested) state.name = suggestName(image.name, snapshot?.name);
  void lookAtDisk(image, snapshot);
}

/** Puts the last result out of sight; the wishes stay. */
export function forgetLast(image: OpenImage): void {
  const state = image.convert;
  state.result = undefined;
  state.handle = undefined;
  state.problem = undefined;
  state.cancelled = false;
  state.left = undefined;
  state.notChosen = false;
  state.downloaded = false;
  state.deleted = false;
}

/** Opens what a conversion made, as an image of its own. */
export async function openResult(image: OpenImage): Promise<void> {
  const { handle, result } = image.convert;
  if (result === undefined) return;
  if (handle !== undefined) await images.open([{ file: await handle.getFile(), handle }]);
  else {
    const { name } = result;
    const file = await stored.file(name);
    await images.open([{ file, handle: undefined, own: true, stored: name }]);
  }
}
