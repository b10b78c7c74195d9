import { StreamFault } from './stream-decoder.ts';

/**
 * Bits of a bzip2 stream, the highest of each byte first. Behind the end there are zeros, so that
 * the loops need no test for it; {@link assertInside} finds out.
 */
export class BitReader {
  readonly input: Uint8Array;
  /** The next byte to be read ahead. */
  at: number;
  /** What was read ahead: `count` bits, the next one highest. At most 31. */
  hold = 0;
  count = 0;

  constructor(input: Uint8Array, at = 0) {
    this.input = input;
    this.at = at;
  }

  /** The next `bits` (at most 24) bits, which stay. */
  peek(bits: number): number {
    while (this.count < bits) {
      const byte = this.at < this.input.length ? (this.input[this.at] as number) : 0;
      this.at++;
      this.hold = (this.hold << 8) | byte;
      this.count += 8;
    }
    return this.hold >>> (this.count - bits);
  }

  /** Takes bits that were looked at. */
  skip(bits: number): void {
    this.count -= bits;
    this.hold &= (1 << this.count) - 1;
  }

  /** Takes at most 24 bits. */
  take(bits: number): number {
    const value = this.peek(bits);
    this.skip(bits);
    return value;
  }

  /** Takes 32 bits, as an unsigned number. */
  take32(): number {
    const high = this.take(16);
    return ((high << 16) | this.take(16)) >>> 0;
  }

  /** The first byte of which no bit was taken. */
  get position(): number {
    return this.at - (this.count >>> 3);
  }

  /** @throws StreamFault short: more was taken than there is */
  assertInside(): void {
    if (this.position > this.input.length) throw new StreamFault('short', 'bits');
  }
}
