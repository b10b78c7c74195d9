/**
 * Raw deflate (RFC 1951) for whole clusters: one shot from a sector-padded piece of a file into a
 * buffer of known size. Written for this one use because it rules the time of compressed images:
 * no window, no state to keep, tables reused, a 32-bit bit buffer.
 *
 * What is accepted is what QEMU accepts through zlib: the cluster must be full before the stream
 * breaks. Surplus output and garbage behind the end are ignored; a stream that breaks at the very
 * point where the cluster is full is judged by what follows, as zlib goes on parsing until it needs
 * room for output.
 */

import {
  buildCode,
  codeLengthTable,
  DISTANCE_BITS,
  DISTANCE_EXTRA_MASK,
  DISTANCE_MASK,
  distanceMeaning,
  distanceTable,
  END_OF_BLOCK,
  fixedCodes,
  lengths,
  LITERAL,
  LITERAL_BITS,
  LITERAL_EXTRA_MASK,
  LITERAL_MASK,
  literalMeaning,
  literalTable,
  plainMeaning,
  type Code,
} from './inflate-tables.ts';

/** `short`: the stream ended before the cluster was full; `corrupt`: it is not a deflate stream. */
export type DecompressResult = 'ok' | 'short' | 'corrupt';

/** Longest match; while this much room is left, the fast loop needs no test for it. */
const MAX_MATCH = 258;
/** What {@link Inflater.entry} returns besides entries. */
const OUT_OF_INPUT = -1;
const NO_CODE = -2;
/** RFC 1951 3.2.7: the order in which the code length code's lengths come. */
const CODE_LENGTH_ORDER = new Uint8Array([
  16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
]);

/** What one block ended with. `need`: the input ran out; `full`: no room for more output. */
type BlockEnd = 'end' | 'need' | 'full' | 'corrupt';

class Inflater {
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  readonly view: DataView;
  at = 0;
  out = 0;
  /** Its last block was read to the end. */
  ended = false;
  /** Bits read ahead, the next one lowest. At most 32, so the buffer is used unsigned. */
  hold = 0;
  bits = 0;

  constructor(input: Uint8Array, output: Uint8Array) {
    this.input = input;
    this.view = new DataView(input.buffer, input.byteOffset, input.byteLength);
    this.output = output;
  }

  /** Makes `count` (at most 16) bits ready; false when the input ends before. */
  need(count: number): boolean {
    while (this.bits < count) {
      if (this.at >= this.input.length) return false;
      this.hold |= (this.input[this.at++] as number) << this.bits;
      this.bits += 8;
    }
    return true;
  }

  take(count: number): number {
    const value = this.hold & ((1 << count) - 1);
    this.hold >>>= count;
    this.bits -= count;
    return value;
  }

  run(): DecompressResult {
    for (;;) {
      if (!this.need(3)) return this.exhausted();
      const final = this.take(1) === 1;
      const end = this.block(this.take(2));
      if (end === 'full') return 'ok';
      if (end === 'need') return this.exhausted();
      if (end === 'corrupt') return 'corrupt';
      if (!final) continue;
      this.ended = true;
      return this.exhausted();
    }
  }

  exhausted(): DecompressResult {
    return this.out === this.output.length ? 'ok' : 'short';
  }

  block(type: number): BlockEnd {
    if (type === 0) return this.stored();
    if (type === 1) {
      const { literal, distance } = fixedCodes();
      return this.coded(literal, distance);
    }
    if (type === 2) return this.dynamic();
    return 'corrupt';
  }

  /** RFC 1951 3.2.4. */
  stored(): BlockEnd {
    this.take(this.bits & 7);
    if (!this.need(16)) return 'need';
    const length = this.take(16);
    if (!this.need(16)) return 'need';
    if (this.take(16) !== (length ^ 0xffff)) return 'corrupt';
    // Whole bytes that were read ahead go back.
    this.at -= this.bits >>> 3;
    this.hold = 0;
    this.bits = 0;
    const room = this.output.length - this.out;
    const there = this.input.length - this.at;
    const count = Math.min(length, room, there);
    this.output.set(this.input.subarray(this.at, this.at + count), this.out);
    this.at += count;
    this.out += count;
    if (count === length) return 'end';
    return count === room ? 'full' : 'need';
  }

  /** RFC 1951 3.2.7. */
  dynamic(): BlockEnd {
    if (!this.need(14)) return 'need';
    const literals = this.take(5) + 257;
    const distances = this.take(5) + 1;
    const codes = this.take(4) + 4;
    if (literals > 286 || distances > 30) return 'corrupt';
    lengths.fill(0, 0, 19);
    for (let i = 0; i < codes; i++) {
      if (!this.need(3)) return 'need';
      lengths[CODE_LENGTH_ORDER[i] as number] = this.take(3);
    }
    if (!buildCode(codeLengthTable, 7, 0, 19, plainMeaning)) return 'corrupt';
    const end = this.codeLengths(literals + distances);
    if (end !== 'end') return end;
    if (lengths[256] === 0) return 'corrupt';
    if (!buildCode(literalTable, LITERAL_BITS, 0, literals, literalMeaning)) return 'corrupt';
    if (!buildCode(distanceTable, DISTANCE_BITS, literals, distances, distanceMeaning))
      return 'corrupt';
    return this.coded(
      { table: literalTable, bits: LITERAL_BITS },
      { table: distanceTable, bits: DISTANCE_BITS },
    );
  }

