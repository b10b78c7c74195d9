/**
 * Buffers that serve again. Memory that was never touched costs about as much as reading into it:
 * the system clears each of its pages first.
 */

/** Smaller ones are not worth keeping. */
const LEAST = 256 * 1024;
/** Lengths of buffers are multiples of this, so that one serves reads of many lengths. */
const STEP = 256 * 1024;
/** Bytes that are kept at most. */
const MOST = 32 * 1024 * 1024;

const kept: ArrayBuffer[] = [];
let bytesKept = 0;

/** Memory for `length` bytes: with whatever was in it before, and maybe longer. */
export function takeBuffer(length: number): ArrayBuffer {
  if (length < LEAST) return new ArrayBuffer(length);
  for (let index = kept.length - 1; index >= 0; index--) {
    const buffer = kept[index];
    if (buffer === undefined || buffer.byteLength < length) continue;
    kept.splice(index, 1);
    bytesKept -= buffer.byteLength;
    return buffer;
  }
  return new ArrayBuffer(Math.ceil(length / STEP) * STEP);
}

/**
 * Keeps memory that nobody looks at any more. What was transferred meanwhile, is small, or is more
 * than is kept is left alone.
 */
export function giveBuffer(buffer: ArrayBuffer): void {
  const { byteLength } = buffer;
  if (byteLength < LEAST || bytesKept + byteLength > MOST || kept.includes(buffer)) return;
  kept.push(buffer);
  bytesKept += byteLength;
}
