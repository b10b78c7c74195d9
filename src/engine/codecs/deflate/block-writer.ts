/** RFC 1951, 3.2.3: blocks of a deflate stream, in the kind that takes the fewest bytes. */
import {
  DISTANCE_BASE,
  DISTANCE_CODES,
  DISTANCE_EXTRA,
  distanceCode,
  END_OF_BLOCK,
  FIXED_BITS,
  FIXED_CODES,
  FIXED_DISTANCE_BITS,
  FIXED_DISTANCE_CODES,
  LENGTH_BASE,
  LENGTH_CODE,
  LENGTH_EXTRA,
  LENGTH_ORDER,
  LITERAL_CODES,
  LITERALS,
  MAX_BITS,
  MAX_LENGTH_BITS,
} from './codes.ts';
import { Code, costOf } from './huffman.ts';

const STORED = 0;
const FIXED = 1;
const DYNAMIC = 2;

/** Codes for code lengths: repeat the one before, and two ways to say that many are 0. */
const REPEAT = 16;
const ZEROS = 17;
const MANY_ZEROS = 18;
const REPEAT_EXTRA = Uint8Array.of(2, 3, 7);

/** Bits of a block's beginning, and of what a dynamic one says about its codes at least. */
const HEAD_BITS = 3;
const CODE_COUNT_BITS = 14;

/** What a block is made of. */
export interface Block {
  /** A literal below 256; a match as `distance << 8 | length - 3`. */
  readonly symbols: Int32Array;
  readonly count: number;
  /** The same bytes as they are, where the block may be stored so. */
  readonly plain: Uint8Array | undefined;
  readonly isLast: boolean;
}

/** Writes the blocks of one stream after another into the same memory. */
export class BlockWriter {
  /** What was written; valid up to {@link length}. */
  bytes = new Uint8Array(0);
  length = 0;
  #limit = 0;
  #bits = 0;
  #bitCount = 0;
  readonly #literals = new Code(LITERAL_CODES, MAX_BITS);
  readonly #distances = new Code(DISTANCE_CODES, MAX_BITS);
  readonly #lengths = new Code(LENGTH_ORDER.length, MAX_LENGTH_BITS);
  /** The lengths of both codes as runs: `extra << 8 | code`. */
  readonly #runs = new Uint16Array(LITERAL_CODES + DISTANCE_CODES);
  #runCount = 0;
  /** For each length minus 3: its code with the extra bits, and how many they are. */
  readonly #lengthCodes = new Int32Array(256);
  readonly #lengthBits = new Uint8Array(256);

  /** Begins a stream. @param limit bytes that it may have; there is no block beyond it */
  begin(limit: number): void {
    if (this.bytes.length < limit + 8) this.bytes = new Uint8Array(limit + 8);
    this.length = 0;
    this.#limit = limit;
    this.#bits = 0;
    this.#bitCount = 0;
  }

