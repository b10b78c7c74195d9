/** Tables of offsets and their bytes. */
import { encodeTable, entryHigh, entryLow } from '../../tables.ts';

export { entryHigh, entryLow };

/** Words in the machine's order as big-endian bytes. */
export function wordsToBytes(words: Uint32Array): Uint8Array<ArrayBuffer> {
  return encodeTable(words);
}

/** A table of offsets (bytes) and nothing else. */
export function offsetsToBytes(offsets: Float64Array): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(offsets.length * 2);
  for (const [index, offset] of offsets.entries()) {
    words[index * 2] = entryHigh(offset);
    words[index * 2 + 1] = entryLow(offset);
  }
  return wordsToBytes(words);
}
