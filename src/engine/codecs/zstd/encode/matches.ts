/**
 * Finding what occurred before: the last place of each eight bytes and of each five, and the recent
 * offset one byte on, which is looked at first. The longer the match, the less it costs to name.
 */
import { BLOCK_LIMIT } from '../bits.ts';

/** A match shorter than this is hardly worth its sequence. */
const MIN_MATCH = 4;
/** Bits of the hashes of eight bytes; those of five have one bit less. */
const LONG_BITS = 16;
/** The same for contents up to so many bytes: the tables stay in the processor's first cache. */
const LONG_BITS_SMALL = 14;
const SMALL = 128 * 1024;
/** The longer nothing is found, the larger the steps: one more byte each 2^this bytes. */
const PATIENCE = 8;
/** Bytes that are read at once at a place that is looked at, and at the one behind it. */
const LOOK = 9;
/** Places are counted on from content to content up to this, so that no table need be cleared. */
const LAST_PLACE = 2 ** 30;

/** Where each hash was seen last, counted from the first content on; 0: nowhere. */
const longPlaces = new Int32Array(1 << LONG_BITS);
const shortPlaces = new Int32Array(1 << (LONG_BITS - 1));
let nextBase = 1;

/** Sequences as columns: literals to copy, then a match. */
export interface Sequences {
  count: number;
  readonly literals: Uint32Array;
  readonly matches: Uint32Array;
  /** «Offset_Value»: 1 for a recent offset, else the offset plus 3. */
  readonly offsets: Uint32Array;
}

/** Sequences of a block at most. */
export const MOST_SEQUENCES = BLOCK_LIMIT / MIN_MATCH + 1;
const sequences: Sequences = {
  count: 0,
  literals: new Uint32Array(MOST_SEQUENCES),
  matches: new Uint32Array(MOST_SEQUENCES),
  offsets: new Uint32Array(MOST_SEQUENCES),
};

function longHash(low: number, high: number, shift: number): number {
  return (Math.imul(low, 0x9e3779b1) + Math.imul(high, 0x85ebca77)) >>> shift;
}

function shortHash(low: number, high: number, shift: number): number {
  return (Math.imul(low, 0x9e3779b1) + (Math.imul(high, 0x27d4eb2f) << 24)) >>> (shift + 1);
}

/** Finds matches in one content, block after block. Only one is at work at any time. */
export class MatchFinder {
  /** The two most recent offsets. */
  recent = 1;
  second = 4;
  readonly #view: DataView;
  readonly #base: number;
  /** What is left of a hash of 32 bits. */
  readonly #shift: number;

  constructor(view: DataView) {
    if (nextBase + view.byteLength > LAST_PLACE) {
      longPlaces.fill(0);
      shortPlaces.fill(0);
      nextBase = 1;
    }
    this.#view = view;
    this.#base = nextBase;
    this.#shift = 32 - (view.byteLength > SMALL ? LONG_BITS : LONG_BITS_SMALL);
    nextBase += view.byteLength;
  }

  /**
   * The sequences of the bytes from `start` to `end`, valid until the next call; what is behind the
   * last match is left as literals.
   */
  find(start: number, end: number): Sequences {
    const view = this.#view;
    const base = this.#base;
    const shift = this.#shift;
    const limit = end - LOOK;
    let { recent } = this;
    let anchor = start;
    sequences.count = 0;
    for (let at = start; at < limit;) {
      const low = view.getInt32(at, true);
      const high = view.getInt32(at + 4, true);
      const long = longHash(low, high, shift);
      const short = shortHash(low, high, shift);
      let place = (longPlaces[long] as number) - base;
      const shortPlace = (shortPlaces[short] as number) - base;
      longPlaces[long] = shortPlaces[short] = base + at;
      let length: number;
      const seen = at;
      if (
        at + 1 >= recent &&
        view.getInt32(at + 1 - recent, true) === view.getInt32(at + 1, true)
      ) {
        at += 1;
        length = matchLength(view, at + 4, at + 4 - recent, end) - at;
        add(at - anchor, length, 1);
      } else {
        if (
          place >= 0 &&
          view.getInt32(place, true) === low &&
          view.getInt32(place + 4, true) === high
        ) {
          length = matchLength(view, at + 8, place + 8, end) - at;
        } else if (shortPlace >= 0 && view.getInt32(shortPlace, true) === low) {
          const after = this.#longNext(at + 1);
          place = after < 0 ? shortPlace : after;
          if (after >= 0) at += 1;
          length = matchLength(view, at + 4, place + 4, end) - at;
        } else {
          at += 1 + ((at - anchor) >>> PATIENCE);
          continue;
        }
        const offset = at - place;
        while (at > anchor && place > 0 && view.getUint8(at - 1) === view.getUint8(place - 1)) {
          at -= 1;
          place -= 1;
          length += 1;
        }
        const isRecent = offset === recent && at > anchor;
        add(at - anchor, length, isRecent ? 1 : offset + 3);
        if (!isRecent) {
          this.second = recent;
          recent = offset;
        }
      }
      at += length;
      if (at < limit) {
        this.#enter(seen + 2);
        this.#enter(at - 2);
        this.recent = recent;
        at = this.#again(at, limit, end);
        ({ recent } = this);
      }
      anchor = at;
    }
    this.recent = recent;
    return sequences;
  }

  /** Directly behind a match, the offset before its own is named by the shortest name. */
  #again(from: number, limit: number, end: number): number {
    const view = this.#view;
    let at = from;
    while (
      at < limit &&
      at >= this.second &&
      view.getInt32(at, true) === view.getInt32(at - this.second, true)
    ) {
      const offset = this.second;
      this.second = this.recent;
      this.recent = offset;
      const stop = matchLength(view, at + 4, at + 4 - offset, end);
      this.#enter(at);
      add(0, stop - at, 1);
      at = stop;
    }
    return at;
  }

  /** Where the eight bytes at `at` were seen; negative: nowhere. */
  #longNext(at: number): number {
    const view = this.#view;
    const low = view.getInt32(at, true);
    const high = view.getInt32(at + 4, true);
    const hash = longHash(low, high, this.#shift);
    const place = (longPlaces[hash] as number) - this.#base;
    longPlaces[hash] = this.#base + at;
    if (place < 0 || view.getInt32(place, true) !== low) return -1;
    return view.getInt32(place + 4, true) === high ? place : -1;
  }

  #enter(at: number): void {
    const low = this.#view.getInt32(at, true);
    const high = this.#view.getInt32(at + 4, true);
    longPlaces[longHash(low, high, this.#shift)] = this.#base + at;
    shortPlaces[shortHash(low, high, this.#shift)] = this.#base + at;
  }
}

function add(literals: number, match: number, offset: number): void {
  const { count } = sequences;
  sequences.literals[count] = literals;
  sequences.matches[count] = match;
  sequences.offsets[count] = offset;
  sequences.count = count + 1;
}

/** Where what is the same from `at` and from `place` on ends, seen from `at`. */
function matchLength(view: DataView, at: number, place: number, end: number): number {
  const back = at - place;
  let to = at;
  for (const last = end - 4; to <= last; to += 4) {
    const different = view.getInt32(to, true) ^ view.getInt32(to - back, true);
    if (different !== 0) return to + ((31 - Math.clz32(different & -different)) >>> 3);
  }
  while (to < end && view.getUint8(to) === view.getUint8(to - back)) to += 1;
  return to;
}
