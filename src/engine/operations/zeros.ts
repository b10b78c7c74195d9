/** Finding zeros in memory. */

/** Whether all bytes are zero. */
export function isZero(bytes: Uint8Array): boolean {
  return firstNonZero(bytes, 0) === bytes.length;
}

/** Looked at one by one first: most data has something in its first bytes. */
const FIRST_BYTES = 16;

/** Index of the first byte at or behind `from` that is not zero; the length where all are. */
export function firstNonZero(bytes: Uint8Array, from: number): number {
  const { length } = bytes;
  let at = from;
  const skew = (8 - ((bytes.byteOffset + at) & 7)) & 7;
  const head = Math.min(length, at + FIRST_BYTES + skew);
  while (at < head && bytes[at] === 0) at += 1;
  if (at < head || at === length) return at;
  const words = (length - at) >>> 3;
  // 64 bits at a time; -0 is a number that equals 0, so its bits would be missed: words instead.
  const view = new Int32Array(bytes.buffer, bytes.byteOffset + at, words * 2);
  let word = 0;
  while (word < view.length && ((view[word] as number) | (view[word + 1] as number)) === 0)
    word += 2;
  at += word * 4;
  while (at < length && bytes[at] === 0) at += 1;
  return at;
}

/** A run within a buffer. */
export interface Run {
  start: number;
  end: number;
}

/**
 * The parts of `bytes` that hold something, at a grain of `block` bytes: whole blocks of zeros
 * between them are left out.
 * @param offset where `bytes` begins, so that blocks are those of the disk
 */
export function* nonZeroRuns(bytes: Uint8Array, offset: number, block: number): Generator<Run> {
  let at = firstNonZero(bytes, 0);
  while (at < bytes.length) {
    const start = Math.max(0, at - ((offset + at) % block));
    let end = blockEnd(offset, at, block, bytes.length);
    at = firstNonZero(bytes, end);
    while (at < bytes.length && at - ((offset + at) % block) <= end) {
      end = blockEnd(offset, at, block, bytes.length);
      at = firstNonZero(bytes, end);
    }
    yield { start, end };
  }
}

function blockEnd(offset: number, at: number, block: number, length: number): number {
  return Math.min(length, at - ((offset + at) % block) + block);
}
