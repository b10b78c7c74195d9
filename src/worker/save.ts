/** The ways in which changes leave the overlay. Each leaves the old file or the new one. */
import {
  BlobStorage,
  type Change,
  compareDisks,
  convertToRaw,
  type Disk,
  ImageError,
  type JournalPlace,
  MemoryStorage,
  openImage,
  openPatch,
  type PatchFile,
  patchScripts,
  readPadded,
  type Storage,
  throwIfCancelled,
  writePatch,
} from '../engine/index.ts';
import type { PrivateFile, SaveRequest, SaveResult, Way } from './api.ts';
import { byTime } from './by-time.ts';
import type { Changes, ChangeSession } from './changes.ts';
import { codecPool } from './codec-pool.ts';
import { storageFacts } from './facts.ts';
import type { JobContext } from './job.ts';
import { currentFile, LocalFile } from './local-file.ts';
import { aloneWith, tellChanged } from './locks.ts';
import { openScratch, resultFile, UnfinishedFile } from './private-files.ts';
import { openPrivate, privateJournal } from './private-journal.ts';
import { openResult } from './results.ts';
import { RecordingStorage, WrittenDisk } from './written.ts';

type WayOf<Kind extends Way['kind']> = Extract<Way, { kind: Kind }>;
type Saved = Omit<SaveResult, 'way' | 'milliseconds'>;

/**
 * Saves all changes of an image that wait for it. After a change of the file itself they are
 * forgotten, and the image is to be opened anew; after the others they are still there.
 */
export function saveChanges(
  { image, way }: SaveRequest,
  changes: Changes,
  context: JobContext,
): Promise<SaveResult> {
  return changes.inTurn(image, async () => {
    const started = performance.now();
    const session = changes.pending(image);
    const saved = await save(session, way, context);
    if (way.kind === 'local' || way.kind === 'private') await changes.forget(image);
    return { ...saved, way: way.kind, milliseconds: performance.now() - started };
  });
}

async function save(session: ChangeSession, way: Way, context: JobContext): Promise<Saved> {
  switch (way.kind) {
    case 'copy':
      return saveCopy(session, way, context);
    case 'patch':
      return savePatch(session, context);
    case 'local':
    case 'private': {
      const { name } = session.file;
      const change = way.kind === 'local' ? changeLocal : changePrivate;
      const saved = await aloneWith(name, () => change(session, way as never, context));
      tellChanged(name);
      return saved;
    }
  }
}

/** All of the image as a new file, holes where it has nothing but zeros. */
async function saveCopy(
  session: ChangeSession,
  { target, verify }: WayOf<'copy'>,
  context: JobContext,
): Promise<Saved> {
  const { signal, progress } = context;
  const { top } = session;
  const result = await openResult(target, { files: [session.file], size: top.size }, context);
  try {
    const source = await openImage(top, { format: 'raw' });
    const written = new RecordingStorage(result.storage, source.size);
    const { copied } = await convertToRaw(source, written, { signal, progress });
    await result.storage.resize(top.size);
    throwIfCancelled(signal);
    await result.written();
    if (verify) {
      const copy = new WrittenDisk(await result.reader(), written.written);
      await compareCopy(source, copy, context);
    }
    await result.publish();
    const nothing = { undo: undefined, files: [], standAlone: false };
    return { ...nothing, name: result.name, size: top.size, bytes: copied, verified: verify };
  } catch (error) {
    context.leave(await result.discard());
    throwIfCancelled(signal);
    throw error;
  }
}

async function compareCopy(source: Disk, copy: Disk, context: JobContext): Promise<void> {
  const { name } = copy.storage;
  const { signal } = context;
  if (copy.storage.size !== source.storage.size) {
    throw new ImageError('verify-failed', { name, offset: copy.storage.size });
  }
  const { outcome } = await compareDisks(source, copy, {
    ...{ signal, pool: codecPool() },
    progress: (step) => context.progress({ ...step, stage: 'verifying' }),
  });
  if (outcome.kind === 'identical') return;
  if (outcome.kind === 'map-failed' || outcome.kind === 'read-failed') throw outcome.error;
  const offset = outcome.kind === 'strict-size' ? 0 : outcome.offset;
  throw new ImageError('verify-failed', { name, offset });
}

/** Into a local file: the browser copies it, and the changed copy takes its place. */
async function changeLocal(
  session: ChangeSession,
  { handle, undo }: WayOf<'local'>,
  context: JobContext,
): Promise<Saved> {
  const { file } = session;
  const { signal } = context;
  const opening = () => LocalFile.open(handle, file);
  const target = await byTime(opening, 'preparing', file.size, context);
  try {
    return await applyTo(session, target, { undo, journal: await scratchJournal() }, context, {
      finish: async () => {
        throwIfCancelled(signal);
        await target.checkUnchanged();
        await byTime(() => target.close(), 'finishing', target.size, context);
      },
      reader: async () => new BlobStorage(await currentFile(handle)),
    });
  } finally {
    await target.abort();
  }
}