  /** Appends a block. @returns false where the stream would become longer than it may be */
  add(block: Block): boolean {
    this.#count(block);
    const literals = this.#literals;
    const distances = this.#distances;
    literals.build();
    distances.build();
    const named = this.#nameLengths();
    const dynamicBits =
      named + literals.cost(LENGTH_EXTRA, LITERALS + 1) + distances.cost(DISTANCE_EXTRA, 0);
    const fixedBits =
      costOf(literals.counts, FIXED_BITS, LENGTH_EXTRA, LITERALS + 1) +
      costOf(distances.counts, FIXED_DISTANCE_BITS, DISTANCE_EXTRA, 0);
    const dynamicBytes = (dynamicBits + HEAD_BITS + 7) >>> 3;
    const fixedBytes = (fixedBits + HEAD_BITS + 7) >>> 3;
    const isFixed = fixedBytes <= dynamicBytes;
    const last = block.isLast ? 1 : 0;
    if (block.plain !== undefined && block.plain.length + 4 <= Math.min(fixedBytes, dynamicBytes)) {
      return this.#store(block.plain, last);
    }
    const bits = HEAD_BITS + (isFixed ? fixedBits : dynamicBits);
    if (8 * this.length + this.#bitCount + bits > 8 * this.#limit) return false;
    this.#put(((isFixed ? FIXED : DYNAMIC) << 1) | last, HEAD_BITS);
    if (isFixed) {
      this.#fillLengthCodes(FIXED_BITS, FIXED_CODES);
      this.#write(block, FIXED_BITS, FIXED_CODES, FIXED_DISTANCE_BITS, FIXED_DISTANCE_CODES);
    } else {
      this.#writeCodes();
      this.#fillLengthCodes(literals.bits, literals.codes);
      this.#write(block, literals.bits, literals.codes, distances.bits, distances.codes);
    }
    if (block.isLast) this.#align();
    return true;
  }

  #count({ symbols, count }: Block): void {
    const literals = this.#literals.counts.fill(0);
    const distances = this.#distances.counts.fill(0);
    for (let index = 0; index < count; index++) {
      const symbol = symbols[index] as number;
      if (symbol < LITERALS) {
        literals[symbol] = (literals[symbol] as number) + 1;
      } else {
        const code = LITERALS + 1 + (LENGTH_CODE[symbol & 255] as number);
        literals[code] = (literals[code] as number) + 1;
        const distance = distanceCode((symbol >>> 8) - 1);
        distances[distance] = (distances[distance] as number) + 1;
      }
    }
    literals[END_OF_BLOCK] = 1;
  }

  #store(plain: Uint8Array, last: number): boolean {
    const start = this.length + ((this.#bitCount + HEAD_BITS + 7) >>> 3);
    if (start + 4 + plain.length > this.#limit) return false;
    this.#put((STORED << 1) | last, HEAD_BITS);
    this.#align();
    this.#put(plain.length & 0xffff, 16);
    this.#put(~plain.length & 0xffff, 16);
    this.bytes.set(plain, this.length);
    this.length += plain.length;
    return true;
  }

  /** Makes the code for the lengths of both codes. @returns the bits that naming them takes */
  #nameLengths(): number {
    const lengths = this.#lengths;
    lengths.counts.fill(0);
    this.#runCount = 0;
    this.#findRuns(this.#literals);
    this.#findRuns(this.#distances);
    lengths.build();
    const named = this.#namedLengths();
    return CODE_COUNT_BITS + 3 * named + lengths.cost(REPEAT_EXTRA, REPEAT);
  }

  /** How many of the lengths of codes of code lengths have to be named, at least 4. */
  #namedLengths(): number {
    let named = LENGTH_ORDER.length;
    while (named > 4 && this.#lengths.bits[LENGTH_ORDER[named - 1] as number] === 0) named -= 1;
    return named;
  }

  /** Equal lengths in a row are named together, in the pieces in which zlib names them. */
  #findRuns({ bits, last }: Code): void {
    let previous = -1;
    for (let at = 0; at <= last;) {
      const length = bits[at] as number;
      // A repetition of what the run before it ended with needs nothing to repeat first.
      const most = length === 0 ? 138 : length === previous ? 6 : 7;
      let count = 1;
      while (count < most && at + count <= last && bits[at + count] === length) count += 1;
      at += count;
      if (length === 0 && count >= 3) {
        if (count <= 10) this.#addRun(ZEROS, count - 3);
        else this.#addRun(MANY_ZEROS, count - 11);
      } else if (length !== 0 && count >= (length === previous ? 3 : 4)) {
        if (length !== previous) this.#addRun(length, 0);
        this.#addRun(REPEAT, count - (length === previous ? 3 : 4));
      } else {
        for (let index = 0; index < count; index++) this.#addRun(length, 0);
      }
      previous = length;
    }
  }

