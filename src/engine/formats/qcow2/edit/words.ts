/** Entries of tables as pairs of 32-bit words, high first, and their bytes. */
import { TWO_32 } from '../../../binary/units.ts';

/** The high half of a 64-bit entry that is an offset (bytes, below 2^53). */
export function entryHigh(offset: number): number {
  return Math.floor(offset / TWO_32);
}

/** The low half. */
export function entryLow(offset: number): number {
  return offset % TWO_32;
}

/** Words in the machine's order as big-endian bytes. */
export function wordsToBytes(words: Uint32Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < words.length; i++) view.setUint32(i * 4, words[i] as number);
  return bytes;
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