/** Into a file of private storage, with a journal beside it. */
async function changePrivate(
  session: ChangeSession,
  { name, undo }: WayOf<'private'>,
  context: JobContext,
): Promise<Saved> {
  const now = await resultFile(name);
  const { size, lastModified } = session.file;
  if (now.size !== size || now.lastModified !== lastModified) {
    throw new ImageError('file-changed', { name });
  }
  const target = await openPrivate(name);
  try {
    return await applyTo(session, target, { undo, journal: privateJournal(name) }, context, {
      finish: () => Promise.resolve(),
      reader: () => Promise.resolve(target),
    });
  } finally {
    await target.close();
  }
}

/** How the change of a file ends, and how it is read afterwards. */
interface Ending {
  finish(): Promise<void>;
  reader(): Promise<Storage>;
}

async function applyTo(
  session: ChangeSession,
  target: Storage,
  { undo, journal }: { undo: boolean; journal: JournalPlace | undefined },
  context: JobContext,
  ending: Ending,
): Promise<Saved> {
  const { signal } = context;
  const { name } = session.file;
  const change = await session.flatten(target, { journal });
  const undoFile = undo ? await UnfinishedFile.create(undoName(name)) : undefined;
  const written = await scratch();
  let kept: PrivateFile | undefined;
  try {
    const { storage } = change;
    context.progress({ stage: 'writing', done: 0, total: 0 });
    const { size } = storage;
    await writePatch(storage, written, signal);
    const { bytes } = await applied(change, undoFile, signal);
    await ending.finish();
    kept = await undoFile?.publish();
    await verifyWritten(await openPatch(written, ['patch']), await ending.reader());
    return { name, size, bytes, verified: true, undo: kept, files: [], standAlone: false };
  } finally {
    if (kept === undefined) await undoFile?.discard().catch(() => undefined);
    await written.close();
    await change.storage.close();
  }
}

function applied(change: Change, undo: UnfinishedFile | undefined, signal: AbortSignal) {
  return change.apply({ undo: undo?.storage, signal });
}

/** @throws ImageError verify-failed */
async function verifyWritten(patch: PatchFile, storage: Storage): Promise<void> {
  const { name } = storage;
  for await (const record of patch.records()) {
    const current = await readPadded(storage, record.offset, record.length);
    record.compare(current, (offset) => {
      throw new ImageError('verify-failed', { name, offset });
    });
  }
}

/** The change for somebody else to make: for images that are too large to be copied for it. */
async function savePatch(session: ChangeSession, context: JobContext): Promise<Saved> {
  const { name } = session.file;
  const change = await session.flatten(session.base);
  const made: UnfinishedFile[] = [];
  try {
    const patchName = `${name}.patch`;
    const patch = await UnfinishedFile.create(patchName);
    made.push(patch);
    const { bytes } = await writePatch(change.storage, patch.storage, context.signal);
    const scripts = await patchScripts(patch.storage, session.base, name, context.signal);
    for (const script of [scripts.posix, scripts.powerShell]) {
      const file = await UnfinishedFile.create(script.name);
      made.push(file);
      await file.storage.write(0, new TextEncoder().encode(script.text));
    }
    const files: PrivateFile[] = [];
    for (const file of made) files.push(await file.publish());
    made.length = 0;
    const size = files[0]?.size ?? 0;
    const { standAlone } = scripts;
    const result = { name: patchName, size, bytes, files, standAlone };
    return { ...result, verified: false, undo: undefined };
  } finally {
    for (const file of made) await file.discard().catch(() => undefined);
    await change.storage.close();
  }
}

/** `disk.qcow2` is undone by `disk.qcow2.20261121-134501.undo`. */
function undoName(name: string): string {
  const [day, time] = new Date().toISOString().split('T');
  const digits = (text: string | undefined) => (text ?? '').replaceAll(/\D/g, '');
  return `${name}.${digits(day)}-${digits(time?.slice(0, 8))}.undo`;
}

async function scratch(): Promise<Storage> {
  const { privateStorage } = await storageFacts();
  return privateStorage ? openScratch() : new MemoryStorage({ name: 'scratch' });
}

/** For a file that is swapped as a whole: nothing of it has to outlive this thread. */
async function scratchJournal(): Promise<JournalPlace | undefined> {
  const { privateStorage } = await storageFacts();
  if (!privateStorage) return undefined;
  return {
    ...{ name: 'journal', owner: '' },
    find: () => Promise.resolve(undefined),
    create: openScratch,
    remove: () => Promise.resolve(),
  };
}
