import { MemoryStorage } from '../../src/engine/index.ts';

/** A file in memory; a promise, as gates are asked for one. */
export function memory(content: Uint8Array, name = 'image'): Promise<MemoryStorage> {
  return Promise.resolve(new MemoryStorage({ content, name }));
}
