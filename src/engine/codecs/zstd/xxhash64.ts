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

/** Bytes that the four lanes take at once. */
const STRIPE = 32;

/**
 * XXH64 with seed 0 of bytes that come in pieces. The stripes are worked through in halves of 32
 * bits, since all bytes pass here; only what is done once at the end is done with BigInt.
 */
export class XxHash64 {
  /** The four lanes, low half and high half in turn. */
  readonly #lanes = new Int32Array(8);
  readonly #tail = new Uint8Array(STRIPE);
  #tailLength = 0;
  #length = 0;

  constructor() {
    for (const [index, value] of [word(P1 + P2), P2, 0n, word(-P1)].entries()) {
      this.#lanes[index * 2] = Number(BigInt.asIntN(32, value));
      this.#lanes[index * 2 + 1] = Number(BigInt.asIntN(32, value >> 32n));
    }
  }

  update(bytes: Uint8Array): void {
    this.#length += bytes.length;
    let at = 0;
    if (this.#tailLength > 0) {
      at = Math.min(STRIPE - this.#tailLength, bytes.length);
      this.#tail.set(bytes.subarray(0, at), this.#tailLength);
      this.#tailLength += at;
      if (this.#tailLength < STRIPE) return;
      takeStripes(this.#lanes, this.#tail, 0);
      this.#tailLength = 0;
    }
    at = takeStripes(this.#lanes, bytes, at);
    this.#tail.set(bytes.subarray(at));
    this.#tailLength = bytes.length - at;
  }

  /** The low 32 bits of the hash of everything taken. */
  low(): number {
    let hash = P5;
    if (this.#length >= STRIPE) {
      const lanes = [0, 1, 2, 3].map((index) => {
        const [low = 0, high = 0] = this.#lanes.subarray(index * 2, index * 2 + 2);
        return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
      });
      const turns = [1n, 7n, 12n, 18n];
      hash = word(lanes.reduce((sum, lane, i) => sum + rotate(lane, turns[i] ?? 0n), 0n));
      for (const lane of lanes) hash = word((hash ^ round(0n, lane)) * P1 + P4);
    }
    return finish(word(hash + BigInt(this.#length)), this.#tail.subarray(0, this.#tailLength));
  }
}

/** The bytes behind the last stripe, and the last mixing. */
function finish(start: bigint, bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let hash = start;
  let at = 0;
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

const [P1_LOW, P1_HIGH, P2_LOW, P2_HIGH] = [P1, P1 >> 32n, P2, P2 >> 32n].map((value) =>
  Number(BigInt.asIntN(32, value)),
) as [number, number, number, number];

/** Works through whole stripes from `at` on; returns where they end. */
function takeStripes(lanes: Int32Array, bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (; at + STRIPE <= bytes.length; at += STRIPE) {
    for (let lane = 0; lane < 8; lane += 2) {
      const low = view.getInt32(at + lane * 4, true);
      const high = view.getInt32(at + lane * 4 + 4, true);
      takeWord(lanes, lane, low, high);
    }
  }
  return at;
}

/** One {@link round} in halves. */
function takeWord(lanes: Int32Array, lane: number, low: number, high: number): void {
  // lane + input * P2
  let crossed = Math.imul(high, P2_LOW) + Math.imul(low, P2_HIGH) + upper(low, P2_LOW);
  const before = Math.imul(low, P2_LOW) >>> 0;
  const sum = before + ((lanes[lane] as number) >>> 0);
  const sumLow = sum | 0;
  const sumHigh = (crossed + (lanes[lane + 1] as number) + (sum > 0xffffffff ? 1 : 0)) | 0;
  // Turned left by 31 bits: the halves change places, and all goes one to the right.
  const turnedLow = (sumHigh >>> 1) | (sumLow << 31);
  const turnedHigh = (sumLow >>> 1) | (sumHigh << 31);
  crossed = Math.imul(turnedHigh, P1_LOW) + Math.imul(turnedLow, P1_HIGH);
  lanes[lane] = Math.imul(turnedLow, P1_LOW);
  lanes[lane + 1] = (crossed + upper(turnedLow, P1_LOW)) | 0;
}

/** The upper 32 bits of the product of two unsigned numbers of 32 bits. */
function upper(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const crossA = Math.imul(a1, b0) >>> 0;
  const crossB = Math.imul(a0, b1) >>> 0;
  const middle = (Math.imul(a0, b0) >>> 16) + (crossA & 0xffff) + (crossB & 0xffff);
  return (Math.imul(a1, b1) + (crossA >>> 16) + (crossB >>> 16) + (middle >>> 16)) | 0;
}

/** The low 32 bits of XXH64 with seed 0. */
export function xxhash64Low(bytes: Uint8Array): number {
  const hash = new XxHash64();
  hash.update(bytes);
  return hash.low();
}
