/** WebCrypto gives no more at once, bytes. */
const MOST_AT_ONCE = 65536;

/** Bytes that nobody can guess: for keys and salts. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += MOST_AT_ONCE) {
    crypto.getRandomValues(bytes.subarray(at, at + MOST_AT_ONCE));
  }
  return bytes;
}
