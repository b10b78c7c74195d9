/**
 * AES on single blocks (FIPS 197), for what WebCrypto cannot do: it knows no way to encrypt many
 * blocks independently of each other, and not every browser's knows keys of 192 bits.
 *
 * A block is four 32-bit words as a little-endian machine loads them from memory, and every machine
 * that a browser runs on is one. A round is four table lookups a word («T-tables»); like any
 * implementation with tables, its time depends on the data, which matters where somebody else's
 * program can measure it on the same processor: nothing is decrypted here on anybody's demand.
 */

/** Words of a block. */
export const BLOCK_WORDS = 4;
/** Bytes of a block. */
export const BLOCK_BYTES = 16;

/** The S-box and its inverse, and the tables of a whole round of each direction. */
interface Tables {
  readonly box: Uint8Array;
  readonly inverseBox: Uint8Array;
  /** Four tables of 256 words behind each other, one for each byte of a word. */
  readonly encrypt: Int32Array;
  readonly decrypt: Int32Array;
}

let tables: Tables | undefined;

/** Twice a field element: GF(2^8) modulo x^8+x^4+x^3+x+1. */
function double(value: number): number {
  return ((value << 1) ^ (value >>> 7 === 1 ? 0x11b : 0)) & 0xff;
}

function multiply(a: number, b: number): number {
  let product = 0;
  for (let factor = a, rest = b; rest > 0; rest >>>= 1) {
    if ((rest & 1) === 1) product ^= factor;
    factor = double(factor);
  }
  return product;
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function makeBoxes(): Pick<Tables, 'box' | 'inverseBox'> {
  const box = new Uint8Array(256);
  const inverseBox = new Uint8Array(256);
  // 3 generates the field, and 0xf6 is its inverse: p and q run through all pairs of inverses.
  for (let step = 0, p = 1, q = 1; step < 256; step++) {
    const value = step === 255 ? 0 : q;
    const turned = [1, 2, 3, 4].reduce(
      (sum, by) => sum ^ ((value << by) | (value >>> (8 - by))),
      0,
    );
    const result = (value ^ turned ^ 0x63) & 0xff;
    const index = step === 255 ? 0 : p;
    box[index] = result;
    inverseBox[result] = index;
    p = multiply(p, 3);
    q = multiply(q, 0xf6);
  }
  return { box, inverseBox };
}

function makeTables(): Tables {
  const { box, inverseBox } = makeBoxes();
  const encrypt = new Int32Array(4 * 256);
  const decrypt = new Int32Array(4 * 256);
  for (let value = 0; value < 256; value++) {
    const s = box[value] ?? 0;
    const forth = multiply(s, 2) | (s << 8) | (s << 16) | (multiply(s, 3) << 24);
    const i = inverseBox[value] ?? 0;
    const back =
      multiply(i, 14) | (multiply(i, 9) << 8) | (multiply(i, 13) << 16) | (multiply(i, 11) << 24);
    for (let row = 0; row < 4; row++) {
      encrypt[row * 256 + value] = rotateLeft(forth, 8 * row);
      decrypt[row * 256 + value] = rotateLeft(back, 8 * row);
    }
  }
  return { box, inverseBox, encrypt, decrypt };
}

/** Each byte of a word through a box. */
function substitute(box: Uint8Array, word: number): number {
  return (
    (box[word & 255] as number) |
    ((box[(word >>> 8) & 255] as number) << 8) |
    ((box[(word >>> 16) & 255] as number) << 16) |
    ((box[word >>> 24] as number) << 24)
  );
}

/** «KeyExpansion»: the round keys of encryption. */
function expandKey(key: Uint8Array, box: Uint8Array): Int32Array {
  const keyWords = key.length / 4;
  const schedule = new Int32Array(BLOCK_WORDS * (keyWords + 7));
  new Uint8Array(schedule.buffer).set(key);
  let constant = 1;
  for (let index = keyWords; index < schedule.length; index++) {
    let word = schedule[index - 1] as number;
    if (index % keyWords === 0) {
      word = substitute(box, rotateLeft(word, 24)) ^ constant;
      constant = double(constant);
    } else if (keyWords > 6 && index % keyWords === 4) {
      word = substitute(box, word);
    }
    schedule[index] = word ^ (schedule[index - keyWords] as number);
  }
  return schedule;
}

/** The round keys of the «equivalent inverse cipher»: from behind, the inner ones transformed. */
function invertSchedule(schedule: Int32Array, { box, decrypt }: Tables): Int32Array {
  const inverse = new Int32Array(schedule.length);
  for (let index = 0; index < schedule.length; index += BLOCK_WORDS) {
    const from = schedule.length - BLOCK_WORDS - index;
    const isInner = index > 0 && from > 0;
    for (let column = 0; column < BLOCK_WORDS; column++) {
      const word = schedule[from + column] as number;
      const s = isInner ? substitute(box, word) : word;
      inverse[index + column] = isInner
        ? (decrypt[s & 255] as number) ^
          (decrypt[256 + ((s >>> 8) & 255)] as number) ^
          (decrypt[512 + ((s >>> 16) & 255)] as number) ^
          (decrypt[768 + (s >>> 24)] as number)
        : s;
    }
  }
  return inverse;
}

/** AES with one key, on many blocks that have nothing to do with each other. */
export class AesBlocks {
  readonly #tables: Tables;
  readonly #forth: Int32Array;
  #back: Int32Array | undefined;

  /** @param key 16, 24 or 32 bytes; not kept */
  constructor(key: Uint8Array) {
    this.#tables = tables ??= makeTables();
    this.#forth = expandKey(key, this.#tables.box);
  }

  /** Encrypts whole blocks in place. */
  encrypt(words: Int32Array): void {
    const { encrypt: t, box } = this.#tables;
    const k = this.#forth;
    const last = k.length - BLOCK_WORDS;
    for (let at = 0; at < words.length; at += BLOCK_WORDS) {
      let a = (words[at] as number) ^ (k[0] as number);
      let b = (words[at + 1] as number) ^ (k[1] as number);
      let c = (words[at + 2] as number) ^ (k[2] as number);
      let d = (words[at + 3] as number) ^ (k[3] as number);
      for (let i = BLOCK_WORDS; i < last; i += BLOCK_WORDS) {
        const e = mix(t, a, b, c, d) ^ (k[i] as number);
        const f = mix(t, b, c, d, a) ^ (k[i + 1] as number);
        const g = mix(t, c, d, a, b) ^ (k[i + 2] as number);
        d = mix(t, d, a, b, c) ^ (k[i + 3] as number);
        a = e;
        b = f;
        c = g;
      }
      words[at] = pick(box, a, b, c, d) ^ (k[last] as number);
      words[at + 1] = pick(box, b, c, d, a) ^ (k[last + 1] as number);
      words[at + 2] = pick(box, c, d, a, b) ^ (k[last + 2] as number);
      words[at + 3] = pick(box, d, a, b, c) ^ (k[last + 3] as number);
    }
  }

  /** Decrypts whole blocks in place. */
  decrypt(words: Int32Array): void {
    const { decrypt: t, inverseBox: box } = this.#tables;
    const k = (this.#back ??= invertSchedule(this.#forth, this.#tables));
    const last = k.length - BLOCK_WORDS;
    for (let at = 0; at < words.length; at += BLOCK_WORDS) {
      let a = (words[at] as number) ^ (k[0] as number);
      let b = (words[at + 1] as number) ^ (k[1] as number);
      let c = (words[at + 2] as number) ^ (k[2] as number);
      let d = (words[at + 3] as number) ^ (k[3] as number);
      for (let i = BLOCK_WORDS; i < last; i += BLOCK_WORDS) {
        const e = mix(t, a, d, c, b) ^ (k[i] as number);
        const f = mix(t, b, a, d, c) ^ (k[i + 1] as number);
        const g = mix(t, c, b, a, d) ^ (k[i + 2] as number);
        d = mix(t, d, c, b, a) ^ (k[i + 3] as number);
        a = e;
        b = f;
        c = g;
      }
      words[at] = pick(box, a, d, c, b) ^ (k[last] as number);
      words[at + 1] = pick(box, b, a, d, c) ^ (k[last + 1] as number);
      words[at + 2] = pick(box, c, b, a, d) ^ (k[last + 2] as number);
      words[at + 3] = pick(box, d, c, b, a) ^ (k[last + 3] as number);
    }
  }
}

/** One word of a round: a byte of each of four words, each through its table. */
function mix(table: Int32Array, a: number, b: number, c: number, d: number): number {
  return (
    (table[a & 255] as number) ^
    (table[256 | ((b >>> 8) & 255)] as number) ^
    (table[512 | ((c >>> 16) & 255)] as number) ^
    (table[768 | (d >>> 24)] as number)
  );
}

/** The same in the last round, which does not mix columns. */
function pick(box: Uint8Array, a: number, b: number, c: number, d: number): number {
  return (
    (box[a & 255] as number) |
    ((box[(b >>> 8) & 255] as number) << 8) |
    ((box[(c >>> 16) & 255] as number) << 16) |
    ((box[d >>> 24] as number) << 24)
  );
}
