/** The range coder of LZMA: bits by their probabilities, which change with what comes. */

/** Probabilities are of 11 bits, and begin in the middle. */
const ONE = 2048;
const HALF = 1024;
/** How fast they follow what comes. */
const MOVE = 5;
const TOP = 2 ** 24;

export class RangeDecoder {
  readonly probabilities: Uint16Array;
  #input: Uint8Array = new Uint8Array();
  #at = 0;
  /** Both are unsigned numbers of 32 bits. */
  #range = 0;
  #code = 0;

  /** @param count how many probabilities there are */
  constructor(count: number) {
    this.probabilities = new Uint16Array(count);
  }

  /** Forgets everything that it has seen. */
  reset(): void {
    this.probabilities.fill(HALF);
  }

  /** Begins with a chunk, which begins with a zero and four bytes; false where it does not. */
  begin(input: Uint8Array): boolean {
    this.#input = input;
    this.#at = 5;
    this.#range = 2 ** 32 - 1;
    const [zero, a = 0, b = 0, c = 0, d = 0] = input;
    this.#code = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    return zero === 0 && input.length >= 5;
  }

  /** More was taken than the chunk has; what came of it means nothing. */
  get isBehindEnd(): boolean {
    return this.#at > this.#input.length;
  }

  /** The chunk was used up, and its end is that of a chunk. */
  get isAtEnd(): boolean {
    return this.#at === this.#input.length && this.#code === 0;
  }

  /** The next bit, by the probability at `index`. */
  bit(index: number): number {
    const probability = this.probabilities[index] as number;
    const bound = Math.imul(this.#range >>> 11, probability) >>> 0;
    let bit = 0;
    if (this.#code < bound) {
      this.#range = bound;
      this.probabilities[index] = probability + ((ONE - probability) >>> MOVE);
    } else {
      this.#range -= bound;
      this.#code -= bound;
      this.probabilities[index] = probability - (probability >>> MOVE);
      bit = 1;
    }
    if (this.#range < TOP) {
      this.#range = (this.#range << 8) >>> 0;
      this.#code = ((this.#code << 8) | (this.#input[this.#at++] as number)) >>> 0;
    }
    return bit;
  }

  /** A number of `bits` bits, the highest first, by a tree of probabilities from `base` on. */
  tree(base: number, bits: number): number {
    let node = 1;
    for (let i = 0; i < bits; i++) node = (node << 1) | this.bit(base + node);
    return node - (1 << bits);
  }

  /** The same, the lowest bit first. */
  reverseTree(base: number, bits: number): number {
    let node = 1;
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.bit(base + node);
      node = (node << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  /** A number whose bits are as likely as not; unsigned. */
  direct(bits: number): number {
    let value = 0;
    for (let i = 0; i < bits; i++) {
      this.#range >>>= 1;
      const bit = this.#code >= this.#range ? 1 : 0;
      if (bit === 1) this.#code -= this.#range;
      value = (value << 1) | bit;
      if (this.#range < TOP) {
        this.#range = (this.#range << 8) >>> 0;
        this.#code = ((this.#code << 8) | (this.#input[this.#at++] as number)) >>> 0;
      }
    }
    return value >>> 0;
  }
}
