/** Bits in little-endian order, least significant first. RFC 8878, 4.1 and 4.2. */
export class BitWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #end = 0;
  #held = 0;
  #count = 0;

  /** @param size bytes that will do; it grows where they do not */
  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
  }

  /** Adds the low `count` bits (at most 24) of `value`, whose other bits are zeros. */
  add(value: number, count: number): void {
    this.#held |= value << this.#count;
    this.#count += count;
    while (this.#count >= 8) {
      if (this.#end === this.#bytes.length) this.#grow();
      this.#bytes[this.#end++] = this.#held & 255;
      this.#held >>>= 8;
      this.#count -= 8;
    }
  }

  /** Fills the last byte with zeros and returns all. */
  finish(): Uint8Array<ArrayBuffer> {
    if (this.#count > 0) this.add(0, 8 - this.#count);
    return this.#bytes.subarray(0, this.#end);
  }

  /** The same for a stream that is read from its end: a one says where that is. */
  finishBackward(): Uint8Array<ArrayBuffer> {
    this.add(1, 1);
    return this.finish();
  }

  #grow(): void {
    const larger = new Uint8Array(this.#bytes.length * 2 + 16);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}
