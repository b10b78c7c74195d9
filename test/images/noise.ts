/** Repeatable noise; with a small alphabet it is compressible. */
const POOL = 2 ** 20;
const pools = new Map<number, Uint8Array>();

/** Another piece of the same noise for each seed: making new noise each time would rule the tests. */
export function noise(seed: number, length: number, alphabet = 256): Uint8Array {
  let pool = pools.get(alphabet);
  if (pool === undefined) {
    pool = freshNoise(alphabet, POOL, alphabet);
    pools.set(alphabet, pool);
  }
  const bytes = new Uint8Array(length);
  let from = Math.imul(seed + 1, 0x9e3779b1) & (POOL - 1);
  for (let at = 0; at < length; from = 0) {
    const part = pool.subarray(from, from + length - at);
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Noise that is made for this seed alone (xorshift). */
export function freshNoise(seed: number, length: number, alphabet = 256): Uint8Array {
  let state = (seed * 2654435761) >>> 0 || 1;
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = (state >>> 0) % alphabet;
  }
  return bytes;
}
