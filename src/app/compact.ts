/** Compacting an image into a new file. */
import type { FileTarget } from '../worker/api.ts';
import { engine } from './engine.svelte.ts';
import { chooseTarget, hasSavePicker } from './files.ts';
import { jobs } from './jobs.svelte.ts';
import { deleteMade, downloadMade, openMade } from './made.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { toProblem } from './problem.ts';
import { stored } from './stored.svelte.ts';
import { suggestWhere } from './target.ts';

/** `web-01.qcow2` gives `web-01-compact.qcow2`. */
export function compactName(source: string): string {
  const at = source.lastIndexOf('.');
  const [stem, suffix] = at > 0 ? [source.slice(0, at), source.slice(at)] : [source, '.qcow2'];
  return `${stem}-compact${suffix.toLowerCase() === '.qcow2' ? suffix : '.qcow2'}`;
}

/** Shows the form, filled in. */
export function askCompact(image: OpenImage, snapshots: boolean): void {
  const { compact: state } = image.diagnose;
  forgetCompacted(image);
  state.open = true;
  state.snapshots = snapshots;
  if (state.name === '') state.name = compactName(image.diskName);
  if (image.info !== undefined) {
    state.where = suggestWhere(image.info, engine.facts, hasSavePicker());
  }
}

/** How long the new file will be, bytes; undefined where nobody has counted. */
export function compactSize(image: OpenImage): number | undefined {
  const forecasts = image.diagnose.result?.diagnosis.facts.survey?.forecasts;
  const { snapshots } = image.diagnose.compact;
  return snapshots ? forecasts?.compact : forecasts?.compactWithoutSnapshots;
}

/** Compacts as it is wished. Needs a click or key when the person is to choose the place. */
export async function compact(image: OpenImage): Promise<void> {
  const state = image.diagnose.compact;
  if (image.opened === undefined || state.job !== undefined) return;
  forgetCompacted(image);
  const name = state.name.trim();
  try {
    const target = await chooseWhere(image, name);
    if (target === undefined) {
      state.notChosen = true;
      return;
    }
    if (target.kind === 'handle') state.handle = target.handle;
    const { snapshots, verify } = state;
    const wish = { snapshots, verify, target, expected: compactSize(image) };
    const request = { kind: 'compact', image: image.opened.id, ...wish } as const;
    state.result = await jobs.run<'compact'>(request, image.name, {
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

async function chooseWhere(image: OpenImage, name: string): Promise<FileTarget | undefined> {
  if (image.diagnose.compact.where === 'browser') {
    // So that the browser does not clear it away when room gets short. Chromium does not ask.
    if (hasSavePicker()) void navigator.storage.persist();
    return { kind: 'private', name };
  }
  const handle = await chooseTarget(name);
  return handle === undefined ? undefined : { kind: 'handle', handle };
}

/** Puts the last result out of sight; the wishes stay. */
export function forgetCompacted(image: OpenImage): void {
  const state = image.diagnose.compact;
  state.result = undefined;
  state.handle = undefined;
  state.problem = undefined;
  state.cancelled = false;
  state.left = undefined;
  state.notChosen = false;
  state.deleted = false;
}

/** Opens the new image. */
export async function openCompacted(image: OpenImage): Promise<void> {
  const { result, handle } = image.diagnose.compact;
  if (result !== undefined) await openMade({ files: [result], handle, folder: undefined });
}

/** Gives it out as a download. */
export async function downloadCompacted(image: OpenImage): Promise<void> {
  const { result } = image.diagnose.compact;
  if (result !== undefined) await downloadMade({ files: [result] });
}

/** Deletes what the browser keeps of it. */
export async function deleteCompacted(image: OpenImage): Promise<void> {
  const { result } = image.diagnose.compact;
  if (result !== undefined) await deleteMade({ files: [result] });
  image.diagnose.compact.deleted = true;
}
