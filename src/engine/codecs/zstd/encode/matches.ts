/**
 * Finding what occurred before: chains of places with the same four bytes, and a look at the next
 * places before one is taken («lazy matching»).
 */

/** Sequences as columns: literals to copy, then a match. */
export interface Sequences {
  count: number;
  readonly literals: Uint32Array;
  readonly matches: Uint32Array;
  /** «Offset_Value»: 1 to 3 for one of the recent offsets, else the offset plus 3. */
  readonly offsets: Uint32Array;
}

const HASH_BITS = 15;
/** A match shorter than this is hardly worth its sequence. */
const MIN_MATCH = 4;
/** A match this long is taken at once. */
const GOOD_MATCH = 64;
/** Places that are looked at for a match. */
const DEPTH = 16;

/** Finds matches in one content, block after block. Offsets reach back to its beginning. */
export class MatchFinder {
  /** The three recent offsets. */
  readonly recent: [number, number, number] = [1, 4, 8];
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #heads = new Int32Array(1 << HASH_BITS).fill(-1);
  readonly #previous: Int32Array;
  /** Places before this one are in the chains. */
  #entered = 0;
  #found = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#previous = new Int32Array(bytes.length);
  }

  /** The sequences of `bytes[start..end)`; what is behind the last match is left as literals. */
  find(start: number, end: number): Sequences {
    const most = Math.ceil((end - start) / MIN_MATCH) + 1;
    const sequences: Sequences = {
      count: 0,
      literals: new Uint32Array(most),
      matches: new Uint32Array(most),
      offsets: new Uint32Array(most),
    };
    const limit = end - 8;
    let anchor = start;
    for (let at = start; at < limit;) {
      let length = this.#search(at, end, anchor);
      if (length === 0) {
        // The longer nothing is found, the larger the steps: what cannot be packed is passed fast.
        at += 1 + ((at - anchor) >>> 8);
        continue;
      }
      let offset = this.#found;
      while (length < GOOD_MATCH && at + 1 < limit) {
        const next = this.#search(at + 1, end, anchor);
        const gain = worth(next, this.#found) - worth(length, offset);
        if (next === 0 || gain <= 4) break;
        at += 1;
        length = next;
        offset = this.#found;
      }
      while (at > anchor && at > offset && this.#bytes[at - 1] === this.#bytes[at - 1 - offset]) {
        at -= 1;
        length += 1;
      }
      this.#add(sequences, at - anchor, length, offset);
      at += length;
      anchor = at;
    }
    return sequences;
  }

  #add(sequences: Sequences, literals: number, length: number, offset: number): void {
    const { count } = sequences;
    sequences.literals[count] = literals;
    sequences.matches[count] = length;
    sequences.offsets[count] = this.#offsetValue(offset, literals === 0);
    sequences.count = count + 1;
  }

  /** 3.1.1.5: recent offsets have short names; without literals before it the first is not one. */
  #offsetValue(offset: number, isBare: boolean): number {
    const [first, second, third] = this.recent;
    const names = isBare ? [second, third, first - 1] : [first, second, third];
    const index = names.indexOf(offset);
    const place = index < 0 ? -1 : index + (isBare ? 1 : 0);
    if (place === 1) this.#setRecent(second, first, third);
    else if (place !== 0) this.#setRecent(offset, first, second);
    return index < 0 ? offset + 3 : index + 1;
  }

  #setRecent(first: number, second: number, third: number): void {
    this.recent[0] = first;
    this.recent[1] = second;
    this.recent[2] = third;
  }

  /** The best match at `at`: its length, 0 for none; its offset is in `#found`. */
  #search(at: number, end: number, anchor: number): number {
    const view = this.#view;
    const wanted = view.getInt32(at, true);
    let best = 0;
    let bestWorth = 0;
    const recent = this.recent[at === anchor ? 1 : 0];
    if (recent > 0 && at >= recent && view.getInt32(at - recent, true) === wanted) {
      best = this.#matchLength(at, at - recent, end);
      bestWorth = worth(best, 1);
      this.#found = recent;
      if (best >= GOOD_MATCH) return best;
    }
    this.#enter(at);
    let place = this.#previous[at] as number;
    for (let depth = 0; place >= 0 && depth < DEPTH; depth++) {
      // Only what is longer than the best so far is worth measuring.
      const isLonger = this.#bytes[place + best] === this.#bytes[at + best];
      if (isLonger && view.getInt32(place, true) === wanted) {
        const length = this.#matchLength(at, place, end);
        const value = worth(length, at - place);
        if (value > bestWorth) {
          best = length;
          bestWorth = value;
          this.#found = at - place;
          if (length >= GOOD_MATCH) break;
        }
      }
      place = this.#previous[place] as number;
    }
    return best;
  }

  #matchLength(at: number, place: number, end: number): number {
    const bytes = this.#bytes;
    const view = this.#view;
    let length = MIN_MATCH;
    while (
      at + length + 4 <= end &&
      view.getInt32(at + length, true) === view.getInt32(place + length, true)
    ) {
      length += 4;
    }
    while (at + length < end && bytes[at + length] === bytes[place + length]) length += 1;
    return length;
  }

  /** Puts the places up to and with `at` into their chains. */
  #enter(at: number): void {
    const view = this.#view;
    for (let place = this.#entered; place <= at; place++) {
      const hash = Math.imul(view.getInt32(place, true), 0x9e3779b1) >>> (32 - HASH_BITS);
      this.#previous[place] = this.#heads[hash] as number;
      this.#heads[hash] = place;
    }
    if (at >= this.#entered) this.#entered = at + 1;
  }
}

/** What a match saves, roughly, in quarters of a byte: near ones take fewer bits to name. */
function worth(length: number, offset: number): number {
  return length === 0 ? 0 : length * 4 - (31 - Math.clz32(offset + 1));
}
