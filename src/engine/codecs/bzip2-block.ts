/** One block of a bzip2 stream: Huffman codes, move-to-front, Burrows-Wheeler, run lengths. */
import type { BitReader } from './bzip2-bits.ts';
import { StreamFault } from './stream-decoder.ts';

/** Bytes of a block for each level from 1 to 9. */
export const LEVEL_BYTES = 100_000;
/** One selector of a code is for so many symbols. */
const GROUP = 50;
const MAX_LENGTH = 20;
/** Codes up to this length are found with one look. */
const FAST_BITS = 10;
/** More selectors than a full block needs are there for nothing. */
const MAX_SELECTORS = 18002;
const RUN_A = 0;
const RUN_B = 1;
/** Runs that are longer than any block. */
const MAX_RUN = 2 ** 21;
/** So many equal bytes are followed by how often more the same comes. */
const RUN_BYTES = 4;

/** The built-in copying and filling costs about as much to call as to move so many bytes. */
const SHORT = 12;

/** CRC-32 with the highest bit first, polynomial 0x04c11db7. */
const CRC = new Int32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let value = byte << 24;
  for (let bit = 0; bit < 8; bit++) value = (value << 1) ^ (value < 0 ? 0x04c11db7 : 0);
  CRC[byte] = value;
}

/** One Huffman code. */
interface Code {
  /** By the next FAST_BITS bits: symbol × 32 + length; 0 where the code is longer. */
  readonly fast: Uint16Array;
  /** For each length the first number that is no code of it, as numbers of MAX_LENGTH bits. */
  readonly limits: Int32Array;
  /** For each length the index of its first symbol in `symbols`, less its first code. */
  readonly bases: Int32Array;
  /** Symbols in the order of their codes. */
  readonly symbols: Uint16Array;
}

function corrupt(what: string): StreamFault {
  return new StreamFault('corrupt', what);
}

/** The code that has these lengths. @throws StreamFault corrupt: more codes than bits can tell apart */
function buildCode(lengths: Uint8Array): Code {
  const fast = new Uint16Array(1 << FAST_BITS);
  const limits = new Int32Array(MAX_LENGTH + 1);
  const bases = new Int32Array(MAX_LENGTH + 1);
  const symbols = new Uint16Array(lengths.length);
  let code = 0;
  let index = 0;
  for (let length = 1; length <= MAX_LENGTH; length++) {
    bases[length] = index - code;
    for (const [symbol, own] of lengths.entries()) {
      if (own !== length) continue;
      symbols[index++] = symbol;
      if (code >= 1 << length) throw corrupt('code');
      if (length <= FAST_BITS) {
        const start = code << (FAST_BITS - length);
        fast.fill(symbol * 32 + length, start, start + (1 << (FAST_BITS - length)));
      }
      code++;
    }
    limits[length] = code << (MAX_LENGTH - length);
    code <<= 1;
  }
  return { fast, limits, bases, symbols };
}

/** Takes one symbol. */
function takeSymbol(bits: BitReader, { fast, limits, bases, symbols }: Code): number {
  const next = bits.peek(MAX_LENGTH);
  const entry = fast[next >>> (MAX_LENGTH - FAST_BITS)] as number;
  if (entry !== 0) {
    bits.skip(entry & 31);
    return entry >>> 5;
  }
  for (let length = FAST_BITS + 1; length <= MAX_LENGTH; length++) {
    if (next >= (limits[length] as number)) continue;
    bits.skip(length);
    return symbols[(bases[length] as number) + (next >>> (MAX_LENGTH - length))] as number;
  }
  throw corrupt('symbol');
}

function moveToFront(order: Uint8Array, index: number): void {
  const first = order[index] as number;
  if (index < SHORT) for (let i = index; i > 0; i--) order[i] = order[i - 1] as number;
  else order.copyWithin(1, 0, index);
  order[0] = first;
}

/** Takes the bytes that occur in the block, in their order. */
function takeAlphabet(bits: BitReader): Uint8Array {
  const alphabet = new Uint8Array(256);
  let size = 0;
  const sixteens = bits.take(16);
  for (let high = 0; high < 16; high++) {
    if (((sixteens << high) & 0x8000) === 0) continue;
    const used = bits.take(16);
    for (let low = 0; low < 16; low++) {
      if (((used << low) & 0x8000) !== 0) alphabet[size++] = high * 16 + low;
    }
  }
  if (size === 0) throw corrupt('no bytes');
  return alphabet.subarray(0, size);
}

/** Takes which code is used for each group of symbols. */
function takeSelectors(bits: BitReader, codes: number): Uint8Array {
  const count = bits.take(15);
  if (count === 0) throw corrupt('selectors');
  const selectors = new Uint8Array(Math.min(count, MAX_SELECTORS));
  const order = Uint8Array.from({ length: codes }, (_, index) => index);
  for (let i = 0; i < count; i++) {
    let place = 0;
    while (bits.take(1) === 1) {
      if (++place >= codes) throw corrupt('selector');
    }
    const selector = order[place] as number;
    moveToFront(order, place);
    if (i < MAX_SELECTORS) selectors[i] = selector;
  }
  bits.assertInside();
  return selectors;
}

function takeCode(bits: BitReader, symbols: number): Code {
  const lengths = new Uint8Array(symbols);
  let length = bits.take(5);
  for (let symbol = 0; symbol < symbols; symbol++) {
    for (;;) {
      if (length < 1 || length > MAX_LENGTH) throw corrupt('code length');
      if (bits.take(1) === 0) break;
      length += bits.take(1) === 0 ? 1 : -1;
    }
    lengths[symbol] = length;
  }
  bits.assertInside();
  return buildCode(lengths);
}

