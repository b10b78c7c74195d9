/**
 * The backward bit streams of Zstandard (RFC 8878, 4.1): written forward, read from the end, where
 * a single 1 marks the first bit.
 */

/** Thrown inside the decoder where a stream breaks the format; never leaves it. */
export class ZstdError extends Error {
  override readonly name = 'ZstdError';
}

/** Four bytes at `at`; those behind the end of the buffer count as zeros. */
export function littleEndian(view: DataView, at: number): number {
  if (at + 4 <= view.byteLength) return view.getUint32(at, true);
  let word = 0;
  for (let i = view.byteLength - 1; i >= at; i--) word = (word << 8) | view.getUint8(i);
  return word;
}

/** Reads a stream from its last bit to its first. Bits before the first read as zeros. */
export class BackwardBits {
  readonly #view: DataView;
  readonly #start: number;
  /** Bits left; negative once more was read than there was. */
  left: number;

  /** @throws ZstdError when the last byte is zero: then there is no mark */
  constructor(bytes: Uint8Array, start: number, end: number) {
    const last = end > start ? (bytes[end - 1] as number) : 0;
    if (last === 0) throw new ZstdError('stream without an end mark');
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#start = start;
    this.left = (end - start) * 8 - (Math.clz32(last) - 24) - 1;
  }

  /** The next `count` (0 to 24) bits, without taking them. */
  peek(count: number): number {
    const from = this.left - count;
    if (from < 0) return this.#peekShort(count);
    const word = littleEndian(this.#view, this.#start + (from >>> 3));
    return (word >>> (from & 7)) & ((1 << count) - 1);
  }

  /** Takes `count` (0 to 24) bits. */
  read(count: number): number {
    const value = this.peek(count);
    this.left -= count;
    return value;
  }

  /** As {@link read} for up to 32 bits. */
  readLong(count: number): number {
    if (count <= 24) return this.read(count);
    const high = this.read(count - 16);
    return high * 65536 + this.read(16);
  }

  #peekShort(count: number): number {
    if (this.left <= 0) return 0;
    const there = this.left;
    const before = this.left;
    const value = this.peek(there);
    this.left = before;
    return (value << (count - there)) & ((1 << count) - 1);
  }
}
