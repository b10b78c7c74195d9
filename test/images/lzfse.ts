/**
 * Packs LZFSE for tests after Apple's description of the format, without a line of the engine:
 * blocks of literals and matches in finite state entropy, with either kind of header.
 */

export interface LzfseOptions {
  /** 1: `bvx1`, frequencies as they are; 2: `bvx2`, frequencies packed, too. */
  readonly version?: 1 | 2;
  /** Matches of a block, at most 10000. */
  readonly mostMatches?: number;
}

/** So many literals, then `length` bytes from `distance` back. */
interface Step {
  readonly literals: Uint8Array;
  readonly length: number;
  readonly distance: number;
}

const MOST_LITERALS = 315;
const LONGEST = 2359;
const FARTHEST = 262_139;
const BLOCK_LITERALS = 40_000;

export function packLzfse(content: Uint8Array, options: LzfseOptions = {}): Uint8Array<ArrayBuffer> {
  const { version = 2, mostMatches = 10_000 } = options;
  const blocks: Buffer[] = [];
  let steps: Step[] = [];
  let literals = 0;
  const end = () => {
    if (steps.length > 0) blocks.push(packBlock(steps, version));
    steps = [];
    literals = 0;
  };
  for (const step of stepsOf(content)) {
    const isFull = literals + step.literals.length + 3 > BLOCK_LITERALS;
    if (isFull || steps.length === mostMatches) end();
    steps.push(step);
    literals += step.literals.length;
  }
  end();
  return Uint8Array.from(Buffer.concat([...blocks, Buffer.from('bvx$')]));
}

/** Takes the last place with the same four bytes, if there is one. */
function* stepsOf(content: Uint8Array): Generator<Step> {
  const bytes = Buffer.from(content);
  const places = new Map<number, number>();
  let literalsAt = 0;
  for (let at = 0; at + 4 <= bytes.length;) {
    const key = bytes.readUInt32LE(at);
    const place = places.get(key);
    places.set(key, at);
    if (place === undefined || at - place > FARTHEST) {
      at++;
      continue;
    }
    let length = 4;
    while (at + length < bytes.length && bytes[place + length] === bytes[at + length]) length++;
    yield* split(bytes.subarray(literalsAt, at), length, at - place);
    at += length;
    literalsAt = at;
  }
  yield* split(bytes.subarray(literalsAt), 0, 1);
}

/** What is too much for one step goes into several. */
function* split(literals: Uint8Array, length: number, distance: number): Generator<Step> {
  let rest = literals;
  for (; rest.length > MOST_LITERALS; rest = rest.subarray(MOST_LITERALS)) {
    yield { literals: rest.subarray(0, MOST_LITERALS), length: 0, distance: 1 };
  }
  let left = length;
  do {
    const some = Math.min(left, LONGEST);
    if (rest.length + some > 0) yield { literals: rest, length: some, distance };
    rest = rest.subarray(rest.length);
    left -= some;
  } while (left > 0);
}

/** Bits behind a symbol, for each of them. */
const EXTRA = {
  literals: [...zeros(16), 2, 3, 5, 8],
  length: [...zeros(16), 3, 5, 8, 11],
  distance: Array.from({ length: 64 }, (_, symbol) => Math.floor(symbol / 4)),
  bytes: zeros(256),
};

function zeros(count: number): number[] {
  return new Array<number>(count).fill(0);
}

/** One kind of number: what its symbols stand for, and how often each is there. */
class Coder {
  state = 0;
  readonly frequencies: number[];
  readonly #states: number;
  readonly #extra: readonly number[];
  /** The first state of each symbol. */
  readonly #starts: readonly number[];

