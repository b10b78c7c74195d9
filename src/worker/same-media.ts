/** Tells files that several disks have in common, although each has opened them by itself. */
import { type Disk, Qcow2Image, type SameMedium, type Storage } from '../engine/index.ts';
import { isSameFile } from './same-file.ts';

const files = new WeakMap<Storage, File>();

/** Notes which file a storage reads. */
export function noteFile<Of extends Storage>(storage: Of, file: File): Of {
  files.set(storage, file);
  return storage;
}

/** For the storages of these disks and of all that lies below them. */
export async function sameMedia(...disks: readonly Disk[]): Promise<SameMedium> {
  const media = new Map<Storage, File>();
  for (const storage of disks.flatMap(storagesOf)) {
    const file = files.get(storage);
    if (file === undefined || media.has(storage)) continue;
    media.set(storage, (await findSame([...media.values()], file)) ?? file);
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

async function findSame(known: readonly File[], file: File): Promise<File | undefined> {
  for (const one of known) if (await isSameFile(one, file)) return one;
  return undefined;
}
