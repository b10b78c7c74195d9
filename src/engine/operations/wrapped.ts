/** Files in which others are wrapped: recognising them is small, what opens them is loaded then. */
import { detectContainer } from '../containers/detect.ts';
import { readFront } from '../storage/partial.ts';
import type { Storage } from '../storage/storage.ts';
import type { ContainerKind } from '../errors.ts';
import type { Choice, Unwrapped, UnwrapOptions } from './unwrap.ts';

/** What is looked at, bytes. */
const FIRST = 1024;

/** What kind of wrapper a file is, by its first bytes; undefined: none. */
export async function wrapperOf(storage: Storage): Promise<ContainerKind | undefined> {
  const { bytes } = await readFront(storage, FIRST);
  return detectContainer(bytes, storage.size);
}

/**
 * Opens the disk in a file; undefined where the file wraps nothing.
 * @throws ImageError container-invalid, cancelled, those of reading and writing
 */
export async function openWrapped(
  storage: Storage,
  options: UnwrapOptions,
): Promise<Unwrapped | Choice | undefined> {
  if ((await wrapperOf(storage)) === undefined) return undefined;
  const { unwrap } = await import('./unwrap.ts');
  return unwrap(storage, options);
}