  constructor(states: number, extra: readonly number[], values: readonly number[]) {
    this.#states = states;
    this.#extra = extra;
    this.frequencies = zeros(extra.length);
    for (const value of values) this.frequencies[this.#symbol(value).symbol]!++;
    this.#normalise(values.length);
    let at = 0;
    this.#starts = this.frequencies.map((frequency) => (at += frequency) - frequency);
  }

  /** As many states as there are, at least one for each symbol that occurs. */
  #normalise(total: number): void {
    const { frequencies } = this;
    if (total === 0) return;
    for (const [symbol, count] of frequencies.entries()) {
      if (count > 0) frequencies[symbol] = Math.max(1, Math.floor((count * this.#states) / total));
    }
    let left = this.#states - frequencies.reduce((sum, count) => sum + count, 0);
    const largest = () => frequencies.indexOf(Math.max(...frequencies));
    for (; left < 0; left++) frequencies[largest()]!--;
    frequencies[largest()]! += left;
  }

  #symbol(value: number): { symbol: number; base: number } {
    let base = 0;
    for (let symbol = 0; ; symbol++) {
      const next = base + 2 ** this.#extra[symbol]!;
      if (value < next) return { symbol, base };
      base = next;
    }
  }

  put(bits: Bits, value: number): void {
    const { symbol, base } = this.#symbol(value);
    bits.put(value - base, this.#extra[symbol]!);
    const frequency = this.frequencies[symbol]!;
    let count = 0;
    let rest = this.state + this.#states;
    for (; rest >= 2 * frequency; rest = Math.floor(rest / 2)) count++;
    bits.put(this.state % 2 ** count, count);
    this.state = this.#starts[symbol]! + rest - frequency;
  }
}

/** Bits that are written from the front, and read from the end. */
class Bits {
  readonly #bits: number[];

  constructor(padding: number) {
    this.#bits = zeros(padding);
  }

  put(value: number, count: number): void {
    for (let bit = 0; bit < count; bit++) this.#bits.push((value >>> bit) & 1);
  }

  get spare(): number {
    return (8 - (this.#bits.length % 8)) % 8;
  }

  bytes(): Buffer {
    const bytes = Buffer.alloc(Math.ceil(this.#bits.length / 8));
    for (const [index, bit] of this.#bits.entries()) bytes[index >>> 3]! |= bit << (index & 7);
    return bytes;
  }
}

function packBlock(steps: readonly Step[], version: 1 | 2): Buffer {
  const plain = Buffer.concat(steps.map(({ literals }) => literals));
  const literals = Buffer.concat([plain, Buffer.alloc((4 - (plain.length % 4)) % 4)]);
  let before = 0;
  const distances = steps.map(({ distance }) => {
    const isSame = distance === before;
    before = distance;
    return isSame ? 0 : distance;
  });
  const coders = {
    l: new Coder(64, EXTRA.literals, steps.map((step) => step.literals.length)),
    m: new Coder(64, EXTRA.length, steps.map((step) => step.length)),
    d: new Coder(256, EXTRA.distance, distances),
    // Four of them take turns.
    bytes: [0, 1, 2, 3].map(() => new Coder(1024, EXTRA.bytes, [...literals])),
  };
  const literalBits = new Bits(0);
  for (let at = literals.length - 1; at >= 0; at--) {
    coders.bytes[at % 4]!.put(literalBits, literals[at]!);
  }
  const matchBits = new Bits(64);
  for (const [back, step] of [...steps].reverse().entries()) {
    coders.d.put(matchBits, distances[steps.length - 1 - back]!);
    coders.m.put(matchBits, step.length);
    coders.l.put(matchBits, step.literals.length);
  }
  const streams = [literalBits, matchBits] as const;
  const values: BlockValues = {
    rawBytes: plain.length + steps.reduce((sum, { length }) => sum + length, 0),
    counts: [literals.length, steps.length],
    sizes: [literalBits.bytes().length, matchBits.bytes().length],
    spares: [literalBits.spare, matchBits.spare],
    literalStates: coders.bytes.map(({ state }) => state),
    states: [coders.l, coders.m, coders.d].map(({ state }) => state),
    frequencies: [coders.l, coders.m, coders.d, coders.bytes[0]!].flatMap((one) => one.frequencies),
  };
  const header = version === 1 ? firstHeader(values) : secondHeader(values);
  return Buffer.concat([header, ...streams.map((stream) => stream.bytes())]);
}

/** Of literals and of matches, where there are two. */
interface BlockValues {
  readonly rawBytes: number;
  readonly counts: readonly [number, number];
  readonly sizes: readonly [number, number];
  readonly spares: readonly [number, number];
  readonly literalStates: readonly number[];
  readonly states: readonly number[];
  readonly frequencies: readonly number[];
}

function firstHeader(values: BlockValues): Buffer {
  const { rawBytes, counts, sizes, spares, literalStates, states, frequencies } = values;
  const header = Buffer.alloc(772);
  header.write('bvx1');
  const words = [rawBytes, sizes[0] + sizes[1], ...counts, ...sizes];
  for (const [index, word] of words.entries()) header.writeUInt32LE(word, 4 + index * 4);
  header.writeInt32LE(-spares[0], 28);
  for (const [index, state] of literalStates.entries()) header.writeUInt16LE(state, 32 + index * 2);
  header.writeInt32LE(-spares[1], 40);
  for (const [index, half] of [...states, ...frequencies].entries()) {
    header.writeUInt16LE(half, 44 + index * 2);
  }
  return header;
}

function secondHeader(values: BlockValues): Buffer {
  const { rawBytes, counts, sizes, spares, literalStates, states, frequencies } = values;
  const packed = new Bits(0);
  for (const frequency of frequencies) putFrequency(packed, frequency);
  const header = Buffer.alloc(32);
  header.write('bvx2');
  header.writeUInt32LE(rawBytes, 4);
  const put = (at: number, fields: readonly (readonly [value: number, bits: number])[]) => {
    let [word, from] = [0n, 0n];
    for (const [value, bits] of fields) {
      word |= BigInt(value) << from;
      from += BigInt(bits);
    }
    header.writeBigUInt64LE(word, at);
  };
  put(8, [[counts[0], 20], [sizes[0], 20], [counts[1], 20], [7 - spares[0], 3]]);
  const four = literalStates.map((state) => [state, 10] as const);
  put(16, [...four, [sizes[1], 20], [7 - spares[1], 3]]);
  const length = header.length + packed.bytes().length;
  put(24, [[length, 32], ...states.map((state) => [state, 10] as const)]);
  return Buffer.concat([header, packed.bytes()]);
}

function putFrequency(bits: Bits, frequency: number): void {
  if (frequency < 2) bits.put(frequency * 2, 2);
  else if (frequency < 4) bits.put(1 + (frequency - 2) * 4, 3);
  else if (frequency < 8) bits.put(3 + (frequency - 4) * 8, 5);
  else if (frequency < 24) bits.put(7 + (frequency - 8) * 16, 8);
  else bits.put(15 + (frequency - 24) * 16, 14);
}
