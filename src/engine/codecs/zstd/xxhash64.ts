/** XXH64, of which Zstandard keeps the low half as the checksum of a frame. RFC 8878, 3.1.1. */

const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;

function word(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

function rotate(value: bigint, bits: bigint): bigint {
  return word(value << bits) | (value >> (64n - bits));
}

function round(lane: bigint, input: bigint): bigint {
  return word(rotate(word(lane + input * P2), 31n) * P1);
}

/**
 * The low 32 bits of XXH64 with seed 0. Slow (BigInt): QEMU writes no checksums, so this is for
 * the rare frame that another program made.
 */
export function xxhash64Low(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let hash = P5;
  if (bytes.length >= 32) {
    let lanes = [word(P1 + P2), P2, 0n, word(-P1)];
    for (; at + 32 <= bytes.length; at += 32) {
      const base = at;
      lanes = lanes.map((lane, i) => round(lane, view.getBigUint64(base + i * 8, true)));
    }
    const turns = [1n, 7n, 12n, 18n];
    hash = word(lanes.reduce((sum, lane, i) => sum + rotate(lane, turns[i] ?? 0n), 0n));
    for (const lane of lanes) hash = word((hash ^ round(0n, lane)) * P1 + P4);
  }
  hash = word(hash + BigInt(bytes.length));
  for (; at + 8 <= bytes.length; at += 8) {
    hash = word(rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4);
  }
  if (at + 4 <= bytes.length) {
    hash = word(rotate(hash ^ word(BigInt(view.getUint32(at, true)) * P1), 23n) * P2 + P3);
    at += 4;
  }
  for (; at < bytes.length; at++) {
    hash = word(rotate(hash ^ word(BigInt(bytes[at] ?? 0) * P5), 11n) * P1);
  }
  hash = word((hash ^ (hash >> 33n)) * P2);
  hash = word((hash ^ (hash >> 29n)) * P3);
  hash ^= hash >> 32n;
  return Number(hash & 0xffffffffn);
}
