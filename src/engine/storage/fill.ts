/** Taking room on a medium: no storage here can reserve it otherwise than by writing. */
import { throwIfCancelled } from '../errors.ts';
import { writeFresh, type Storage } from './storage.ts';

/** Written at once, bytes. */
const CHUNK = 4 * 1024 * 1024;

/**
 * Writes zeros to a part of a file that nothing uses yet.
 * @throws ImageError disk-full, write-failed, cancelled
 */
export async function fillWithZeros(
  storage: Storage,
  offset: number,
  length: number,
  signal?: AbortSignal,
): Promise<void> {
  const zeros = new Uint8Array(Math.min(CHUNK, length));
  for (let done = 0; done < length; done += CHUNK) {
    throwIfCancelled(signal);
    const count = Math.min(CHUNK, length - done);
    await writeFresh(storage, offset + done, zeros.subarray(0, count));
  }
}