  codeLengths(total: number): BlockEnd {
    let index = 0;
    while (index < total) {
      const entry = this.entry(codeLengthTable, 7);
      if (entry < 0) return entry === OUT_OF_INPUT ? 'need' : 'corrupt';
      const symbol = entry >>> 8;
      if (symbol < 16) {
        lengths[index++] = symbol;
        continue;
      }
      const extra = symbol === 16 ? 2 : symbol === 17 ? 3 : 7;
      if (!this.need(extra)) return 'need';
      const repeat = this.take(extra) + (symbol === 18 ? 11 : 3);
      if (index + repeat > total || (symbol === 16 && index === 0)) return 'corrupt';
      lengths.fill(symbol === 16 ? (lengths[index - 1] as number) : 0, index, index + repeat);
      index += repeat;
    }
    return 'end';
  }

  /** The entry of the next code, which is taken; OUT_OF_INPUT or NO_CODE. */
  entry(table: Int32Array, bits: number): number {
    for (;;) {
      let entry = table[this.hold & ((1 << bits) - 1)] as number;
      if (entry < 0) {
        const extra = (entry >>> 4) & 15;
        const start = (entry >>> 8) & 0xffff;
        entry = table[start + ((this.hold >>> bits) & ((1 << extra) - 1))] as number;
      }
      const length = entry & 15;
      if (length !== 0 && length <= this.bits) {
        this.take(length);
        return entry;
      }
      if (length === 0 && this.isNoCode(table, bits)) return NO_CODE;
      // Not enough bits to be sure (those missing read as zeros): one byte more, or give up.
      if (this.at >= this.input.length) return OUT_OF_INPUT;
      if (this.bits > 24) return NO_CODE;
      this.hold |= (this.input[this.at++] as number) << this.bits;
      this.bits += 8;
    }
  }

  /** Whether the bits at hand are certain not to begin any code (only incomplete codes have such). */
  isNoCode(table: Int32Array, bits: number): boolean {
    return this.bits >= 1 && table[this.hold & ((1 << bits) - 1)] === 0;
  }

  /** RFC 1951 3.2.3: literals and matches up to the end of the block. */
  coded(literal: Code, distance: Code): BlockEnd {
    const end = this.fast(literal.table, distance.table);
    return end ?? this.careful(literal, distance);
  }

  /**
   * While there is plenty of input and room: no tests for either. undefined: go on carefully.
   * Breaking out of the loop without having said otherwise means that the stream is corrupt.
   *
   * A refill takes four bytes and counts as many as are wholly new, so that at least 24 bits are at
   * hand; those above the count are read again by the next refill, where they change nothing.
   */
  fast(literals: Int32Array, distances: Int32Array): BlockEnd | undefined {
    const { output, view } = this;
    const lastIn = this.input.length - 16;
    const lastOut = output.length - MAX_MATCH - 2;
    let { at, out, hold, bits } = this;
    let end: BlockEnd | undefined = 'corrupt';
    for (;;) {
      if (at > lastIn || out > lastOut) {
        end = undefined;
        break;
      }
      hold |= view.getUint32(at, true) << bits;
      at += (31 - bits) >> 3;
      bits |= 24;
      let entry = literals[hold & LITERAL_MASK] as number;
      if (entry >= LITERAL) {
        // Two short literals are in the bits at hand for certain, and often they are followed by more.
        hold >>>= entry & 15;
        bits -= entry & 15;
        output[out++] = entry >>> 8;
        entry = literals[hold & LITERAL_MASK] as number;
        if (entry >= LITERAL) {
          hold >>>= entry & 15;
          bits -= entry & 15;
          output[out++] = entry >>> 8;
          continue;
        }
        hold |= view.getUint32(at, true) << bits;
        at += (31 - bits) >> 3;
        bits |= 24;
      }
      if (entry < 0) {
        const index = (hold >>> LITERAL_BITS) & LITERAL_EXTRA_MASK;
        entry = literals[((entry >>> 8) & 0xffff) + index] as number;
      }
      let size = entry & 15;
      if (size === 0) break;
      hold >>>= size;
      bits -= size;
      if (entry >= LITERAL) {
        output[out++] = entry >>> 8;
        continue;
      }
      if (entry >= END_OF_BLOCK) {
        end = 'end';
        break;
      }
      size = (entry >>> 4) & 15;
      if (entry >>> 8 === 0) break;
      const length = (entry >>> 8) + (hold & ((1 << size) - 1));
      hold >>>= size;
      bits -= size;
      hold |= view.getUint32(at, true) << bits;
      at += (31 - bits) >> 3;
      bits |= 24;
      entry = distances[hold & DISTANCE_MASK] as number;
      if (entry < 0) {
        const index = (hold >>> DISTANCE_BITS) & DISTANCE_EXTRA_MASK;
        entry = distances[((entry >>> 8) & 0xffff) + index] as number;
      }
      size = entry & 15;
      if (size === 0) break;
      hold >>>= size;
      bits -= size;
      size = (entry >>> 4) & 15;
      if (bits < size) {
        hold |= view.getUint32(at, true) << bits;
        at += (31 - bits) >> 3;
        bits |= 24;
      }
      const back = (entry >>> 8) + (hold & ((1 << size) - 1));
      if (entry >>> 8 === 0 || back > out) break;
      hold >>>= size;
      bits -= size;
      copyMatch(output, out, back, length);
      out += length;
    }
    this.resume(at, out, hold, bits);
    return end;
  }

