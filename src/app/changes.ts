import type {
  CheckReport,
  Edit,
  Foresight,
  MadeEdit,
  OpenedImage,
  RepairClass,
  SaveResult,
  Way,
} from '../worker/api.ts';
import { announcer } from './announcer.svelte.ts';
import {
  type ChangesState,
  CompareState,
  FreedState,
  type RepairGroup,
  RepairState,
} from './changes-state.svelte.ts';
import { engine } from './engine.svelte.ts';
import { chooseFiles, chooseTarget, type Chosen, download, hasSavePicker } from './files.ts';
import { images } from './images.svelte.ts';
import { interrupted } from './interrupted.svelte.ts';
import { jobs, type RunningJob } from './jobs.svelte.ts';
import { guardChanges } from './leave-guard.ts';
import { CheckState, type OpenImage } from './open-image.svelte.ts';
import { lookAtDisk } from './plan.ts';
import { toProblem } from './problem.ts';
import { stored } from './stored.svelte.ts';
import { words } from './words.svelte.ts';

/** Makes a change on the layer over the file. Returns whether it was made. */
export async function makeEdit(image: OpenImage, edit: Edit): Promise<boolean> {
  const state = image.changes;
  if (image.opened === undefined || state.job !== undefined) return false;
  forgetOutcome(state);
  try {
    const request = { kind: 'edit', image: image.opened.id, edit } as const;
    const { opened, report } = await jobs.run<'edit'>(request, image.name, {
      running: (job) => (state.job = job),
    });
    show(image, opened);
    image.check.report = report;
    return true;
  } catch (error) {
    fail(image, error);
    return false;
  }
}

/** Makes several changes, one after the other. Returns whether all of them were made. */
export async function addEdits(image: OpenImage, edits: readonly Edit[]): Promise<boolean> {
  for (const edit of edits) if (!(await makeEdit(image, edit))) return false;
  announcer.say(words.image.changes.added);
  return true;
}

/** Takes the last change back. */
export async function undoLast(image: OpenImage): Promise<void> {
  if (image.pending === undefined || image.changes.job !== undefined) return;
  await turn(image, (client, id) => client.undoEdit(id), words.image.changes.undone);
}

/** Makes the change again that was taken back last. */
export async function redoLast(image: OpenImage): Promise<void> {
  if (!canRedo(image)) return;
  await turn(image, (client, id) => client.redoEdit(id), words.image.changes.redone);
}

/** Whether a change was taken back that can be made again. */
export function canRedo({ opened, changes }: OpenImage): boolean {
  return (opened?.undone.length ?? 0) > 0 && changes.job === undefined;
}

/** Makes again what was taken back last of the image on the screen. Returns whether there is any. */
export function redoOfCurrent(): boolean {
  const image = images.current;
  if (image === undefined || !canRedo(image)) return false;
  void redoLast(image);
  return true;
}

/** Takes back the last change of the image on the screen. Returns whether there is one. */
export function undoOfCurrent(): boolean {
  const image = images.current;
  if (image?.pending === undefined || image.changes.job !== undefined) return false;
  void undoLast(image);
  return true;
}

/** Takes all changes back that are not saved. */
export async function discardAll(image: OpenImage): Promise<void> {
  if (image.pending === undefined || image.changes.job !== undefined) return;
  await turn(image, (client, id) => client.clearEdits(id), words.image.changes.cleared);
}

type Client = Awaited<ReturnType<typeof engine.client>>;

/** Goes to another of the states that the image has been in. */
async function turn(
  image: OpenImage,
  work: (client: Client, id: number) => Promise<OpenedImage>,
  said: string,
): Promise<void> {
  if (image.opened === undefined) return;
  forgetOutcome(image.changes);
  try {
    show(image, await work(await engine.client(), image.opened.id));
    announcer.say(said);
    void images.check(image, true);
  } catch (error) {
    fail(image, error);
  }
}

/** The image as it is with other changes than before: what was found out of it is out of date. */
function show(image: OpenImage, opened: OpenedImage): void {
  image.opened = opened;
  image.plans = {};
  image.check = new CheckState();
  image.diagnose.job?.cancel();
  // The old one stays on the screen, and says that it is old.
  image.diagnose.outdated = image.diagnose.result !== undefined;
  image.changes.repair = new RepairState();
  image.changes.compare.job?.cancel();
  image.changes.compare = new CompareState();
  image.changes.freed.job?.cancel();
  image.changes.freed = new FreedState();
  guardChanges(images.list);
  void lookAtDisk(image);
}

