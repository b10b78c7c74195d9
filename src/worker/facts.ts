import type { EngineFacts } from './api.ts';

type StorageFacts = Omit<EngineFacts, 'version'>;

/** More than this does not fit where private storage is kept in memory, and fails silently. */
const PROBE_SIZE = 2 ** 31 + 4096;

/** How the names of files that are only made to look begin. */
const PROBE = 'probe-';

async function probe(): Promise<StorageFacts> {
  const root = await navigator.storage.getDirectory();
  const name = `${PROBE}${crypto.randomUUID()}`;
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

/** Probes of younger age may be in use. Milliseconds. */
const STALE = 60_000;

/** Removes what a worker that died in the middle of its look has left. */
export async function removeStaleProbes(): Promise<void> {
  const root = await navigator.storage.getDirectory();
  for await (const [name, handle] of root.entries()) {
    if (!name.startsWith(PROBE) || handle.kind !== 'file') continue;
    const { lastModified } = await handle.getFile();
    if (Date.now() - lastModified > STALE) await root.removeEntry(name);
  }
}

let known: Promise<StorageFacts> | undefined;

/** What private storage is here; looked at once, in some milliseconds. */
export function storageFacts(): Promise<StorageFacts> {
  known ??= probe().catch(() => ({ privateStorage: false, privateStorageInMemory: false }));
  return known;
}
