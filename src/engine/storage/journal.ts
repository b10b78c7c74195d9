/**
 * The journal: what makes a change of a file happen as a whole or not at all, whatever dies when.
 *
 * 1. The new bytes of everything that changes, with checksums of the old ones, are written to a file
 *    beside it and flushed; so is content of new clusters, which is in the file already.
 * 2. The end is written behind them and flushed: from here on the change has happened.
 * 3. The new bytes are written into the file, which is flushed, and the journal is removed.
 *
 * A journal that is found later without an end belongs to a change that has not happened: it is
 * removed. With an end, step 3 is done again, as often as it takes, after making sure that every
 * piece of the file holds the old bytes or the new ones. The layout is in patch-layout.ts.
 */
import { ImageError, isImageError } from '../errors.ts';
import { PatchFile, type PatchRecord } from './patch-file.ts';
import { HEADER_BYTES, hasPatchMagic, parsePatchHeader } from './patch-layout.ts';
import { readPadded, type Storage } from './storage.ts';

/** Where the journal of a file is kept. */
export interface JournalPlace {
  /** What the journal is called in messages. */
  readonly name: string;
  /** Who this is, in words that {@link isAlive} understands; at most 180 bytes. */
  readonly owner: string;
  /** Opens what is there, for writing; undefined when nothing is. */
  find(): Promise<Storage | undefined>;
  /**
   * Makes an empty one. Its name is on the medium for good once it is flushed.
   * @throws ImageError open-failed; being-changed when there is one already
   */
  create(): Promise<Storage>;
  /** Removes it, for good. It is closed. */
  remove(): Promise<void>;
  /** It stays, with something to finish; this process is done with it. It is closed. */
  release?(): void;
  /** Whether an owner is still at work; without it, none is. */
  isAlive?(owner: string): boolean | Promise<boolean>;
}

/**
 * What was found and done.
 * - `none`: no journal.
 * - `dropped`: the change had not happened; the file is the old one.
 * - `finished`: the change had happened and is in the file now.
 */
export type Recovery =
  | { readonly outcome: 'none' }
  | { readonly outcome: 'dropped'; readonly journal: string }
  | {
      readonly outcome: 'finished';
      readonly journal: string;
      /** Runs of the file in the journal. */
      readonly runs: number;
    };

/** How a journal that is found looks. */
type Found = 'foreign' | 'unfinished' | PatchFile;

/**
 * Finishes or drops a change that was interrupted.
 * @param openTarget opens the file for writing; asked only where there is something to finish
 * @throws ImageError being-changed when its owner is at work; journal-foreign when it belongs to
 * another file or the file has changed since; patch-invalid when it is damaged. Nothing is touched
 * then.
 */
export async function recover(
  place: JournalPlace,
  openTarget: () => Promise<Storage>,
): Promise<Recovery> {
  const storage = await place.find();
  if (storage === undefined) return { outcome: 'none' };
  try {
    const found = await inspectJournal(place, storage);
    if (found === 'foreign') return { outcome: 'none' };
    if (found === 'unfinished') {
      await discard(place, storage);
      return { outcome: 'dropped', journal: place.name };
    }
    const target = await openTarget();
    try {
      await verify(found, target);
      await putIn(found, target);
    } finally {
      await target.close();
    }
    await discard(place, storage);
    return { outcome: 'finished', journal: place.name, runs: found.count };
  } finally {
    await storage.close();
  }
}

/**
 * Removes the journal of a file whose content is given up, whatever is in it.
 * @throws ImageError being-changed when its owner is at work
 */
export async function forgetJournal(place: JournalPlace): Promise<void> {
  const storage = await place.find();
  if (storage === undefined) return;
  try {
    let found: Found;
    try {
      found = await inspectJournal(place, storage);
    } catch (error) {
      if (!isImageError(error, 'patch-invalid')) throw error;
      found = 'unfinished';
    }
    if (found !== 'foreign') await discard(place, storage);
  } finally {
    await storage.close();
  }
}

/** Looks at a journal without touching it. @throws ImageError being-changed, patch-invalid */
async function inspectJournal(place: JournalPlace, storage: Storage): Promise<Found> {
  const head = await readPadded(storage, 0, HEADER_BYTES);
  const isBlank = head.every((byte) => byte === 0);
  if (!isBlank && !hasPatchMagic(head.subarray(0, storage.size))) return 'foreign';
  const header = parsePatchHeader(head, place.name);
  if (header !== undefined && header.kind !== 'journal') return 'foreign';
  if (header !== undefined && (await place.isAlive?.(header.owner)) === true) {
    throw new ImageError('being-changed', { name: header.name });
  }
  const file = await PatchFile.open(storage);
  return file ?? 'unfinished';
}

/**
 * Makes sure that the file is in the state before, after or in the middle of the change.
 * @throws ImageError journal-foreign, patch-invalid
 */
async function verify(journal: PatchFile, target: Storage): Promise<void> {
  const { startSize, newSize } = journal.header;
  const foreign = (offset: number) =>
    new ImageError('journal-foreign', { name: target.name, journal: journal.name, offset });
  const { size } = target;
  if (size < Math.min(startSize, newSize) || size > Math.max(startSize, newSize)) {
    throw foreign(size);
  }
  for await (const record of journal.records()) {
    const current = await readPadded(target, record.offset, record.length);
    record.compare(current, (offset, isExpected) => {
      if (!isExpected) throw foreign(offset);
    });
  }
}

/**
 * Puts a journal into the file and flushes it. Doing it again does no harm. What lies behind the
 * old end comes first: should there be no room for it, the old bytes are still all there.
 * @param onOverwrite called before the first old byte is overwritten
 */
export async function putIn(
  journal: PatchFile,
  target: Storage,
  onOverwrite: () => void = () => undefined,
): Promise<void> {
  const { startSize, newSize } = journal.header;
  if (newSize > target.size) await target.resize(newSize);
  const isBehind = ({ offset }: PatchRecord) => offset >= startSize;
  for await (const record of journal.records()) {
    if (isBehind(record)) await target.write(record.offset, record.content);
  }
  if (newSize > startSize) await target.flush();
  onOverwrite();
  for await (const record of journal.records()) {
    if (!isBehind(record)) await target.write(record.offset, record.content);
  }
  await target.flush();
  if (newSize >= target.size) return;
  await target.resize(newSize);
  await target.flush();
}

/** Makes sure that a journal is never put in (again), and removes it. Closes it. */
export async function discard(place: JournalPlace, storage: Storage): Promise<void> {
  try {
    await storage.resize(0);
    await storage.flush();
  } catch (error) {
    if (!isImageError(error)) throw error;
    // Removing it is what counts.
  }
  await storage.close();
  await place.remove();
}