/** Shows an image that a command has changed, with the check of it. */
export function showChanged(image: OpenImage, opened: OpenedImage, report: CheckReport): void {
  forgetOutcome(image.changes);
  show(image, opened);
  image.check.report = report;
}

/**
 * What a change would do.
 * @param running receives the work, to end it when nobody wants to know any more
 * @throws ImageError
 */
export async function foresee(
  image: OpenImage,
  edit: Edit,
  running: (job: RunningJob | undefined) => void = () => undefined,
): Promise<Foresight | undefined> {
  if (image.opened === undefined) return undefined;
  const request = { kind: 'foresee', image: image.opened.id, edit } as const;
  return jobs.run<'foresee'>(request, image.name, { quiet: true, running });
}

/** Plans a repair with these groups of steps. */
export async function planRepair(image: OpenImage, groups: readonly RepairGroup[]): Promise<void> {
  const state = image.changes.repair;
  if (image.opened === undefined || state.job !== undefined) return;
  state.groups = groups;
  state.problem = undefined;
  try {
    const request = { kind: 'foresee', image: image.opened.id, edit: repairEdit(groups) } as const;
    const { repair } = await jobs.run<'foresee'>(request, image.name, {
      running: (job) => (state.job = job),
    });
    state.plan = repair;
  } catch (error) {
    const problem = toProblem(error, image.name);
    if (problem.code !== 'cancelled') state.problem = problem;
  }
}

/** The change that a repair with these groups of steps is. */
export function repairEdit(groups: readonly RepairGroup[]): Edit {
  const classes: RepairClass[] = [];
  if (groups.includes('safe')) classes.push('safe');
  if (groups.includes('guess')) classes.push('guess');
  if (groups.includes('loses')) classes.push('loses-data');
  return { kind: 'repair', choice: { classes, dropsUnreadable: groups.includes('drops') } };
}

/** Asks for an undo file or a patch, and makes what it describes. Needs a click or key. */
export async function useChangeFile(image: OpenImage): Promise<void> {
  const [chosen] = await chooseFiles(false);
  if (chosen !== undefined) await makeEdit(image, { kind: 'patch', file: chosen.file });
}

/** Whether the file itself can be changed: a place on this computer, or in private storage. */
export function canChangeFile({ chosen, opened }: OpenImage): boolean {
  if ((opened?.inside.length ?? 0) > 0) return false;
  return chosen.stored !== undefined || chosen.handle !== undefined;
}

/** Saves all changes in the way that is chosen. Needs a click or key. */
export async function saveChanges(image: OpenImage): Promise<void> {
  const state = image.changes;
  if (image.opened === undefined || image.pending === undefined || state.job !== undefined) return;
  forgetOutcome(state);
  try {
    const way = await wayOf(image);
    if (way === undefined) return;
    await run(image, way);
  } catch (error) {
    fail(image, error);
  }
  await stored.load();
}

async function run(image: OpenImage, way: Way): Promise<void> {
  const state = image.changes;
  const { opened, pending } = image;
  if (opened === undefined) return;
  const inFile = way.kind === 'local' || way.kind === 'private';
  const note = inFile ? await interrupted.note(image.chosen) : undefined;
  let result: SaveResult;
  try {
    result = await jobs.run<'save'>({ kind: 'save', image: opened.id, way }, image.name, {
      running: (job) => (state.job = job),
      left: (left) => (state.left = left),
    });
  } catch (error) {
    // A dead engine leaves it open what became of the file: the note says so at the next start.
    if (toProblem(error).code === 'worker-died') note?.leave();
    else await note?.forget();
    throw error;
  }
  await note?.forget();
  state.saved = pending;
  const committed = takenOver(image);
  if (inFile) await images.readAgain(image);
  const now = image.changes;
  now.result = result;
  now.handle = state.handle;
  now.way = state.way;
  now.saved = pending;
  now.committed = committed;
  guardChanges(images.list);
}

