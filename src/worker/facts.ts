import type { EngineFacts } from './api.ts';

type StorageFacts = Omit<EngineFacts, 'version'>;

/** More than this does not fit where private storage is kept in memory, and fails silently. */
const PROBE_SIZE = 2 ** 31 + 4096;

async function probe(): Promise<StorageFacts> {
  const root = await navigator.storage.getDirectory();
  const name = `probe-${crypto.randomUUID()}`;
  const file = await root.getFileHandle(name, { create: true });
  try {
    const handle = await file.createSyncAccessHandle();
    try {
      return { privateStorage: 'move' in file, privateStorageInMemory: !holds(handle) };
    } finally {
      handle.close();
    }
  } finally {
    await root.removeEntry(name);
  }
}

/** Whether the file can be large. It takes no room: all of it is a hole. */
function holds(handle: FileSystemSyncAccessHandle): boolean {
  try {
    handle.truncate(PROBE_SIZE);
    return handle.getSize() === PROBE_SIZE;
  } catch {
    // Said aloud (a small disk), so it is no private window, where it is done in silence.
    return true;
  }
}

let known: Promise<StorageFacts> | undefined;

/** What private storage is here; looked at once, in some milliseconds. */
export function storageFacts(): Promise<StorageFacts> {
  known ??= probe().catch(() => ({ privateStorage: false, privateStorageInMemory: false }));
  return known;
}
