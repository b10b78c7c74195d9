/** Packed bytes that came in pieces and are not all used yet. */
export class PackedInput {
  #buffer = new Uint8Array(2 ** 16);
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** What is there; valid until more is added. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** Takes a copy. */
  add(more: Uint8Array): void {
    const { bytes, length } = this;
    if (this.#end + more.length > this.#buffer.length) {
      const needed = length + more.length;
      const roomy = needed > this.#buffer.length / 2;
      const buffer = roomy ? new Uint8Array(needed * 2) : this.#buffer;
      buffer.set(bytes);
      this.#buffer = buffer;
      this.#start = 0;
      this.#end = length;
    }
    this.#buffer.set(more, this.#end);
    this.#end += more.length;
  }

  /** Lets go of the first `count` bytes. */
  drop(count: number): void {
    this.#start += count;
  }
}
