/** AES of Node's OpenSSL, which uses what the processor has for it: some fifty times ours. */
import { createCipheriv } from 'node:crypto';
import type { BlockCipher } from '../../engine/index.ts';

/** AES on single blocks. @param key 16, 24 or 32 bytes */
export function nodeBlockCipher(key: Uint8Array): BlockCipher {
  const cipher = createCipheriv(`aes-${key.length * 8}-ecb`, key, null).setAutoPadding(false);
  return {
    encrypt(words) {
      const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
      bytes.set(cipher.update(bytes));
    },
  };
}
