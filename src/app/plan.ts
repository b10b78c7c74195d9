import type { ConvertPlan, SnapshotChoice } from '../worker/api.ts';
import { checkSeconds } from './forecast.ts';
import { jobs } from './jobs.svelte.ts';
import { type OpenImage, planKey } from './open-image.svelte.ts';

/** What takes longer is looked at on request only, seconds. */
const BY_ITSELF_SECONDS = 1;

/** Looks how a disk divides into data, zeros and unknown, where that is quickly done. */
export async function lookAtDisk(image: OpenImage, snapshot?: SnapshotChoice): Promise<void> {
  const seconds = image.info === undefined ? undefined : checkSeconds(image.info);
  const disks = image.chain.filter(({ kind }) => kind === 'image' || kind === 'backing').length;
  if (seconds === undefined || seconds * disks > BY_ITSELF_SECONDS) return;
  await planDisk(image, snapshot);
}

/** The same, however long it takes. What cannot be looked at is not known afterwards either. */
export async function planDisk(image: OpenImage, snapshot?: SnapshotChoice): Promise<void> {
  const { opened } = image;
  const key = planKey(snapshot);
  if (opened === undefined || image.plans[key] !== undefined) return;
  let plan: ConvertPlan;
  try {
    const request = { kind: 'plan', image: opened.id, snapshot } as const;
    plan = await jobs.run<'plan'>(request, image.name, { quiet: true });
  } catch {
    return;
  }
  // With another file in its chain by now, it divides otherwise.
  if (image.opened === opened) image.plans = { ...image.plans, [key]: plan };
}