/** Keys of the open images whose content the changes of this one hold. */
function takenOver({ pending }: OpenImage): number[] {
  const ids = (pending?.edits ?? []).map(({ edit }) => edit.kind === 'commit' && edit.from);
  return images.list.filter(({ opened }) => ids.includes(opened?.id ?? -1)).map(({ key }) => key);
}

/** What is needed for the chosen way; undefined when the person changed their mind. */
async function wayOf(image: OpenImage): Promise<Way | undefined> {
  const state = image.changes;
  const { chosen } = image;
  const name = state.name.trim();
  switch (state.way) {
    case 'patch':
      return { kind: 'patch' };
    case 'browser':
      // So that the browser does not clear it away when room gets short. Chromium does not ask.
      if (hasSavePicker()) void navigator.storage.persist();
      return { kind: 'copy', target: { kind: 'private', name }, verify: state.verify };
    case 'place': {
      const handle = await chooseTarget(name);
      if (handle === undefined) {
        state.refused = 'place';
        return undefined;
      }
      state.handle = handle;
      return { kind: 'copy', target: { kind: 'handle', handle }, verify: state.verify };
    }
    case 'file':
      return wayIntoFile(image, chosen, state.undo);
  }
}

async function wayIntoFile(
  image: OpenImage,
  { handle, stored: name }: Chosen,
  undo: boolean,
): Promise<Way | undefined> {
  if (name !== undefined) return { kind: 'private', name, undo };
  if (handle === undefined) return undefined;
  const mode = 'readwrite';
  const isGranted = (await handle.queryPermission({ mode })) === 'granted';
  if (!isGranted && (await handle.requestPermission({ mode })) !== 'granted') {
    image.changes.refused = 'permission';
    return undefined;
  }
  return { kind: 'local', handle, undo };
}

/** Takes back what was saved into the file, with its undo file. Needs a click or key. */
export async function takeBack(image: OpenImage): Promise<void> {
  const undo = image.changes.result?.undo;
  if (undo === undefined) return;
  const way = await wayIntoFile(image, image.chosen, false);
  if (way === undefined) return;
  const file = await stored.file(undo.name);
  if (!(await makeEdit(image, { kind: 'patch', file }))) return;
  try {
    await run(image, way);
    image.changes.takenBack = true;
  } catch (error) {
    fail(image, error);
  }
  await stored.load();
}

/** Whether all that a change needs is in what is kept of it: no passphrase, no other file. */
export function canRepeat({ edit }: MadeEdit): boolean {
  if (edit.kind === 'rebase') return edit.to === undefined;
  return !['commit', 'add-passphrase', 'command'].includes(edit.kind);
}

/** Makes the changes again that a dead engine has lost, up to the first that needs the person. */
export async function makeAgain(image: OpenImage): Promise<void> {
  const { lost } = image.changes;
  const until = lost.findIndex((made) => !canRepeat(made));
  const again = until < 0 ? lost : lost.slice(0, until);
  image.changes.lost = until < 0 ? [] : lost.slice(until);
  for (const { edit } of again) if (!(await makeEdit(image, edit))) return;
}

/** Gives all files of a patch out as downloads. */
export async function downloadAll({ files }: SaveResult): Promise<void> {
  for (const { name } of files) download(await stored.file(name), name);
}

/** Opens a copy that was saved, as an image of its own. */
export async function openCopy(image: OpenImage): Promise<void> {
  const { handle, result } = image.changes;
  if (result === undefined) return;
  const { name } = result;
  const chosen: Chosen =
    handle === undefined
      ? { file: await stored.file(name), handle: undefined, own: true, stored: name }
      : { file: await handle.getFile(), handle };
  await images.open([chosen]);
}

/** Puts the outcome of the last work out of sight. */
export function forgetOutcome(state: ChangesState): void {
  state.problem = undefined;
  state.cancelled = false;
  state.left = undefined;
  state.refused = undefined;
  state.result = undefined;
  state.handle = undefined;
  state.takenBack = false;
  state.committed = [];
}

function fail(image: OpenImage, error: unknown): void {
  const state = image.changes;
  const problem = toProblem(error, image.name);
  if (problem.code === 'cancelled') state.cancelled = true;
  else state.problem = problem;
  if (problem.code === 'file-changed') image.changed = true;
}
