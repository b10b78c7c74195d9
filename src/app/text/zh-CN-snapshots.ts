import type { SnapshotsText } from './en-snapshots.ts';

/** The same in Chinese. */
export const zhSnapshots: SnapshotsText = {
  title: '快照',
};
