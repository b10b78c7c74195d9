import { chooseTarget } from './files.ts';
import { images } from './images.svelte.ts';
import { jobs } from './jobs.svelte.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { toProblem } from './problem.ts';
import { stored } from './stored.svelte.ts';
import type { Target } from '../worker/api.ts';

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
    const { verify } = state;
    const request = { kind: 'convert', image: image.opened.id, target, verify } as const;
    state.result = await jobs.run<'convert'>(request, image.name, {
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
  if (image.convert.where === 'browser') return { kind: 'private', name };
  const handle = await chooseTarget(name);
  return handle === undefined ? undefined : { kind: 'handle', handle };
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
  else await images.open([{ file: await stored.file(result.name), handle: undefined, own: true }]);
}