  /** Takes over where the fast loop stopped; it leaves bits above its count in `hold`. */
  resume(at: number, out: number, hold: number, bits: number): void {
    this.at = at;
    this.out = out;
    this.hold = hold & ((1 << bits) - 1);
    this.bits = bits;
  }

  /** Near the end of input or output: every step tested. */
  careful(literal: Code, distance: Code): BlockEnd {
    const { output } = this;
    for (;;) {
      const entry = this.entry(literal.table, literal.bits);
      if (entry < 0) return entry === OUT_OF_INPUT ? 'need' : 'corrupt';
      if (entry >= LITERAL) {
        if (this.out === output.length) return 'full';
        output[this.out++] = entry >>> 8;
        continue;
      }
      if (entry >= END_OF_BLOCK) return 'end';
      const end = this.match(entry, distance);
      if (end !== 'end') return end;
    }
  }

  match(lengthEntry: number, distance: Code): BlockEnd {
    if (lengthEntry >>> 8 === 0) return 'corrupt';
    const lengthExtra = (lengthEntry >>> 4) & 15;
    if (!this.need(lengthExtra)) return 'need';
    const length = (lengthEntry >>> 8) + this.take(lengthExtra);
    const entry = this.entry(distance.table, distance.bits);
    if (entry < 0) return entry === OUT_OF_INPUT ? 'need' : 'corrupt';
    if (entry >>> 8 === 0) return 'corrupt';
    const backExtra = (entry >>> 4) & 15;
    if (!this.need(backExtra)) return 'need';
    const back = (entry >>> 8) + this.take(backExtra);
    const room = this.output.length - this.out;
    // A distance is judged only when there is room to copy to, as zlib does it.
    if (room === 0) return 'full';
    if (back > this.out) return 'corrupt';
    copyMatch(this.output, this.out, back, Math.min(length, room));
    this.out += Math.min(length, room);
    return length > room ? 'full' : 'end';
  }
}

/**
 * Copies byte by byte where the match overlaps itself: that is how runs are packed. The built-in
 * copies cost about as much to call as forty bytes cost to copy.
 */
function copyMatch(output: Uint8Array, out: number, back: number, length: number): void {
  let from = out - back;
  if (length < 40) {
    for (const end = out + length; out < end;) output[out++] = output[from++] as number;
  } else if (back === 1) {
    output.fill(output[from] as number, out, out + length);
  } else if (back >= length) {
    output.copyWithin(out, from, from + length);
  } else {
    for (const end = out + length; out < end;) output[out++] = output[from++] as number;
  }
}

/**
 * Unpacks one cluster.
 * @param packed the compressed bytes, padded to whole sectors with anything
 * @param target exactly one cluster; undefined content unless the result is `ok`
 */
export function inflateCluster(packed: Uint8Array, target: Uint8Array): DecompressResult {
  return new Inflater(packed, target).run();
}

/** What is known of a stream besides its bytes. */
export interface StreamResult {
  /** `ok`: the stream ended just where the target was full; `corrupt` also where it goes on. */
  readonly result: DecompressResult;
  /** Bytes of the input up to the end of its last block; of no meaning unless it has ended. */
  readonly used: number;
  /** Bytes that were unpacked. */
  readonly unpacked: number;
  /** The end of the last block was seen. */
  readonly ended: boolean;
}

/** Unpacks a stream which has to end where the target is full; what follows it is not looked at. */
export function inflateStream(packed: Uint8Array, target: Uint8Array): StreamResult {
  const inflater = new Inflater(packed, target);
  const verdict = inflater.run();
  const { at, bits, out: unpacked, ended } = inflater;
  const result = verdict === 'ok' && !ended ? 'corrupt' : verdict;
  return { result, used: at - (bits >>> 3), unpacked, ended };
}
