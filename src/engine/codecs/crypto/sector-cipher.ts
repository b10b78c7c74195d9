/**
 * Decrypting and encrypting sectors of 512 bytes by their numbers. What is decrypted goes to the
 * platform in pieces, several at a time.
 */
import { SECTOR } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import { pacer } from '../../yield.ts';
import { makeBlockCipher } from './block-cipher.ts';
import { makeChained } from './chained.ts';
import { Cbc, Ctr, Ecb, TAIL_WORDS, Xts, type CipherMode, type Mode } from './modes.ts';
import { sectorAt, type Vectors } from './vectors.ts';

export type { CipherMode } from './modes.ts';

/** Bytes of one piece: fewer cost more calls, more are slower in browsers. */
const PIECE_BYTES = 256 * 1024;
/** Pieces under way at once, whoever wants them. */
const PIECES_AT_ONCE = 4;
const SECTOR_WORDS = SECTOR / 4;

/** One key, and the numbers of sectors. */
export class SectorCipher {
  readonly #mode: Mode;
  readonly #vectors: Vectors;
  /** Room for a piece and its tail, as many as there may be under way. */
  readonly #rooms: Int32Array<ArrayBuffer>[] = [];
  readonly #waiting: ((room: Int32Array<ArrayBuffer>) => void)[] = [];
  readonly #breathe = pacer();
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
    checkSectors(bytes.length, offset);
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

  /**
   * Encrypts whole sectors into memory of its own. Long ones let other events in on the way.
   * @param bytes a multiple of 512; stays as it is
   * @param offset bytes, a multiple of 512: sectors are counted from there
   */
  async encrypt(bytes: Uint8Array, offset: number): Promise<Uint8Array<ArrayBuffer>> {
    checkSectors(bytes.length, offset);
    const result = new Uint8Array(bytes);
    for (let at = 0; at < result.length; at += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, result.length - at);
      const words = new Int32Array(result.buffer, at, length / 4);
      this.#mode.encrypt(words, this.#vectors(sectorAt(offset + at), length / SECTOR));
      const pause = this.#breathe();
      if (pause !== undefined) await pause;
    }
    return result;
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

function checkSectors(length: number, offset: number): void {
  if (length % SECTOR === 0 && offset % SECTOR === 0) return;
  throw new ImageError('internal', { reason: 'a part of a sector to decrypt or to encrypt' });
}

/**
 * Prepares the key of a disk. The key is not kept, but the round keys of what the platform cannot
 * do are: of encrypting, and of what makes the vectors.
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
      const [first, second] = [key.slice(0, half), key.slice(half)];
      const chained = await makeChained(first);
      const xts = new Xts(chained, makeBlockCipher(first), makeBlockCipher(second));
      for (const one of [first, second]) one.fill(0);
      return new SectorCipher(xts, vectors);
    }
    case 'cbc':
      return new SectorCipher(new Cbc(await makeChained(key), makeBlockCipher(key)), vectors);
    case 'ecb':
      return new SectorCipher(new Ecb(await makeChained(key), makeBlockCipher(key)), vectors);
    case 'ctr':
      return new SectorCipher(new Ctr(makeBlockCipher(key)), vectors);
  }
}
