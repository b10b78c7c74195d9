/** Finite state entropy, as LZFSE has it: tables out of frequencies, and bits read backwards. */
import { StreamFault } from '../stream-decoder.ts';

/** A kind of number in the stream: how many symbols, how many states, bits behind each symbol. */
export interface Alphabet {
  readonly states: number;
  /** For each symbol, the first value that it stands for… */
  readonly bases: readonly number[];
  /** … and how many bits say how far the value is from that. */
  readonly bits: readonly number[];
}

function alphabet(states: number, bits: readonly number[]): Alphabet {
  const bases: number[] = [];
  let next = 0;
  for (const count of bits) {
    bases.push(next);
    next += 2 ** count;
  }
  return { states, bases, bits };
}

const SMALL = new Array<number>(16).fill(0);

export const LITERALS = alphabet(1024, new Array<number>(256).fill(0));
/** How many literals, how long a match, how far back. */
export const L_VALUES = alphabet(64, [...SMALL, 2, 3, 5, 8]);
export const M_VALUES = alphabet(64, [...SMALL, 3, 5, 8, 11]);
export const D_VALUES = alphabet(
  256,
  Array.from({ length: 64 }, (_, symbol) => symbol >>> 2),
);

/** Bits from the end of a stream to its beginning, the highest first. */
export class BackwardBits {
  readonly #bytes: Uint8Array;
  /** Bits that were not taken yet. */
  #left: number;

  /** @param spare bits at the very end that are none of them, 0 to 7 */
  constructor(bytes: Uint8Array, spare: number) {
    this.#bytes = bytes;
    this.#left = bytes.length * 8 - spare;
    const last = bytes.at(-1) ?? 0;
    if (this.#left < 0 || (spare > 0 && last >>> (8 - spare) !== 0)) {
      throw new StreamFault('corrupt', 'spare bits');
    }
  }

  /** @param count at most 24 */
  take(count: number): number {
    const left = this.#left - count;
    if (left < 0) throw new StreamFault('corrupt', 'bits');
    this.#left = left;
    const bytes = this.#bytes;
    const at = left >>> 3;
    const word =
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24);
    return (word >>> (left & 7)) & ((1 << count) - 1);
  }
}

/** Takes numbers of one kind: each state says a symbol, and with some bits the next state. */
export class StateTable {
  /** For each state: bits to be taken, the next state without them, the symbol. */
  readonly #counts: Uint8Array;
  readonly #deltas: Int16Array;
  readonly #symbols: Uint8Array;
  readonly #alphabet: Alphabet;
  /** States that have a symbol: the first ones. */
  readonly #used: number;

  /** @throws StreamFault corrupt: there are more frequencies than states */
  constructor(kind: Alphabet, frequencies: ArrayLike<number>) {
    const { states } = kind;
    this.#alphabet = kind;
    this.#counts = new Uint8Array(states);
    this.#deltas = new Int16Array(states);
    this.#symbols = new Uint8Array(states);
    let at = 0;
    for (let symbol = 0; symbol < kind.bits.length; symbol++) {
      const frequency = frequencies[symbol] ?? 0;
      if (at + frequency > states) throw new StreamFault('corrupt', 'frequencies');
      this.#fill(at, symbol, frequency);
      at += frequency;
    }
    this.#used = at;
  }

  #fill(start: number, symbol: number, frequency: number): void {
    if (frequency === 0) return;
    const { states } = this.#alphabet;
    const bits = Math.clz32(frequency) - Math.clz32(states);
    // So many of its states need all of the bits, the others one less.
    const longer = ((2 * states) >>> bits) - frequency;
    for (let i = 0; i < frequency; i++) {
      const at = start + i;
      const isLonger = i < longer;
      this.#symbols[at] = symbol;
      this.#counts[at] = isLonger ? bits : bits - 1;
      this.#deltas[at] = isLonger ? ((frequency + i) << bits) - states : (i - longer) << (bits - 1);
    }
  }

  /**
   * The state that follows; below the number of states.
   * @throws StreamFault corrupt: no symbol has this state, or there are no more bits
   */
  next(state: number, bits: BackwardBits): number {
    if (state >= this.#used) throw new StreamFault('corrupt', 'state');
    return (this.#deltas[state] as number) + bits.take(this.#counts[state] as number);
  }

  symbol(state: number): number {
    return this.#symbols[state] as number;
  }

  /** The value of a state's symbol. Its bits lie behind those of the state that follows. */
  value(state: number, bits: BackwardBits): number {
    const symbol = this.symbol(state);
    const { bases, bits: extra } = this.#alphabet;
    return (bases[symbol] as number) + bits.take(extra[symbol] as number);
  }
}
