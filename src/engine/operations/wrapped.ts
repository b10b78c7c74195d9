/** Files in which others are wrapped: recognising them is small, what opens them is loaded then. */
import { containerOf } from '../containers/container-of.ts';
import type { Storage } from '../storage/storage.ts';
import type { ContainerKind } from '../errors.ts';
import type { Choice, Unwrapped, UnwrapOptions } from './unwrap.ts';

/** What kind of wrapper a file is; undefined: none. */
export function wrapperOf(storage: Storage): Promise<ContainerKind | undefined> {
  return containerOf(storage);
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
