/** Diagnosing an image, and remembering what is below it. */
import type { DiagnosisFinding, ImageInfo } from '../worker/api.ts';
import type { DiagnoseState } from './diagnose-state.svelte.ts';
import { checkSeconds } from './forecast.ts';
import { forget, keep, recall } from './guard.ts';
import { jobs } from './jobs.svelte.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { toProblem } from './problem.ts';

/** A diagnosis that likely takes less than this begins by itself when its panel is opened. */
const BY_ITSELF_SECONDS = 10;

/** Bytes a second that a deep look gets through, roughly: reading, unpacking, searching. */
const DEEP = 150e6;

/** Whether it may begin without being asked for. */
export function isCheap(info: ImageInfo): boolean {
  // It walks over the tables twice.
  return 2 * (checkSeconds(info) ?? 0) < BY_ITSELF_SECONDS;
}

/** Seconds that a deep look will about take. */
export function deepSeconds(info: ImageInfo): number {
  return 1 + (info.allocatedSize ?? info.fileSize) / DEEP;
}

/** Diagnoses an image; `quiet` when the app does it by itself. */
export async function diagnose(
  image: OpenImage,
  { deep = false, quiet = false } = {},
): Promise<void> {
  const { diagnose: state, opened } = image;
  if (opened === undefined || state.job !== undefined) return;
  state.problem = undefined;
  state.cancelled = false;
  try {
    const guard = await recall(image);
    state.remembered = guard;
    const request = { kind: 'diagnose', image: opened.id, deep, guard } as const;
    state.result = await jobs.run<'diagnose'>(request, image.name, {
      quiet,
      running: (job) => (state.job = job),
    });
    state.outdated = false;
  } catch (error) {
    const problem = toProblem(error, image.name);
    if (problem.code === 'cancelled') state.cancelled = true;
    else state.problem = problem;
    if (problem.code === 'file-changed') image.changed = true;
  }
}

/** Remembers what the image below is like now, and diagnoses anew with that. */
export async function rememberBase(image: OpenImage): Promise<void> {
  const { diagnose: state, opened } = image;
  if (opened === undefined || state.remembering) return;
  state.remembering = true;
  state.problem = undefined;
  try {
    const request = { kind: 'fingerprint', image: opened.id } as const;
    const { fingerprint } = await jobs.run<'fingerprint'>(request, image.name, { quiet: true });
    if (fingerprint !== undefined) await keep(image, fingerprint);
    await diagnose(image, { quiet: true });
  } catch (error) {
    state.problem = toProblem(error, image.name);
  } finally {
    state.remembering = false;
  }
}

export async function forgetBase(image: OpenImage): Promise<void> {
  await forget(image);
  await diagnose(image, { quiet: true });
}

/** The findings of the chosen area, in their order. */
export function shownFindings(
  findings: readonly DiagnosisFinding[],
  area: DiagnoseState['area'],
): DiagnosisFinding[] {
  return findings.filter((finding) => area === 'all' || finding.area === area);
}
