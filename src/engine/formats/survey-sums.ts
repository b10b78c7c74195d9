/** Sums of a survey that begin at nothing. */
import type { SpaceAccount } from './survey.ts';

/** Of an empty file. To be copied, with its metadata. */
export const NO_SPACE: Readonly<SpaceAccount> = {
  fileSize: 0,
  active: 0,
  compressed: 0,
  shared: 0,
  snapshotOnly: 0,
  vmState: 0,
  zeroHeld: 0,
  metadata: {
    header: 0,
    l1: 0,
    l2: 0,
    refcounts: 0,
    snapshots: 0,
    bitmaps: 0,
    crypto: 0,
    other: 0,
  },
  leaked: 0,
  free: 0,
  tail: 0,
  damaged: 0,
  unknown: 0,
};
