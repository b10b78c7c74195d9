/**
 * A change of a file that is there: everything is written to an overlay, looked at, and only then
 * put into the file as a whole, or dropped.
 */
import { alignDown } from '../binary/units.ts';
import { ImageError, isImageError, throwIfCancelled } from '../errors.ts';
import { differences } from './differences.ts';
import { discard, putIn, type JournalPlace } from './journal.ts';
import type { ScratchOpener } from './kept-bytes.ts';
import { MemoryStorage } from './memory.ts';
import { OverlayStorage, type Overlay } from './overlay.ts';
import { PatchFile, PatchWriter } from './patch-file.ts';
import { PIECE, RECORD_LIMIT, type PatchHeader, type PatchKind } from './patch-layout.ts';
import { readPadded, type Storage } from './storage.ts';

/** What the place of a file offers to a change of it. */
export interface ChangeOptions {
  /** Where the journal goes. Without one, a crash in the middle of applying is not made up for. */
  journal?: JournalPlace | undefined;
  /** Where changes go that are too many for memory. */
  scratch?: ScratchOpener | undefined;
  /** Bytes of changes that stay in memory; default 64 MiB. */
  budget?: number;
  /** Whether content of new clusters may be written to the file before the change is applied. */
  freshInPlace?: boolean;
}

export interface ApplyOptions {
  /** An empty storage that gets what undoes the change; complete before the file is touched. */
  undo?: Storage | undefined;
  /** Heard until the change has happened; from then on it is finished. */
  signal?: AbortSignal | undefined;
}

/** What was put into a file. */
export interface Applied {
  /** Bytes that were overwritten or added, content of new clusters left out. */
  readonly bytes: number;
  /** Runs of them. */
  readonly runs: number;
}

export class Change {
  /** The new state: what it is made from stays untouched until {@link apply}. */
  readonly storage: Overlay;
  readonly #journal: JournalPlace;

  /** @param base the file; whoever opened it closes it, after the overlay */
  constructor(base: Storage, options: ChangeOptions = {}) {
    this.storage = new OverlayStorage(base, options);
    this.#journal = options.journal ?? memoryJournal();
  }

  /**
   * Puts the new state into the file. Whenever it fails or the machine dies, the file is the old
   * one or becomes the new one at its next opening.
   * @throws ImageError and nothing has changed: file-changed, disk-full, open-failed, being-changed,
   * cancelled, what reading and writing throw; change-unfinished: it has happened, and the rest of
   * it is still in the journal
   */
  async apply({ undo, signal }: ApplyOptions = {}): Promise<Applied> {
    const { storage } = this;
    if (!storage.changed) {
      if (undo !== undefined) await this.#writeOnlyUndo(undo);
      return { bytes: 0, runs: 0 };
    }
    await storage.base.checkUnchanged?.();
    const journal = await this.#journal.create();
    let file: PatchFile | undefined;
    let applied: Applied;
    try {
      applied = await this.#prepare(journal, undo, signal);
      file = await PatchFile.open(journal);
      if (file === undefined)
        throw new ImageError('internal', { reason: 'the journal has no end' });
    } catch (error) {
      await discard(this.#journal, journal);
      throw error;
    }
    await this.#finish(journal, file);
    return applied;
  }

  /** Up to the moment at which the change has happened. */
  async #prepare(
    journal: Storage,
    undo: Storage | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Applied> {
    const { storage } = this;
    const { base } = storage;
    const writer = new PatchWriter(journal, headerOf(storage, 'journal', this.#journal.owner));
    await writer.begin();
    const undoing = undo && new PatchWriter(undo, undoHeader(storage));
    let bytes = 0;
    for await (const { offset, before, after } of differences(storage, signal)) {
      await writer.add(offset, before, after);
      await undoing?.add(offset, after, before);
      bytes += after.length;
    }
    if (undoing !== undefined) await addCutOff(storage, undoing);
    await undoing?.finish();
    await undo?.flush();
    await base.flush();
    await writer.flush();
    throwIfCancelled(signal);
    await base.checkUnchanged?.();
    await writer.finish();
    await journal.flush();
    return { bytes, runs: writer.records };
  }

  /** From that moment on. */
  async #finish(journal: Storage, file: PatchFile): Promise<void> {
    const { storage } = this;
    const { base } = storage;
    const { startSize } = file.header;
    let isOldIntact = true;
    try {
      await putIn(file, base, () => {
        isOldIntact = false;
      });
    } catch (error) {
      if (isOldIntact) {
        // As if it had never happened: nothing old was overwritten yet.
        await discard(this.#journal, journal);
        await base.resize(startSize).catch(() => undefined);
        throw error;
      }
      await journal.close();
      this.#journal.release?.();
      const reason = reasonOf(error);
      const details = { name: base.name, journal: this.#journal.name, reason };
      throw new ImageError('change-unfinished', details, { cause: error });
    }
    await discard(this.#journal, journal);
    await storage.settle();
  }

  async #writeOnlyUndo(undo: Storage): Promise<void> {
    await new PatchWriter(undo, undoHeader(this.storage)).finish();
    await undo.flush();
  }
}

function headerOf(
  { name, base, oldSize, size }: Overlay,
  kind: PatchKind,
  owner = '',
): PatchHeader {
  return { kind, name, owner, oldSize, startSize: base.size, newSize: size };
}

function undoHeader({ name, oldSize, size }: Overlay): PatchHeader {
  return { kind: 'undo', name, owner: '', oldSize: size, startSize: size, newSize: oldSize };
}

/** Adds the bytes that the change cuts off the end, so that undoing it brings them back. */
async function addCutOff({ base, oldSize, size }: Overlay, undo: PatchWriter): Promise<void> {
  for (let at = size; at < oldSize;) {
    const end = Math.min(oldSize, alignDown(at, PIECE) + RECORD_LIMIT);
    const bytes = await readPadded(base, at, end - at);
    if (bytes.some((byte) => byte !== 0)) await undo.add(at, new Uint8Array(bytes.length), bytes);
    at = end;
  }
}

/**
 * Writes the change as a patch for the file as it is elsewhere. `target` is empty; it is flushed,
 * not closed.
 * @throws ImageError internal when a part of the change is in the file already
 */
export async function writePatch(
  overlay: Overlay,
  target: Storage,
  signal?: AbortSignal,
): Promise<Applied> {
  if (overlay.wroteFresh) {
    throw new ImageError('internal', { reason: 'a part of the change is in the file already' });
  }
  const writer = new PatchWriter(target, headerOf(overlay, 'patch'));
  let bytes = 0;
  for await (const { offset, before, after } of differences(overlay, signal)) {
    await writer.add(offset, before, after);
    bytes += after.length;
  }
  await writer.finish();
  await target.flush();
  return { bytes, runs: writer.records };
}

function reasonOf(error: unknown): string {
  if (!isImageError(error)) return String(error);
  return 'reason' in error.details ? error.details.reason : error.code;
}

/** For files that no crash outlives. */
function memoryJournal(): JournalPlace {
  return {
    ...{ name: 'journal', owner: '' },
    find: () => Promise.resolve(undefined),
    create: () => Promise.resolve(new MemoryStorage({ name: 'journal' })),
    remove: () => Promise.resolve(),
  };
}
