/** Disks inside other files: the way through them, with the person where it has to be chosen. */
import type { OpenedImage } from '../worker/api.ts';
import type { EngineClient } from '../worker/client.ts';
import { engine } from './engine.svelte.ts';
import { jobs, type RunningJob } from './jobs.svelte.ts';
import { type OpenImage, WrappedState } from './open-image.svelte.ts';
import { toProblem } from './problem.ts';

const WRAPPERS = ['gzip', 'xz', 'zstd', 'bzip2', 'zip', 'tar', 'encrypted-zip'];

/**
 * Opens an image, or the disk that its file wraps; undefined where the person did not want any of
 * those, or stopped it.
 */
export async function openFile(
  client: EngineClient,
  image: OpenImage,
): Promise<OpenedImage | undefined> {
  const { file } = image.chosen;
  if (!image.wrapped.found) {
    try {
      return await client.open(file, image.raw ? { raw: true } : {});
    } catch (error) {
      const { code, details } = toProblem(error);
      const looksLike = 'looksLike' in details ? details.looksLike : 'unknown';
      if (code !== 'not-a-disk-image' || !WRAPPERS.includes(looksLike)) throw error;
    }
  }
  image.wrapped = new WrappedState();
  image.wrapped.found = true;
  return openInside(image);
}

async function openInside(image: OpenImage): Promise<OpenedImage | undefined> {
  const { file } = image.chosen;
  const state = image.wrapped;
  const running = (job: RunningJob | undefined): void => {
    state.job = job;
  };
  try {
    let choice: { session: number; entry: number } | undefined;
    for (;;) {
      const request = { kind: 'unwrap', file, raw: image.raw, choice } as const;
      const result = await jobs.run<'unwrap'>(request, image.name, { quiet: true, running });
      if (result.kind === 'opened') return result.opened;
      const { session } = result.choice;
      const entry = await new Promise<number | undefined>((resolve) => {
        state.choose = resolve;
        state.choice = result.choice;
      });
      state.choice = undefined;
      if (entry === undefined) {
        await (await engine.client()).leaveChoice(session);
        return undefined;
      }
      choice = { session, entry };
    }
  } catch (error) {
    if (toProblem(error).code === 'cancelled') return undefined;
    throw error;
  }
}

/** Lets go of a question that is still open. */
export function leaveWrapped(image: OpenImage): void {
  image.wrapped.choose(undefined);
  image.wrapped.job?.cancel();
}

/** Compares the files of the appliance with its manifest. */
export async function verifyManifest(image: OpenImage): Promise<void> {
  const state = image.wrapped;
  if (image.opened === undefined || state.job !== undefined) return;
  state.problem = undefined;
  try {
    const request = { kind: 'manifest', image: image.opened.id } as const;
    state.verdicts = await jobs.run<'manifest'>(request, image.name, {
      running: (job) => (state.job = job),
    });
  } catch (error) {
    const problem = toProblem(error, image.name);
    if (problem.code !== 'cancelled') state.problem = problem;
  }
}
