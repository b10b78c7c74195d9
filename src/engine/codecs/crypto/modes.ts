/**
 * AES over sectors of 512 bytes, each for itself, in the modes that LUKS has. Decrypting is left to
 * the platform, which does many blocks at once; encrypting is not in its power (it chains), and so
 * is done by {@link BlockCipher}. What is done here is to add and to shift.
 */
import { SECTOR } from '../../binary/units.ts';
import { yieldToEvents } from '../../yield.ts';
import { BLOCK_WORDS } from './aes.ts';
import type { BlockCipher } from './block-cipher.ts';
import { TAIL_BYTES, type Chained } from './chained.ts';

export type CipherMode = 'xts' | 'cbc' | 'ecb' | 'ctr';

const SECTOR_WORDS = SECTOR / 4;
/** Words of room that a mode wants behind those of the sectors. */
export const TAIL_WORDS = TAIL_BYTES / 4;

/** What a mode does with whole sectors. Of the vectors, four words belong to each. */
export interface Mode {
  /**
   * Decrypts in place.
   * @param vectors may be overwritten
   * @param room as long as the sectors and {@link TAIL_WORDS}
   */
  decrypt(
    words: Int32Array<ArrayBuffer>,
    vectors: Int32Array<ArrayBuffer>,
    room: Int32Array<ArrayBuffer>,
  ): Promise<void>;

  /**
   * Encrypts in place, at once.
   * @param vectors may be overwritten
   */
  encrypt(words: Int32Array, vectors: Int32Array): void;
}

/** XTS-AES (IEEE 1619): P = D(C xor T) xor T, T being doubled from block to block. */
export class Xts implements Mode {
  readonly #chained: Chained;
  readonly #first: BlockCipher;
  readonly #second: BlockCipher;

  constructor(chained: Chained, first: BlockCipher, second: BlockCipher) {
    this.#chained = chained;
    this.#first = first;
    this.#second = second;
  }

  async decrypt(
    words: Int32Array<ArrayBuffer>,
    tweaks: Int32Array<ArrayBuffer>,
    room: Int32Array<ArrayBuffer>,
  ): Promise<void> {
    this.#second.encrypt(tweaks);
    addTweaks(words, tweaks, room);
    const chained = await this.#chained.decrypt(room);
    takeTweaks(words, room, chained);
  }

  encrypt(words: Int32Array, tweaks: Int32Array): void {
    this.#second.encrypt(tweaks);
    addTweaks(words, tweaks, words);
    this.#first.encrypt(words);
    addTweaks(words, tweaks, words);
  }
}

/** `target` = `words` xor the tweak of each block. */
function addTweaks(words: Int32Array, tweaks: Int32Array, target: Int32Array): void {
  for (let sector = 0, at = 0; at < words.length; sector += BLOCK_WORDS) {
    let a = tweaks[sector] as number;
    let b = tweaks[sector + 1] as number;
    let c = tweaks[sector + 2] as number;
    let d = tweaks[sector + 3] as number;
    for (const end = at + SECTOR_WORDS; at < end; at += BLOCK_WORDS) {
      target[at] = (words[at] as number) ^ a;
      target[at + 1] = (words[at + 1] as number) ^ b;
      target[at + 2] = (words[at + 2] as number) ^ c;
      target[at + 3] = (words[at + 3] as number) ^ d;
      // Doubling in GF(2^128), the lowest bit first.
      const carry = (d >> 31) & 0x87;
      d = (d << 1) | (c >>> 31);
      c = (c << 1) | (b >>> 31);
      b = (b << 1) | (a >>> 31);
      a = (a << 1) ^ carry;
    }
  }
}

/**
 * Takes the chaining and the tweaks off again: a tweak is what the ciphertext in `words` and what
 * was made of it in `added` differ by.
 */
function takeTweaks(words: Int32Array, added: Int32Array, chained: Int32Array): void {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let at = 0; at < words.length; at += BLOCK_WORDS) {
    const e = added[at] as number;
    const f = added[at + 1] as number;
    const g = added[at + 2] as number;
    const h = added[at + 3] as number;
    words[at] = (words[at] as number) ^ (chained[at] as number) ^ e ^ a;
    words[at + 1] = (words[at + 1] as number) ^ (chained[at + 1] as number) ^ f ^ b;
    words[at + 2] = (words[at + 2] as number) ^ (chained[at + 2] as number) ^ g ^ c;
    words[at + 3] = (words[at + 3] as number) ^ (chained[at + 3] as number) ^ h ^ d;
    a = e;
    b = f;
    c = g;
    d = h;
  }
}

/**
 * Decrypts in place as one chain, and takes the chaining off the first block of every `stride`
 * words, which does not belong to a chain from before.
 */