  #addRun(code: number, extra: number): void {
    this.#runs[this.#runCount++] = (extra << 8) | code;
    const { counts } = this.#lengths;
    counts[code] = (counts[code] as number) + 1;
  }

  /** 3.2.7: both codes, by the lengths of their codes. */
  #writeCodes(): void {
    const { bits, codes } = this.#lengths;
    const named = this.#namedLengths();
    this.#put(this.#literals.last + 1 - 257, 5);
    this.#put(this.#distances.last + 1 - 1, 5);
    this.#put(named - 4, 4);
    for (let index = 0; index < named; index++) {
      this.#put(bits[LENGTH_ORDER[index] as number] as number, 3);
    }
    for (let index = 0; index < this.#runCount; index++) {
      const run = this.#runs[index] as number;
      const code = run & 255;
      this.#put(codes[code] as number, bits[code] as number);
      if (code >= REPEAT) this.#put(run >>> 8, REPEAT_EXTRA[code - REPEAT] as number);
    }
  }

  #fillLengthCodes(bits: Uint8Array, codes: Uint16Array): void {
    for (let less = 0; less < 256; less++) {
      const code = LENGTH_CODE[less] as number;
      const own = bits[LITERALS + 1 + code] as number;
      const extra = less - (LENGTH_BASE[code] as number);
      this.#lengthCodes[less] = (codes[LITERALS + 1 + code] as number) | (extra << own);
      this.#lengthBits[less] = own + (LENGTH_EXTRA[code] as number);
    }
  }

  #write(
    { symbols, count }: Block,
    literalBits: Uint8Array,
    literalCodes: Uint16Array,
    distanceBits: Uint8Array,
    distanceCodes: Uint16Array,
  ): void {
    const { bytes } = this;
    const lengthCodes = this.#lengthCodes;
    const lengthBits = this.#lengthBits;
    let at = this.length;
    let bits = this.#bits;
    let held = this.#bitCount;
    // Fewer than 16 bits are held between two symbols: each part is put on top of at most 16.
    for (let index = 0; index < count; index++) {
      const symbol = symbols[index] as number;
      if (symbol < LITERALS) {
        bits |= (literalCodes[symbol] as number) << held;
        held += literalBits[symbol] as number;
      } else {
        // At most 20 bits.
        const lengthCode = lengthCodes[symbol & 255] as number;
        if (held >= 8) {
          bytes[at++] = bits;
          bits >>>= 8;
          held -= 8;
        }
        bits |= lengthCode << held;
        held += lengthBits[symbol & 255] as number;
        if (held >= 16) {
          bytes[at++] = bits;
          bytes[at++] = bits >>> 8;
          bits >>>= 16;
          held -= 16;
        }
        const less = (symbol >>> 8) - 1;
        const code = distanceCode(less);
        bits |= (distanceCodes[code] as number) << held;
        held += distanceBits[code] as number;
        if (held >= 16) {
          bytes[at++] = bits;
          bytes[at++] = bits >>> 8;
          bits >>>= 16;
          held -= 16;
        }
        bits |= (less - (DISTANCE_BASE[code] as number)) << held;
        held += DISTANCE_EXTRA[code] as number;
      }
      if (held >= 16) {
        bytes[at++] = bits;
        bytes[at++] = bits >>> 8;
        bits >>>= 16;
        held -= 16;
      }
    }
    this.length = at;
    this.#bits = bits;
    this.#bitCount = held;
    this.#put(literalCodes[END_OF_BLOCK] as number, literalBits[END_OF_BLOCK] as number);
  }

  /** @param count at most 16 */
  #put(value: number, count: number): void {
    this.#bits |= value << this.#bitCount;
    this.#bitCount += count;
    while (this.#bitCount >= 8) {
      this.bytes[this.length++] = this.#bits;
      this.#bits >>>= 8;
      this.#bitCount -= 8;
    }
  }

  /** Fills the last byte up with zeros. */
  #align(): void {
    if (this.#bitCount > 0) this.bytes[this.length++] = this.#bits;
    this.#bits = 0;
    this.#bitCount = 0;
  }
}
