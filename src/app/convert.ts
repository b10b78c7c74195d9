import type { Acceptance, DestinationId, SnapshotChoice, Stage, Target } from '../worker/api.ts';
import { engine } from './engine.svelte.ts';
import { chooseTarget, chooseTargetFolder, hasSavePicker } from './files.ts';
import {
  type ConvertForecast,
  dataToCopy,
  forecastConvert,
  type Known,
  type MakingWay,
} from './forecast.ts';
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
import { jobs, type RunningJob } from './jobs.svelte.ts';
import { deleteMade, downloadMade, openMade, saveMade } from './made.ts';
import { type OpenImage, planKey } from './open-image.svelte.ts';
import { lookAtDisk } from './plan.ts';
import { toProblem } from './problem.ts';
import { speeds } from './speeds.ts';
import { stored } from './stored.svelte.ts';
import { suggestName, suggestWhere } from './target.ts';

/** Holes of a result that a download without being asked again may fill on the person's disk, bytes. */
const MOST_FILLED = 8 * 2 ** 30;

/** Converts an image as it is wished. Needs a click or key when the person is to choose the place. */
export async function convert(image: OpenImage): Promise<void> {
  const state = image.convert;
  if (image.opened === undefined || state.job !== undefined) return;
  forgetLast(image);
  const name = state.name.trim();
  const wanted = wantedOf(image);
  const forecast = forecastOf(image);
  const downloads = startsDownload(image);
  let ran: RunningJob | undefined;
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
      running: (job) => {
        ran ??= job;
        state.job = job;
      },
      left: (left) => (state.left = left),
    });
    state.after = wanted;
    if (forecast?.exact === true) learn(forecast, ran);
  } catch (error) {
    const problem = toProblem(error, name);
    if (problem.code === 'cancelled') state.cancelled = true;
    else state.problem = problem;
    if (problem.code === 'file-changed') image.changed = true;
  }
  await stored.load();
  // Where the browser does not let it begin by itself, the button for it is there.
  if (state.result !== undefined && downloads) await downloadResult(image).catch(() => undefined);
}

/** The next forecast is nearer. */
function learn({ parts }: Forecast, job: RunningJob | undefined): void {
  const took = (stage: Stage): number => job?.stageSeconds[stage] ?? 0;
  speeds.learn(parts.work, parts.copying, took('copying'));
  for (const stage of ['writing', 'finishing', 'verifying'] as const) {
    speeds.learn(stage, parts[stage], took(stage));
  }
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

/** Looks ahead at the conversion that is wished, to where it is wished or to another place. */
export function forecastOf(
  image: OpenImage,
  where: 'place' | 'browser' = image.convert.where,
): Forecast | undefined {
  const { info } = image;
  if (info === undefined) return undefined;
  const { verify } = image.convert;
  const wanted = wantedOf(image);
  const known = knownOf(image);
  const size = diskSize(wanted, info);
  const file = fileSizeOf(wanted, size, dataToCopy(info, known).data);
  const way = wayOf(wanted, file.bytes);
  const forecast = forecastConvert(info, known, where, verify, way, speeds.factor);
  return { ...forecast, size, file };
}

function wayOf(wanted: Wanted, length: number): MakingWay {
  return { packs: isPacked(wanted), staged: !isPlain(wanted), length };
}

/** Bytes of holes in a file of the result: a download has none, so they take room on the disk then. */
export function filledBy(forecast: Forecast): number {
  const { data, exact, file } = forecast;
  return exact && file.kind === 'exact' ? Math.max(0, file.bytes - data) : 0;
}

/** Whether the result is given out as a download as soon as it is ready. */
export function startsDownload(image: OpenImage): boolean {
  const { where, downloads } = image.convert;
  // Several begin only one after the other, and the browser asks about each.
  if (where !== 'browser' || isSeveral(wantedOf(image))) return false;
  const forecast = forecastOf(image);
  return downloads ?? (forecast === undefined || filledBy(forecast) <= MOST_FILLED);
}

/** Chooses where the result goes. */
export function chooseWhereTo(image: OpenImage, where: 'place' | 'browser'): void {
  image.convert.where = where;
  image.convert.whereChosen = true;
}

/** What is made has its say in where it better goes, until the person has chosen that. */
function suggestAgain(image: OpenImage): void {
  const { info, convert: state } = image;
  if (info === undefined || state.whereChosen) return;
  const wanted = wantedOf(image);
  const { data } = dataToCopy(info, knownOf(image));
  const way = wayOf(wanted, fileSizeOf(wanted, diskSize(wanted, info), data).bytes);
  state.where = suggestWhere(info, engine.facts, hasSavePicker(), way);
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
  suggestAgain(image);
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
  suggestAgain(image);
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
