/** English: snapshots and what they differ in. */
export const enSnapshots = {
  title: 'Snapshots',
};

export type SnapshotsText = typeof enSnapshots;
