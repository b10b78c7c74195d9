/** Tells files that several disks have in common, although each has opened them by itself. */
import { type Disk, Qcow2Image, type SameMedium, type Storage } from '../engine/index.ts';

const files = new WeakMap<Storage, File>();

/** Notes which file a storage reads. */
export function noteFile<Of extends Storage>(storage: Of, file: File): Of {
  files.set(storage, file);
  return storage;
}

/**
 * For the storages of these disks and of all that lies below them. Only what is one and the same file
 * counts: name, size, time and beginning may be alike in files that are not (images that were built
 * reproducibly), and what is taken for the same here is never read.
 */
export function sameMedia(...disks: readonly Disk[]): SameMedium {
  const media = new Map<Storage, File>();
  for (const storage of disks.flatMap(storagesOf)) {
    const file = files.get(storage);
    if (file !== undefined) media.set(storage, file);
  }
  return (a, b) => {
    const file = media.get(a);
    return a === b || (file !== undefined && file === media.get(b));
  };
}

function storagesOf(top: Disk): Storage[] {
  const storages: Storage[] = [];
  for (let disk: Disk | undefined = top; disk !== undefined; disk = disk.backing) {
    storages.push(disk.storage, ...(disk.files ?? []));
    if (disk instanceof Qcow2Image && disk.dataFile !== undefined) storages.push(disk.dataFile);
  }
  return storages;
}
