import type { Acceptance, DestinationId, SnapshotChoice, Target } from '../worker/api.ts';
import { chooseTarget, chooseTargetFolder, hasSavePicker } from './files.ts';
import { forecastConvert, type ConvertForecast, type Known } from './forecast.ts';
import {
  type ChoiceId,
  diskSize,
  fileSizeOf,
  goalOf,
  isPacked,
  isPlain,
  isSeveral,
  suffixOf,
  type TargetFormat,
  type Wanted,
  wantedDestination,
} from './goal.ts';
import { jobs } from './jobs.svelte.ts';
import { deleteMade, downloadMade, openMade, saveMade } from './made.ts';
import { type OpenImage, planKey } from './open-image.svelte.ts';
import { lookAtDisk } from './plan.ts';
import { toProblem } from './problem.ts';
import { stored } from './stored.svelte.ts';
import { suggestName } from './target.ts';

/** Converts an image as it is wished. Needs a click or key when the person is to choose the place. */
export async function convert(image: OpenImage): Promise<void> {
  const state = image.convert;
  if (image.opened === undefined || state.job !== undefined) return;
  forgetLast(image);
  const name = state.name.trim();
  const wanted = wantedOf(image);
  const forecast = forecastOf(image);
  try {
    const target = await chooseWhere(image, name, isSeveral(wanted));
    if (target === undefined) {
      state.notChosen = true;
      return;
    }
    if (target.kind === 'handle') state.handle = target.handle;
    if (target.kind === 'folder') state.folder = target.handle;
    const { verify, snapshot } = state;
    const { id } = image.opened;
    const goal = isPlain(wanted) ? undefined : goalOf(wanted);
    const expected = forecast?.file.bytes;
    const wish = { snapshot, goal, expected, target, verify };
    const request = { kind: 'convert', image: id, ...wish } as const;
    const sparse = forecast?.exact === true && forecast.data < forecast.size / 2;
    state.result = await jobs.run<'convert'>(request, image.name, {
      heavy: sparse ? forecast.data : undefined,
      running: (job) => (state.job = job),
      left: (left) => (state.left = left),
    });
    state.after = wanted;
  } catch (error) {
    const problem = toProblem(error, name);
    if (problem.code === 'cancelled') state.cancelled = true;
    else state.problem = problem;
    if (problem.code === 'file-changed') image.changed = true;
  }
  await stored.load();
}

async function chooseWhere(
  image: OpenImage,
  name: string,
  several: boolean,
): Promise<Target | undefined> {
  if (image.convert.where === 'browser') {
    // So that the browser does not clear it away when room gets short. Chromium does not ask.
    if (hasSavePicker()) void navigator.storage.persist();
    return { kind: 'private', name };
  }
  if (several) {
    const handle = await chooseTargetFolder();
    return handle === undefined ? undefined : { kind: 'folder', handle, name };
  }
  const handle = await chooseTarget(name);
  return handle === undefined ? undefined : { kind: 'handle', handle };
}

/** What is wished of the image, as far as it is possible. */
export function wantedOf({ convert: state, opened }: OpenImage): Wanted {
  const { format, chosen, destination: id } = state;
  return { format, chosen, destination: wantedDestination(opened?.destinations ?? [], id) };
}

/** What a conversion will cost, and how long its file will be. */
export interface Forecast extends ConvertForecast {
  file: ReturnType<typeof fileSizeOf>;
}

/** Looks ahead at the conversion that is wished. */
export function forecastOf(image: OpenImage): Forecast | undefined {
  const { info, convert: state } = image;
  if (info === undefined) return undefined;
  const wanted = wantedOf(image);
  const size = diskSize(wanted, info);
  const way = { packs: isPacked(wanted), staged: !isPlain(wanted) };
  const forecast = forecastConvert(info, knownOf(image), state.where, state.verify, way);
  return { ...forecast, size, file: fileSizeOf(wanted, size, forecast.data) };
}

/** What was found out of the disk that is to be converted. */
export function knownOf(image: OpenImage): Known {
  const { snapshot } = image.convert;
  const plan = image.plans[planKey(snapshot)];
  return { plan, report: snapshot === undefined ? image.check.report : undefined };
}

/** Chooses what is converted: the disk as it is now, or as a snapshot keeps it. */
export function chooseSnapshot(image: OpenImage, snapshot: SnapshotChoice | undefined): void {
  renaming(image, () => {
    image.convert.snapshot = snapshot;
  });
  void lookAtDisk(image, snapshot);
}

/** Chooses a format; for nobody in particular. */
export function chooseFormat(image: OpenImage, format: TargetFormat): void {
  renaming(image, () => {
    image.convert.destination = undefined;
    image.convert.format = format;
  });
}

/** Chooses what the destination takes; the first one where it is not said which. */
export function chooseDestination(image: OpenImage, id?: DestinationId): void {
  const [first] = destinationsByName(image);
  renaming(image, () => {
    image.convert.destination = id ?? first?.id;
  });
}

/** Chooses something about the format. */
export function chooseOption(image: OpenImage, id: ChoiceId, value: string): void {
  const state = image.convert;
  state.chosen = { ...state.chosen, [id]: value };
}

/** Those that a file can be made for, by their names. */
export function destinationsByName({ opened }: OpenImage): Acceptance[] {
  return [...(opened?.destinations ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The name for the result goes with the wishes as long as nobody has changed it. */
function renaming(image: OpenImage, change: () => void): void {
  const state = image.convert;
  const suggested = (): string =>
    suggestName(image.diskName, state.snapshot?.name, suffixOf(wantedOf(image)));
  const wasSuggested = state.name === suggested();
  change();
  if (wasSuggested) state.name = suggested();
}

/** Puts the last result out of sight; the wishes stay. */
export function forgetLast(image: OpenImage): void {
  const state = image.convert;
  state.result = undefined;
  state.handle = undefined;
  state.folder = undefined;
  state.after = undefined;
  state.problem = undefined;
  state.cancelled = false;
  state.left = undefined;
  state.notChosen = false;
  state.downloaded = false;
  state.deleted = false;
}

/** Opens what a conversion made, as an image of its own. */
export async function openResult(image: OpenImage): Promise<void> {
  const { handle, folder, result } = image.convert;
  if (result !== undefined) await openMade({ files: result.files, handle, folder });
}

/** Gives all files of the result out as downloads, one after the other. */
export async function downloadResult(image: OpenImage): Promise<void> {
  await downloadMade({ files: image.convert.result?.files ?? [] });
  image.convert.downloaded = true;
}

/** Copies them into a folder that the person chooses. Needs a click or key. */
export async function saveResult(image: OpenImage): Promise<void> {
  const { result } = image.convert;
  if (result === undefined) return;
  image.convert.problem = undefined;
  const outcome = await saveMade(result);
  if (outcome === 'done') image.convert.downloaded = true;
  else image.convert.problem = outcome;
}

/** Deletes what the browser keeps of the result. */
export async function deleteResult(image: OpenImage): Promise<void> {
  await deleteMade({ files: image.convert.result?.files ?? [] });
  image.convert.deleted = true;
}