/** Blocks of a stream, one after the other, in the same memory. */
export class Bzip2Block {
  /** For each place of the sorted text its byte, and the place of the byte behind it × 256. */
  readonly #text: Int32Array;
  /** Bytes in the block, before runs are made long again. */
  #length = 0;
  #used = 0;
  /** The place of the next byte. */
  #place = 0;
  #last = -1;
  /** Equal bytes so far. */
  #run = 0;
  /** How often `last` is still to come. */
  #repeat = 0;
  #crc = -1;
  #expected = 0;

  /** @param level from 1 to 9 */
  constructor(level: number) {
    this.#text = new Int32Array(level * LEVEL_BYTES);
  }

  /** The checksum that the block has of itself. */
  get checksum(): number {
    return this.#expected;
  }

  /**
   * Takes a block, from behind its magic number on.
   * @throws StreamFault corrupt, short, unsupported
   */
  read(bits: BitReader): void {
    this.#expected = bits.take32();
    if (bits.take(1) === 1) throw new StreamFault('unsupported', 'randomised block');
    const origin = bits.take(24);
    const alphabet = takeAlphabet(bits);
    const count = bits.take(3);
    if (count < 2 || count > 6) throw corrupt('codes');
    const selectors = takeSelectors(bits, count);
    const codes: Code[] = [];
    for (let i = 0; i < count; i++) codes.push(takeCode(bits, alphabet.length + 2));
    const counts = new Uint32Array(256);
    this.#length = this.#takeText(bits, { alphabet, selectors, codes, counts });
    if (origin >= this.#length) throw corrupt('origin');
    this.#chain(counts);
    this.#place = (this.#text[origin] as number) >>> 8;
    this.#used = 0;
    this.#last = -1;
    this.#run = 0;
    this.#repeat = 0;
    this.#crc = -1;
  }

  /** Takes the symbols of a block; returns how many bytes they are. */
  #takeText(
    bits: BitReader,
    tables: { alphabet: Uint8Array; selectors: Uint8Array; codes: Code[]; counts: Uint32Array },
  ): number {
    const { alphabet, selectors, codes, counts } = tables;
    const text = this.#text;
    const order = alphabet.slice();
    const end = alphabet.length + 1;
    let length = 0;
    let run = 0;
    let weight = 1;
    for (const selector of selectors) {
      const code = codes[selector] as Code;
      bits.assertInside();
      for (let left = GROUP; left > 0; left--) {
        const symbol = takeSymbol(bits, code);
        if (symbol <= RUN_B) {
          if (weight >= MAX_RUN) throw corrupt('run');
          run += symbol === RUN_A ? weight : weight * 2;
          weight *= 2;
          continue;
        }
        if (run > 0) {
          if (length + run > text.length) throw corrupt('too long');
          const byte = order[0] as number;
          counts[byte] = (counts[byte] as number) + run;
          text.fill(byte, length, length + run);
          length += run;
          run = 0;
          weight = 1;
        }
        if (symbol === end) {
          bits.assertInside();
          return length;
        }
        if (length >= text.length) throw corrupt('too long');
        const byte = order[symbol - 1] as number;
        moveToFront(order, symbol - 1);
        counts[byte] = (counts[byte] as number) + 1;
        text[length++] = byte;
      }
    }
    throw corrupt('no end');
  }

  /** Undoes the sorting: notes with each byte where the next one is. */
  #chain(counts: Uint32Array): void {
    const text = this.#text;
    let sum = 0;
    for (let byte = 0; byte < 256; byte++) {
      const count = counts[byte] as number;
      counts[byte] = sum;
      sum += count;
    }
    for (let i = 0; i < this.#length; i++) {
      const byte = (text[i] as number) & 0xff;
      const place = counts[byte] as number;
      counts[byte] = place + 1;
      text[place] = ((text[place] as number) & 0xff) | (i << 8);
    }
  }

  /** Writes what comes next from `at` on; returns where it ended. */
  write(target: Uint8Array, at: number): number {
    const text = this.#text;
    const length = this.#length;
    let used = this.#used;
    let place = this.#place;
    let last = this.#last;
    let run = this.#run;
    let repeat = this.#repeat;
    const start = at;
    const end = target.length;
    for (;;) {
      if (repeat > 0) {
        const count = Math.min(repeat, end - at);
        if (count === 0) break;
        if (count > SHORT) target.fill(last, at, at + count);
        else for (let i = 0; i < count; i++) target[at + i] = last;
        at += count;
        repeat -= count;
        continue;
      }
      if (used === length || (at === end && run !== RUN_BYTES)) break;
      const entry = text[place] as number;
      place = entry >>> 8;
      used++;
      const byte = entry & 0xff;
      if (run === RUN_BYTES) {
        repeat = byte;
        run = 0;
        continue;
      }
      run = byte === last && run > 0 ? run + 1 : 1;
      last = byte;
      target[at++] = byte;
    }
    this.#used = used;
    this.#place = place;
    this.#last = last;
    this.#run = run;
    this.#repeat = repeat;
    this.#crc = crcOf(target.subarray(start, at), this.#crc);
    return at;
  }

  /** Whether all of it was written. @throws StreamFault corrupt: it was, and its checksum is wrong */
  isWritten(): boolean {
    if (this.#repeat > 0 || this.#used < this.#length) return false;
    if (~this.#crc >>> 0 !== this.#expected) throw corrupt('checksum');
    return true;
  }
}

function crcOf(bytes: Uint8Array, before: number): number {
  let crc = before;
  for (let i = 0; i < bytes.length; i++) {
    crc = (crc << 8) ^ (CRC[((crc >>> 24) ^ (bytes[i] as number)) & 0xff] as number);
  }
  return crc;
}
