/**
 * AES on many blocks, each for itself: by whoever does it fastest. WebCrypto has no such mode; a
 * platform that has one offers it here, and our own AES does the rest.
 */
import { AesBlocks } from './aes.ts';

/** AES encryption with one key. */
export interface BlockCipher {
  /** Encrypts whole blocks in place, each for itself. @param words four to a block */
  encrypt(words: Int32Array): void;
}

/** Prepares a key of 16, 24 or 32 bytes, of which it takes a copy. */
export type BlockCipherFactory = (key: Uint8Array) => BlockCipher;

let offered: BlockCipherFactory | undefined;

/** Uses what the platform has from now on; undefined: our own again. */
export function offerBlockCipher(factory: BlockCipherFactory | undefined): void {
  offered = factory;
}

/** @param key 16, 24 or 32 bytes; not kept */
export function makeBlockCipher(key: Uint8Array): BlockCipher {
  return offered?.(key) ?? new AesBlocks(key);
}
