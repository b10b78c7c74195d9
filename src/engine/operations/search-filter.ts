/**
 * Passing quickly over bytes in which no pattern is: of each pattern, a few bytes in a row are
 * chosen, and only pairs of bytes at every second or fourth place are looked up. Wherever the
 * pattern lies, one of its own pairs is among them.
 */

/** A pattern that may begin so many bytes in front of a pair. */
interface Candidate {
  readonly pattern: Uint8Array;
  readonly before: number;
}

/** What looking came to, where it is not the place of a pattern. */
export const NOT_THERE = -1;
export const TOO_MANY = -2;

/** Numbers of lists of candidates fit into a byte; pairs beyond share them. */
const MOST_LISTS = 255;
/** Bytes that may be compared in vain for each that is passed; the first ones do not count. */
const VAIN = 4;
const FEW = 16 * 1024;

export class PairFilter {
  /** A pattern may begin so many bytes in front of one that is found first. */
  readonly reach: number;
  /** Pairs of bytes from one that is looked up to the next: 1 or 2. */
  readonly #step: number;
  /** By the pair, the number of the list of what may be there; 0: nothing. */
  readonly #table = new Uint8Array(65536);
  readonly #lists: Candidate[][] = [[]];
  readonly #folded: Uint8Array;
  /** Of all that was chosen, how far from the beginning of its pattern the first begins. */
  readonly #nearest: number;
  readonly #farthest: number;
  #pairs = 0;
  #vain = 0;
  #since = 0;

  /**
   * @param patterns folded, each of at least three bytes
   * @param folded what each byte counts as
   */
  constructor(patterns: readonly Uint8Array[], folded: Uint8Array) {
    const shortest = Math.min(...patterns.map(({ length }) => length));
    this.#step = shortest > 4 ? 2 : 1;
    this.#folded = folded;
    const places = patterns.map((pattern) => rarestPlace(pattern, 2 * this.#step));
    this.#nearest = Math.min(...places);
    this.#farthest = Math.max(...places) + 2 * this.#step - 1;
    this.reach = this.#farthest;
    const unfolded = unfold(folded);
    for (const [index, pattern] of patterns.entries()) {
      const place = places[index] as number;
      for (let i = 0; i < 2 * this.#step; i++) {
        const before = place + i;
        for (const first of unfolded[pattern[before] as number] ?? []) {
          for (const second of unfolded[pattern[before + 1] as number] ?? []) {
            this.#add(pairOf(first, second), { pattern, before });
          }
        }
      }
    }
  }

  /** Before looking through other bytes from `from` on: what was done in vain is forgotten. */
  reset(from: number): void {
    this.#vain = 0;
    this.#since = from;
  }

  /**
   * Where one of the patterns begins: from `from` on and before `until`, ending within `bytes`. It
   * is the first that is met, though another may begin less than {@link reach} in front of it.
   * @returns NOT_THERE, or TOO_MANY where too much looks like a pattern and is none
   */
  next(bytes: Uint8Array, from: number, until: number): number {
    const { buffer, byteOffset } = bytes;
    // Pairs lie at even places of the buffer.
    const lead = byteOffset & 1;
    const pairs = new Uint16Array(buffer, byteOffset + lead, (bytes.length - lead) >>> 1);
    const last = Math.min(pairs.length, (until + this.#farthest - lead + 1) >>> 1);
    let at = (from + this.#nearest - lead + 1) >>> 1;
    for (;;) {
      at = nextPair(pairs, this.#table, this.#step, at, last);
      if (at >= last) return NOT_THERE;
      const list = this.#lists[this.#table[pairs[at] as number] as number] ?? [];
      for (const { pattern, before } of list) {
        const start = 2 * at + lead - before;
        if (start < from || start >= until) continue;
        if (this.#isAt(bytes, start, pattern)) return start;
      }
      if (this.#vain > VAIN * (2 * at - this.#since) + FEW) return TOO_MANY;
      at += this.#step;
    }
  }

  #isAt(bytes: Uint8Array, start: number, pattern: Uint8Array): boolean {
    const { length } = pattern;
    if (start + length > bytes.length) return false;
    const folded = this.#folded;
    let i = 0;
    while (i < length && folded[bytes[start + i] as number] === pattern[i]) i += 1;
    if (i === length) return true;
    this.#vain += i + 1;
    return false;
  }

  #add(pair: number, candidate: Candidate): void {
    let number = this.#table[pair] as number;
    if (number === 0) {
      number = 1 + (this.#pairs % MOST_LISTS);
      this.#pairs += 1;
      this.#table[pair] = number;
      if (number === this.#lists.length) this.#lists.push([]);
    }
    this.#lists[number]?.push(candidate);
  }
}

/** The next place, of those from `from` on, whose pair is in the table; `last` where none is. */
function nextPair(
  pairs: Uint16Array,
  table: Uint8Array,
  step: number,
  from: number,
  last: number,
): number {
  let at = from;
  const [second, third] = [step, 2 * step];
  const fourth = 3 * step;
  for (const end = last - fourth; at < end; at += 4 * step) {
    const found =
      (table[pairs[at] as number] as number) |
      (table[pairs[at + second] as number] as number) |
      (table[pairs[at + third] as number] as number) |
      (table[pairs[at + fourth] as number] as number);
    if (found !== 0) break;
  }
  while (at < last && table[pairs[at] as number] === 0) at += step;
  return Math.min(at, last);
}

const PAIR = new Uint16Array(1);
const PAIR_BYTES = new Uint8Array(PAIR.buffer);

/** Two bytes in a row as one number, as this machine reads them. */
function pairOf(first: number, second: number): number {
  PAIR_BYTES[0] = first;
  PAIR_BYTES[1] = second;
  return PAIR[0] as number;
}

/** All bytes that count as each. */
function unfold(folded: Uint8Array): number[][] {
  const unfolded = Array.from({ length: 256 }, (): number[] => []);
  for (const [byte, meant] of folded.entries()) unfolded[meant]?.push(byte);
  return unfolded;
}

/** Where in a pattern `count` pairs in a row begin that are likely met the least. */
function rarestPlace(pattern: Uint8Array, count: number): number {
  let best = 0;
  let least = Infinity;
  for (let place = 0; place + count < pattern.length; place++) {
    let often = 0;
    for (let i = place; i < place + count; i++) {
      often += frequency(pattern[i] as number) * frequency(pattern[i + 1] as number);
    }
    if (often < least) [best, least] = [place, often];
  }
  return best;
}

/** How often a byte is met on disks, roughly, in thousandths. */
function frequency(byte: number): number {
  if (byte === 0) return 200;
  if (byte === 0xff || byte === 0x20) return 40;
  if ('etaoinsrl'.includes(String.fromCharCode(byte))) return 25;
  if (byte >= 0x61 && byte <= 0x7a) return 10;
  if (byte < 0x10 || '-_./*='.includes(String.fromCharCode(byte))) return 8;
  return byte >= 0x30 && byte <= 0x39 ? 5 : 2;
}
