/** A run of bytes. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** A set of byte ranges, kept sorted and merged. */
export class RangeSet {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  /** How many separate ranges there are. */
  get count(): number {
    return this.#starts.length;
  }

  /** Bytes in all of them. */
  get bytes(): number {
    return this.#ends.reduce((sum, end, index) => sum + end - (this.#starts[index] ?? 0), 0);
  }

  /** Adds a range; what it touches or overlaps becomes one with it. */
  add(offset: number, length: number): void {
    if (length <= 0) return;
    const first = this.#firstEndingFrom(offset);
    let last = first;
    let start = offset;
    let end = offset + length;
    for (; last < this.#starts.length; last++) {
      const lastStart = this.#starts[last] ?? 0;
      if (lastStart > end) break;
      start = Math.min(start, lastStart);
      end = Math.max(end, this.#ends[last] ?? 0);
    }
    this.#starts.splice(first, last - first, start);
    this.#ends.splice(first, last - first, end);
  }

  /** Removes everything from `size` on. */
  cut(size: number): void {
    const first = this.#firstEndingFrom(size);
    if (first === this.#starts.length) return;
    const start = this.#starts[first] ?? 0;
    const kept = start < size ? first + 1 : first;
    this.#starts.length = kept;
    this.#ends.length = kept;
    if (kept > first) this.#ends[first] = Math.min(size, this.#ends[first] ?? 0);
  }

  /** The parts of the set that lie within `offset ... offset + length`, in order. */
  within(offset: number, length: number): ByteRange[] {
    const end = offset + length;
    const parts: ByteRange[] = [];
    for (let index = this.#firstEndingFrom(offset); index < this.#starts.length; index++) {
      const from = Math.max(offset, this.#starts[index] ?? 0);
      const to = Math.min(end, this.#ends[index] ?? 0);
      if (from >= end) break;
      if (to > from) parts.push({ offset: from, length: to - from });
    }
    return parts;
  }

  /** What lies between `offset` and `end` and is not in the set, in order. */
  gaps(offset: number, end: number): ByteRange[] {
    const gaps: ByteRange[] = [];
    let from = offset;
    for (const part of this.within(offset, Math.max(0, end - offset))) {
      if (part.offset > from) gaps.push({ offset: from, length: part.offset - from });
      from = part.offset + part.length;
    }
    if (end > from) gaps.push({ offset: from, length: end - from });
    return gaps;
  }

  /** Index of the first range whose end is at or behind `offset`. */
  #firstEndingFrom(offset: number): number {
    let low = 0;
    let high = this.#ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ends[middle] ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
