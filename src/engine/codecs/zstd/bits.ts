/**
 * The backward bit streams of Zstandard (RFC 8878, 4.1): written forward, read from the end, where
 * a single 1 marks the first bit.
 *
 * A block is copied to a buffer that is kept, with a margin on both sides, before it is decoded: so
 * four bytes can be loaded at once wherever a stream leads, and a place in a stream is nothing but
 * the number of bits of the buffer that lie before it. What lies before a stream is read as well;
 * whoever reads has to see that the stream did not end behind its first bit.
 */

/** Thrown inside the decoder where a stream breaks the format; never leaves it. */
export class ZstdError extends Error {
  override readonly name = 'ZstdError';
}

/** Bytes of content, and of what it is packed to, of one block at most. */
export const BLOCK_LIMIT = 128 * 1024;
/** Bytes before and behind a block in {@link input}: more than one step of any stream takes. */
export const MARGIN = 16;

/** The block that is being decoded, from {@link MARGIN} on. */
export const input = new Uint8Array(MARGIN + BLOCK_LIMIT + MARGIN);
export const inputView = new DataView(input.buffer);

/**
 * Where the stream in `input[start..end)` begins to be read: the bits before that place.
 * @throws ZstdError when the last byte is zero: then there is no mark
 */
export function streamTop(start: number, end: number): number {
  const last = end > start ? (input[end - 1] as number) : 0;
  if (last === 0) throw new ZstdError('stream without an end mark');
  return end * 8 - (Math.clz32(last) - 24) - 1;
}

/** The `count` (0 to 24) bits from bit `from` of {@link input} on. */
export function bitsAt(from: number, count: number): number {
  return (inputView.getInt32(from >>> 3, true) >>> (from & 7)) & ((1 << count) - 1);
}
