/** Internal snapshots as disks of their own. */
import { ImageError } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';

/** Which snapshot is meant: by id, by name, by both, or by a word that may be either. */
export type SnapshotKey = { word: string } | { id?: string; name?: string };

/**
 * The disk as an internal snapshot keeps it; close the disk it came from, not this one. A word is
 * taken for an id first and then for a name, as qemu-img does.
 * @throws ImageError snapshot-missing, invalid-header (its L1 table cannot be had)
 */
export async function openSnapshot(disk: Disk, key: SnapshotKey): Promise<Disk> {
  const snapshots = disk instanceof Qcow2Image ? disk.snapshots : [];
  const found =
    'word' in key
      ? (snapshots.find(({ id }) => id === key.word) ??
        snapshots.find(({ name }) => name === key.word))
      : snapshots.find(
          ({ id, name }) =>
            (key.id === undefined || id === key.id) &&
            (key.name === undefined || name === key.name),
        );
  if (found === undefined || !(disk instanceof Qcow2Image)) {
    const text = 'word' in key ? key.word : (key.name ?? key.id ?? '');
    throw new ImageError('snapshot-missing', { key: text });
  }
  return disk.openSnapshot(found);
}
