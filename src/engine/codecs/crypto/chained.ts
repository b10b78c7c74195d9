/**
 * Many AES blocks decrypted at once by the platform. WebCrypto has no mode without chaining, but
 * its CBC can be taken apart: what it gives for block i is D(C[i]) xor C[i-1], so whoever knows the
 * ciphertext has D of every block. It checks and takes away a padding, for which two blocks of our
 * own are put behind: one of zeros, and one that decrypts to a padding behind it.
 */
import { ImageError } from '../../errors.ts';
import { yieldToEvents } from '../../yield.ts';
import { AesBlocks, BLOCK_BYTES, BLOCK_WORDS } from './aes.ts';

/** Bytes that {@link Chained.decrypt} wants behind the blocks. */
export const TAIL_BYTES = 2 * BLOCK_BYTES;

const ALGORITHM = { name: 'AES-CBC', iv: new Uint8Array(BLOCK_BYTES) };

/** AES decryption with one key: of every block, and the ciphertext of the block before added. */
export interface Chained {
  /**
   * Returns D(C[i]) xor C[i-1] for each block i (C[-1] being zeros), and something behind them.
   * @param blocks as they are, with room for {@link TAIL_BYTES} behind, which is overwritten
   */
  decrypt(blocks: Int32Array<ArrayBuffer>): Promise<Int32Array<ArrayBuffer>>;
}

/**
 * Prepares a key of 16, 24 or 32 bytes, which is not kept: the platform holds it so that nobody
 * can read it back, unless the platform has no keys of that length (24 bytes in Chromium).
 */
export async function makeChained(key: Uint8Array<ArrayBuffer>): Promise<Chained> {
  let handle: CryptoKey;
  try {
    handle = await crypto.subtle.importKey('raw', key, 'AES-CBC', false, ['encrypt', 'decrypt']);
  } catch {
    return new OwnChained(new AesBlocks(key));
  }
  // The encryption of nothing is one block of padding.
  const padding = await crypto.subtle.encrypt(ALGORITHM, handle, new Uint8Array());
  return new PlatformChained(handle, new Int32Array(padding));
}

class PlatformChained implements Chained {
  readonly #key: CryptoKey;
  readonly #padding: Int32Array;

  constructor(key: CryptoKey, padding: Int32Array) {
    this.#key = key;
    this.#padding = padding;
  }

  async decrypt(blocks: Int32Array<ArrayBuffer>): Promise<Int32Array<ArrayBuffer>> {
    blocks.fill(0, -2 * BLOCK_WORDS, -BLOCK_WORDS);
    blocks.set(this.#padding, blocks.length - BLOCK_WORDS);
    try {
      return new Int32Array(await crypto.subtle.decrypt(ALGORITHM, this.#key, blocks));
    } catch (error) {
      throw new ImageError('internal', { reason: 'AES of the platform failed' }, { cause: error });
    }
  }
}

/** The same by our own AES. */
class OwnChained implements Chained {
  readonly #aes: AesBlocks;

  constructor(aes: AesBlocks) {
    this.#aes = aes;
  }

  async decrypt(blocks: Int32Array<ArrayBuffer>): Promise<Int32Array<ArrayBuffer>> {
    await yieldToEvents();
    const result = blocks.slice();
    this.#aes.decrypt(result);
    for (let at = BLOCK_WORDS; at < result.length; at++) {
      result[at] = (result[at] as number) ^ (blocks[at - BLOCK_WORDS] as number);
    }
    return result;
  }
}
