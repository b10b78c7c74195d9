/** LZMA: literals and matches out of a range coder. The names are those of its specification. */
import { StreamFault } from '../stream-decoder.ts';
import { RangeDecoder } from './range-decoder.ts';
import type { Window } from './window.ts';

const STATES = 12;
const POSITIONS = 16;
/** States below this come after a literal. */
const LITERAL_STATES = 7;
const MIN_MATCH = 2;
/** A length: two choices, 8 short ones and 8 middle ones for each position, 256 long ones. */
const LENGTH_COUNT = 2 + POSITIONS * 16 + 256;

/** Where each kind of probability begins. */
const IS_MATCH = 0;
const IS_REP = IS_MATCH + STATES * POSITIONS;
const IS_REP_0 = IS_REP + STATES;
const IS_REP_1 = IS_REP_0 + STATES;
const IS_REP_2 = IS_REP_1 + STATES;
const IS_REP_0_LONG = IS_REP_2 + STATES;
const SLOT = IS_REP_0_LONG + STATES * POSITIONS;
const DISTANCE = SLOT + 4 * 64;
const ALIGN = DISTANCE + 128;
const MATCH_LENGTH = ALIGN + 16;
const REP_LENGTH = MATCH_LENGTH + LENGTH_COUNT;
const LITERAL = REP_LENGTH + LENGTH_COUNT;
/** Probabilities of one kind of literal. */
const LITERAL_COUNT = 0x300;
/** LZMA2 has no more than 2^4 kinds. */
const MOST_LITERALS = 16;

export class LzmaDecoder {
  readonly #coder = new RangeDecoder(LITERAL + LITERAL_COUNT * MOST_LITERALS);
  readonly #window: Window;
  #state = 0;
  /** The last four distances, less one. */
  #reps: [number, number, number, number] = [0, 0, 0, 0];
  /** Bits of the byte before, and of the position, that choose the kind of a literal… */
  #lc = 0;
  #lpMask = 0;
  /** … and of the position, in all else. */
  #pbMask = 0;
  /** Bytes since the dictionary began: positions count from there. */
  #position = 0;

  constructor(window: Window) {
    this.#window = window;
  }

  /** Takes the byte that holds lc, lp and pb. @throws StreamFault corrupt */
  setProperties(byte: number): void {
    const lc = byte % 9;
    const lp = Math.floor(byte / 9) % 5;
    const pb = Math.floor(byte / 45);
    if (pb > 4 || lc + lp > 4) throw new StreamFault('corrupt', 'properties');
    this.#lc = lc;
    this.#lpMask = (1 << lp) - 1;
    this.#pbMask = (1 << pb) - 1;
  }

  /** Forgets everything but the properties. */
  resetState(): void {
    this.#coder.reset();
    this.#state = 0;
    this.#reps = [0, 0, 0, 0];
  }

  /** The dictionary begins anew. */
  resetPosition(): void {
    this.#position = 0;
  }

  /** Bytes went into the window by another way. */
  skip(length: number): void {
    this.#position += length;
  }

  /** Unpacks one chunk, which is `length` bytes long when unpacked. @throws StreamFault corrupt, too-large */
  decode(packed: Uint8Array, length: number): void {
    const coder = this.#coder;
    const window = this.#window;
    if (!coder.begin(packed)) throw new StreamFault('corrupt', 'chunk');
    window.prepare(length);
    const start = window.at;
    const end = start + length;
    const base = this.#position;
    while (window.at < end && !coder.isBehindEnd) {
      const position = base + (window.at - start);
      const positionState = position & this.#pbMask;
      if (coder.bit(IS_MATCH + this.#state * POSITIONS + positionState) === 0) {
        this.#literal(position);
        continue;
      }
      const count = this.#match(positionState);
      const distance = this.#reps[0] + 1;
      window.assertReach(distance);
      if (count > end - window.at) throw new StreamFault('corrupt', 'match');
      window.repeat(distance, count);
    }
    if (!coder.isAtEnd) throw new StreamFault('corrupt', 'end of chunk');
    this.#position = base + length;
  }

  #literal(position: number): void {
    const coder = this.#coder;
    const window = this.#window;
    const { bytes, at } = window;
    const before = position === 0 ? 0 : (bytes[at - 1] as number);
    const kind = ((position & this.#lpMask) << this.#lc) + (before >>> (8 - this.#lc));
    const base = LITERAL + LITERAL_COUNT * kind;
    let symbol = 1;
    if (this.#state >= LITERAL_STATES) {
      // Behind a match, the byte that would have made it longer tells what to expect.
      window.assertReach(this.#reps[0] + 1);
      let expected = bytes[at - this.#reps[0] - 1] as number;
      while (symbol < 0x100) {
        const high = (expected >>> 7) & 1;
        expected <<= 1;
        const bit = coder.bit(base + ((1 + high) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (bit !== high) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | coder.bit(base + symbol);
    bytes[at] = symbol;
    window.at = at + 1;
    const state = this.#state;
    this.#state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
  }

  /** Takes a match and notes its distance; returns its length. */
  #match(positionState: number): number {
    const coder = this.#coder;
    const state = this.#state;
    const isAfterLiteral = state < LITERAL_STATES;
    if (coder.bit(IS_REP + state) === 0) {
      const length = this.#length(MATCH_LENGTH, positionState);
      const [rep0, rep1, rep2] = this.#reps;
      this.#reps = [this.#distance(length), rep0, rep1, rep2];
      this.#state = isAfterLiteral ? 7 : 10;
      return length;
    }
    if (coder.bit(IS_REP_0 + state) === 0) {
      if (coder.bit(IS_REP_0_LONG + state * POSITIONS + positionState) === 0) {
        this.#state = isAfterLiteral ? 9 : 11;
        return 1;
      }
    } else {
      this.#chooseRep(state);
    }
    const length = this.#length(REP_LENGTH, positionState);
    this.#state = isAfterLiteral ? 8 : 11;
    return length;
  }

  /** One of the three distances before the last one becomes the last. */
  #chooseRep(state: number): void {
    const [rep0, rep1, rep2, rep3] = this.#reps;
    if (this.#coder.bit(IS_REP_1 + state) === 0) this.#reps = [rep1, rep0, rep2, rep3];
    else if (this.#coder.bit(IS_REP_2 + state) === 0) this.#reps = [rep2, rep0, rep1, rep3];
    else this.#reps = [rep3, rep0, rep1, rep2];
  }

  #length(base: number, positionState: number): number {
    const coder = this.#coder;
    if (coder.bit(base) === 0) return MIN_MATCH + coder.tree(base + 2 + positionState * 8, 3);
    if (coder.bit(base + 1) === 0) {
      return MIN_MATCH + 8 + coder.tree(base + 2 + POSITIONS * 8 + positionState * 8, 3);
    }
    return MIN_MATCH + 16 + coder.tree(base + 2 + POSITIONS * 16, 8);
  }

  /** A distance, less one. */
  #distance(length: number): number {
    const coder = this.#coder;
    const slot = coder.tree(SLOT + Math.min(length - MIN_MATCH, 3) * 64, 6);
    if (slot < 4) return slot;
    const bits = (slot >>> 1) - 1;
    const base = ((2 | (slot & 1)) << bits) >>> 0;
    // The trees of the smaller slots lie one behind the other: each has as many as its distances.
    if (slot < 14) return base + coder.reverseTree(DISTANCE + base - slot, bits);
    const high = coder.direct(bits - 4) * 16;
    return base + high + coder.reverseTree(ALIGN, 4);
  }
}
