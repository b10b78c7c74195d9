/**
 * Decrypting sectors of 512 bytes, each for itself: AES in the modes that LUKS has. The bulk goes
 * to the platform in pieces, several at a time; what is done here is to add and to shift.
 */
import { SECTOR } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import { yieldToEvents } from '../../yield.ts';
import { AesBlocks, BLOCK_WORDS } from './aes.ts';
import { makeChained, TAIL_BYTES, type Chained } from './chained.ts';
import { sectorAt, type Vectors } from './vectors.ts';

export type CipherMode = 'xts' | 'cbc' | 'ecb' | 'ctr';

/** Bytes of one piece: fewer cost more calls, more are slower in browsers. */
const PIECE_BYTES = 256 * 1024;
/** Pieces under way at once, whoever wants them. */
const PIECES_AT_ONCE = 4;
const SECTOR_WORDS = SECTOR / 4;
const TAIL_WORDS = TAIL_BYTES / 4;

/** What a mode does with a piece. */
interface Mode {
  /** Decrypts in place. @param vectors of its sectors; may be overwritten */
  decrypt(
    words: Int32Array<ArrayBuffer>,
    vectors: Int32Array<ArrayBuffer>,
    room: Int32Array<ArrayBuffer>,
  ): Promise<void>;
}

/** Decrypts sectors by their numbers, several pieces at a time. */
export class SectorCipher {
  readonly #mode: Mode;
  readonly #vectors: Vectors;
  /** Room for a piece and its tail, as many as there may be under way. */
  readonly #rooms: Int32Array<ArrayBuffer>[] = [];
  readonly #waiting: ((room: Int32Array<ArrayBuffer>) => void)[] = [];
  #made = 0;

  constructor(mode: Mode, vectors: Vectors) {
    this.#mode = mode;
    this.#vectors = vectors;
  }

  /**
   * Decrypts whole sectors, in place where memory allows it.
   * @param bytes a multiple of 512
   * @param offset bytes, a multiple of 512: sectors are counted from there
   */
  async decrypt(bytes: Uint8Array<ArrayBuffer>, offset: number): Promise<Uint8Array<ArrayBuffer>> {
    if (bytes.length % SECTOR !== 0 || offset % SECTOR !== 0) {
      throw new ImageError('internal', { reason: 'a part of a sector to decrypt' });
    }
    const whole = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
    const pieces: Promise<void>[] = [];
    for (let at = 0; at < whole.length; at += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, whole.length - at);
      const words = new Int32Array(whole.buffer, whole.byteOffset + at, length / 4);
      pieces.push(this.#piece(words, sectorAt(offset + at)));
    }
    await Promise.all(pieces);
    return whole;
  }

  async #piece(words: Int32Array<ArrayBuffer>, firstSector: number): Promise<void> {
    const room = await this.#takeRoom();
    try {
      const vectors = this.#vectors(firstSector, words.length / SECTOR_WORDS);
      await this.#mode.decrypt(words, vectors, room.subarray(0, words.length + TAIL_WORDS));
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#rooms.push(room);
      else next(room);
    }
  }

  #takeRoom(): Int32Array<ArrayBuffer> | Promise<Int32Array<ArrayBuffer>> {
    const room = this.#rooms.pop();
    if (room !== undefined) return room;
    if (this.#made >= PIECES_AT_ONCE) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#made++;
    return new Int32Array(PIECE_BYTES / 4 + TAIL_WORDS);
  }
}

/**
 * Prepares the key of a disk. The key is not kept, but the round keys of what the platform cannot
 * do are: the second key of XTS, and what makes the vectors.
 * @param key 16, 24 or 32 bytes; two keys of such a length behind each other for XTS
 */
export async function makeSectorCipher(
  mode: CipherMode,
  key: Uint8Array<ArrayBuffer>,
  vectors: Vectors,
): Promise<SectorCipher> {
  switch (mode) {
    case 'xts': {
      const half = key.length / 2;
      const chained = await makeChained(key.slice(0, half));
      return new SectorCipher(new Xts(chained, new AesBlocks(key.subarray(half))), vectors);
    }
    case 'cbc':
      return new SectorCipher(new Cbc(await makeChained(key)), vectors);
    case 'ecb':
      return new SectorCipher(new Ecb(await makeChained(key)), vectors);
    case 'ctr':
      return new SectorCipher(new Ctr(new AesBlocks(key)), vectors);
  }
}

/** XTS-AES (IEEE 1619): P = D(C xor T) xor T, T being doubled from block to block. */
class Xts implements Mode {
  readonly #chained: Chained;
  readonly #second: AesBlocks;

  constructor(chained: Chained, second: AesBlocks) {
    this.#chained = chained;
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

/** Chained within a sector: what the platform gives is right but for the first block of each. */
class Cbc implements Mode {
  readonly #chained: Chained;

  constructor(chained: Chained) {
    this.#chained = chained;
  }

  async decrypt(
    words: Int32Array<ArrayBuffer>,
    vectors: Int32Array<ArrayBuffer>,
    room: Int32Array<ArrayBuffer>,
  ): Promise<void> {
    room.set(words);
    const chained = await this.#chained.decrypt(room);
    words.set(chained.subarray(0, words.length));
    for (let at = 0, vector = 0; at < words.length; at += SECTOR_WORDS) {
      for (let column = 0; column < BLOCK_WORDS; column++) {
        const before = at === 0 ? 0 : (room[at - BLOCK_WORDS + column] as number);
        const clear = (words[at + column] as number) ^ before;
        words[at + column] = clear ^ (vectors[vector++] as number);
      }
    }
  }
}

/** Every block for itself, without vectors. */
class Ecb implements Mode {
  readonly #chained: Chained;

  constructor(chained: Chained) {
    this.#chained = chained;
  }

  async decrypt(
    words: Int32Array<ArrayBuffer>,
    _vectors: Int32Array<ArrayBuffer>,
    room: Int32Array<ArrayBuffer>,
  ): Promise<void> {
    room.set(words);
    const chained = await this.#chained.decrypt(room);
    for (let at = 0; at < words.length; at++) {
      const before = at < BLOCK_WORDS ? 0 : (room[at - BLOCK_WORDS] as number);
      words[at] = (chained[at] as number) ^ before;
    }
  }
}

/** A counter is encrypted and added: the vector, and one more with each block. */
class Ctr implements Mode {
  readonly #aes: AesBlocks;

  constructor(aes: AesBlocks) {
    this.#aes = aes;
  }

  async decrypt(
    words: Int32Array<ArrayBuffer>,
    vectors: Int32Array<ArrayBuffer>,
    room: Int32Array<ArrayBuffer>,
  ): Promise<void> {
    await yieldToEvents();
    const counters = room.subarray(0, words.length);
    fillCounters(vectors, counters);
    this.#aes.encrypt(counters);
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
