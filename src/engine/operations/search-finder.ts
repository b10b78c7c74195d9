/** Finding patterns in bytes that come piece by piece. */
import type { Match, Patterns } from './search-patterns.ts';

const NONE = new Uint8Array();
/** Zeros that are looked at one by one, at the ends of a run of them; longer than any pattern. */
const ZEROS = new Uint8Array(64 * 1024);

/** Takes bytes in pieces, as they come, and finds what lies across their borders, too. */
export class Finder {
  readonly matches: Match[] = [];
  /** Behind the last match: nothing may begin before. */
  free: number;
  readonly #patterns: Patterns;
  readonly #most: number;
  /** The last bytes, in which something may begin that ends in what comes next. */
  #rest: Uint8Array = NONE;
  /** Where what comes next begins, if nothing is missing between. */
  #next = 0;

  constructor(patterns: Patterns, from: number, most: number) {
    this.#patterns = patterns;
    this.free = from;
    this.#most = most;
  }

  get isFull(): boolean {
    return this.matches.length >= this.#most;
  }

  /** @param offset of the bytes; where it is not where the last ones ended, something is missing */
  feed(offset: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (offset !== this.#next) this.flush();
    const behind = this.#patterns.longest - 1;
    const start = offset - this.#rest.length;
    this.#next = offset + bytes.length;
    if (this.#rest.length > 0) {
      const joined = join(this.#rest, bytes.subarray(0, behind));
      const decided = Math.min(this.#rest.length, joined.length - behind);
      this.#find(joined, start, decided);
      if (bytes.length < behind) {
        this.#rest = joined.subarray(Math.max(0, decided));
        return;
      }
    }
    const decided = Math.max(0, bytes.length - behind);
    this.#find(bytes, offset, decided);
    this.#rest = bytes.slice(decided);
  }

  /** The same for so many zeros. */
  zeros(offset: number, length: number): void {
    const edge = Math.min(length, ZEROS.length);
    this.feed(offset, ZEROS.subarray(0, edge));
    if (length === edge) return;
    // All that is not decided yet are zeros, and what comes next is as far away as they are many.
    const end = offset + length;
    this.#takeZeros(end - this.#rest.length);
    this.#next = end;
  }

  /** Nothing comes behind what is there: what does not end in it is not there. */
  flush(): void {
    this.#find(this.#rest, this.#next - this.#rest.length, this.#rest.length);
    this.#rest = NONE;
  }

  /** @param until in `bytes`: what begins there or behind is not to be decided yet */
  #find(bytes: Uint8Array, offset: number, until: number): void {
    const from = Math.max(0, this.free - offset);
    if (from >= until || this.isFull) return;
    this.#patterns.find(bytes, from, until, (at, length) => this.#take(offset + at, length));
  }

  #take(offset: number, length: number): boolean {
    this.matches.push({ offset, length });
    this.free = offset + length;
    return !this.isFull;
  }

  /** All matches in a run of zeros that begin before `until` (bytes). */
  #takeZeros(until: number): void {
    const length = this.#patterns.longestZeros;
    if (length === 0) return;
    let at = Math.max(this.free, this.#next - this.#rest.length);
    for (; at < until && !this.isFull; at += length) this.#take(at, length);
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
