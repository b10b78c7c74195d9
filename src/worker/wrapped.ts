/** Opens disks that are wrapped in other files. What has to be unpacked goes to private storage. */
import {
  BlobStorage,
  type Choice,
  ImageError,
  openWrapped,
  type Scratch,
  type Unwrapped,
  type Watch,
} from '../engine/index.ts';
import type { ManifestVerdict, OpenedImage, UnwrapRequest, UnwrapResult } from './api.ts';
import { storageFacts } from './facts.ts';
import type { JobContext } from './job.ts';
import { openScratch } from './private-files.ts';

/** Files of a wrapper that are told to the page. */
const MOST_TOLD = 1000;
/** Kept in memory (private windows), unpacked content may have as much as this. */
const MEMORY_LIMIT = 2 ** 30;
/** Part of the room that the browser gives; in the rest, results are made. */
const SHARE = 0.8;

/** A choice that the person has not made yet. */
interface Session {
  readonly choice: Choice;
  readonly watch: Watch;
}

const sessions = new Map<number, Session>();
let next = 1;

async function scratchFor(watch: Watch): Promise<Scratch> {
  const { privateStorageInMemory } = await storageFacts();
  const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
  const room = Math.max(0, quota - usage) * SHARE;
  const limit = privateStorageInMemory ? Math.min(room, MEMORY_LIMIT) : room;
  return { open: openScratch, limit, watch };
}

/** Opens the disk in a file, or says which files in it may be one. */
export async function unwrap(request: UnwrapRequest, context: JobContext): Promise<UnwrapResult> {
  const { signal, progress, images } = context;
  const { file, raw, choice } = request;
  const session = choice === undefined ? undefined : take(choice.session);
  const watch: Watch = session?.watch ?? {};
  watch.signal = signal;
  watch.progress = progress;
  try {
    const found =
      session === undefined
        ? await openWrapped(new BlobStorage(file), { scratch: await scratchFor(watch) })
        : await choose(session.choice, choice?.entry ?? 0);
    // Recognised by less than it takes to be one.
    if (found === undefined) return { kind: 'opened', opened: await images.open(file, { raw }) };
    if (found.kind === 'choice') return ask(found, watch);
    return { kind: 'opened', opened: await openDisk(found, request, context) };
  } finally {
    // From now on, it is read by jobs of which each has its own way to be stopped.
    watch.signal = undefined;
    watch.progress = undefined;
  }
}

function take(id: number): Session {
  const session = sessions.get(id);
  if (session === undefined) throw new ImageError('internal', { reason: 'no such choice' });
  sessions.delete(id);
  return session;
}

async function choose(choice: Choice, index: number): Promise<Unwrapped | Choice> {
  try {
    const entry = choice.entries[index];
    if (entry === undefined) throw new ImageError('internal', { reason: 'no such file' });
    return await choice.choose(entry);
  } catch (error) {
    await choice.close();
    throw error;
  }
}

function ask(choice: Choice, watch: Watch): UnwrapResult {
  const session = next++;
  sessions.set(session, { choice, watch });
  const { container, name, entries } = choice;
  const told = entries.slice(0, MOST_TOLD).map((entry) => {
    const { size, isLikelyDisk, refusal } = entry;
    return { name: entry.name, size, isLikelyDisk, refusal };
  });
  const cut = entries.length > told.length;
  return { kind: 'choice', choice: { session, container, name, entries: told, cut } };
}

async function openDisk(
  found: Unwrapped,
  { file, raw }: UnwrapRequest,
  { images }: JobContext,
): Promise<OpenedImage> {
  try {
    return await images.openInside(file, raw, found);
  } catch (error) {
    await found.close();
    throw error;
  }
}

/** Removes what was unpacked for a choice. */
export async function leaveChoice(id: number): Promise<void> {
  const session = sessions.get(id);
  sessions.delete(id);
  await session?.choice.close();
}

/** Compares the files of an image's appliance with its list of digests. */
export async function verifyAppliance(
  image: number,
  { images, signal, progress }: JobContext,
): Promise<ManifestVerdict[]> {
  const appliance = images.appliance(image);
  if (appliance === undefined) throw new ImageError('internal', { reason: 'no appliance' });
  return appliance.verify(await scratchFor({ signal, progress }));
}