async function decryptChains(
  chained: Chained,
  words: Int32Array<ArrayBuffer>,
  room: Int32Array<ArrayBuffer>,
  stride: number,
): Promise<void> {
  room.set(words);
  const clear = await chained.decrypt(room);
  words.set(clear.subarray(0, words.length));
  for (let at = stride; at < words.length; at += stride) {
    for (let to = at; to < at + BLOCK_WORDS; to++) {
      words[to] = (words[to] as number) ^ (room[to - BLOCK_WORDS] as number);
    }
  }
}

/** Chained within a sector: what the platform gives is right but for the first block of each. */
export class Cbc implements Mode {
  readonly #chained: Chained;
  readonly #blocks: BlockCipher;

  constructor(chained: Chained, blocks: BlockCipher) {
    this.#chained = chained;
    this.#blocks = blocks;
  }

  async decrypt(
    words: Int32Array<ArrayBuffer>,
    vectors: Int32Array<ArrayBuffer>,
    room: Int32Array<ArrayBuffer>,
  ): Promise<void> {
    await decryptChains(this.#chained, words, room, SECTOR_WORDS);
    for (let at = 0, vector = 0; at < words.length; at += SECTOR_WORDS) {
      for (let to = at; to < at + BLOCK_WORDS; to++) {
        words[to] = (words[to] as number) ^ (vectors[vector++] as number);
      }
    }
  }

  /** A block needs the one before: the first ones of all sectors together, then the second ones. */
  encrypt(words: Int32Array, chain: Int32Array): void {
    for (let block = 0; block < SECTOR_WORDS; block += BLOCK_WORDS) {
      for (let at = block, to = 0; at < words.length; at += SECTOR_WORDS, to += BLOCK_WORDS) {
        for (let column = 0; column < BLOCK_WORDS; column++) {
          const before = chain[to + column] as number;
          chain[to + column] = before ^ (words[at + column] as number);
        }
      }
      this.#blocks.encrypt(chain);
      for (let at = block, from = 0; at < words.length; at += SECTOR_WORDS, from += BLOCK_WORDS) {
        for (let column = 0; column < BLOCK_WORDS; column++) {
          words[at + column] = chain[from + column] as number;
        }
      }
    }
  }
}

/** Every block for itself, without vectors. */
export class Ecb implements Mode {
  readonly #chained: Chained;
  readonly #blocks: BlockCipher;

  constructor(chained: Chained, blocks: BlockCipher) {
    this.#chained = chained;
    this.#blocks = blocks;
  }

  async decrypt(
    words: Int32Array<ArrayBuffer>,
    _vectors: Int32Array<ArrayBuffer>,
    room: Int32Array<ArrayBuffer>,
  ): Promise<void> {
    await decryptChains(this.#chained, words, room, BLOCK_WORDS);
  }

  encrypt(words: Int32Array): void {
    this.#blocks.encrypt(words);
  }
}

/** A counter is encrypted and added: the vector, and one more with each block. */
export class Ctr implements Mode {
  readonly #blocks: BlockCipher;

  constructor(blocks: BlockCipher) {
    this.#blocks = blocks;
  }

  async decrypt(
    words: Int32Array<ArrayBuffer>,
    vectors: Int32Array<ArrayBuffer>,
    room: Int32Array<ArrayBuffer>,
  ): Promise<void> {
    await yieldToEvents();
    this.#add(words, vectors, room.subarray(0, words.length));
  }

  encrypt(words: Int32Array, vectors: Int32Array): void {
    this.#add(words, vectors, new Int32Array(words.length));
  }

  #add(words: Int32Array, vectors: Int32Array, counters: Int32Array): void {
    fillCounters(vectors, counters);
    this.#blocks.encrypt(counters);
    for (let at = 0; at < words.length; at++) {
      words[at] = (words[at] as number) ^ (counters[at] as number);
    }
  }
}

/** The counter is one big-endian number of 128 bits. */
function fillCounters(vectors: Int32Array, counters: Int32Array): void {
  for (let at = 0; at < counters.length; at += BLOCK_WORDS) {
    const first = at % SECTOR_WORDS === 0;
    const from = first ? vectors : counters;
    const index = first ? (at / SECTOR_WORDS) * BLOCK_WORDS : at - BLOCK_WORDS;
    let carry = first ? 0 : 1;
    for (let column = BLOCK_WORDS - 1; column >= 0; column--) {
      const value = (swapBytes(from[index + column] as number) + carry) | 0;
      carry = carry === 1 && value === 0 ? 1 : 0;
      counters[at + column] = swapBytes(value);
    }
  }
}

function swapBytes(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | ((word >>> 24) & 0xff);
}
