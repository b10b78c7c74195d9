/** What only reading the guest's data tells. */
import type { CodecPool } from '../codecs/pool.ts';
import type { Disk } from '../formats/format.ts';
import type { RunOptions } from '../operations/operation.ts';
import type { DeepFacts } from './facts.ts';

export interface DeepOptions extends RunOptions {
  pool?: CodecPool | undefined;
}

/**
 * Reads all content of an image once, in bounded memory.
 * @throws ImageError cancelled and those of reading tables; content that cannot be read is a fact
 */
export function lookDeep(_disk: Disk, _options: DeepOptions): Promise<DeepFacts | undefined> {
  return Promise.resolve(undefined);
}
