/** Which container a file is, by its beginning and its end. */
import type { ContainerKind } from '../errors.ts';
import { readFront } from '../storage/partial.ts';
import { readPadded, type Storage } from '../storage/storage.ts';
import { detectContainer } from './detect.ts';

/** What is looked at, bytes. */
const FIRST = 1024;
const TRAILER = 512;
const KOLY = [0x6b, 0x6f, 0x6c, 0x79];

/** undefined: none. @throws ImageError those of reading */
export async function containerOf(storage: Storage): Promise<ContainerKind | undefined> {
  const { bytes, error } = await readFront(storage, FIRST);
  if (bytes.length === 0 && error !== undefined) throw error;
  const kind = detectContainer(bytes, storage.size);
  if (kind !== 'xz' && kind !== 'bzip2') return kind;
  // Apple's disk images begin with their first chunk, which may be packed like a file of its own.
  if (storage.size < TRAILER) return kind;
  const last = await readPadded(storage, storage.size - TRAILER, KOLY.length);
  return KOLY.every((byte, index) => last[index] === byte) ? undefined : kind;
}
