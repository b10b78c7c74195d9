/**
 * Raw deflate (RFC 1951) for whole clusters: one shot from a sector-padded piece of a file into a
 * buffer of known size. Written for this one use because it rules the time of compressed images:
 * no window, no state to keep, tables reused, bits read by their place instead of from a buffer, two
 * literals in one step where their codes are short, matches copied by words.
 *
 * What is accepted is what QEMU accepts through zlib: the cluster must be full before the stream
 * breaks. Surplus output and garbage behind the end are ignored; a stream that breaks at the very
 * point where the cluster is full is judged by what follows, as zlib goes on parsing until it needs
 * room for output.
 */

import {
  BASE_SHIFT,
  buildCode,
  codeLengthTable,
  DISTANCE_BITS,
  DISTANCE_EXTRA_MASK,
  DISTANCE_MASK,
  distanceMeanings,
  distanceTable,
  END_OF_BLOCK,
  FIRST_SHIFT,
  fixedCodes,
  lengths,
  LITERAL,
  LITERAL_BITS,
  LITERAL_EXTRA_MASK,
  LITERAL_MASK,
  literalMeanings,
  literalTable,
  MAX_CODE_BITS,
  PAIR_SHIFT,
  pairLiterals,
  plainMeanings,
  type Code,
} from './inflate-tables.ts';

/** `short`: the stream ended before the cluster was full; `corrupt`: it is not a deflate stream. */
export type DecompressResult = 'ok' | 'short' | 'corrupt';

/**
 * While this much room is left, the fast loop needs no test for it: for four literals and the longest
 * match (258), copied by eight bytes at a time.
 */
const FAST_ROOM = 270;
/** The same for input, bytes: a step takes nine, and reads four from the last of them on. */
const FAST_INPUT = 16;
/** Places of bits stay below 2^31 for input up to here, bytes; what is behind is read carefully. */
const FAST_MOST = 2 ** 27;
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
  readonly room: DataView;
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
    this.room = new DataView(output.buffer, output.byteOffset, output.byteLength);
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
    if (!buildCode(codeLengthTable, 7, 0, 19, plainMeanings)) return 'corrupt';
    const end = this.codeLengths(literals + distances);
    if (end !== 'end') return end;
    if (lengths[256] === 0) return 'corrupt';
    if (!buildCode(literalTable, LITERAL_BITS, 0, literals, literalMeanings)) return 'corrupt';
    pairLiterals(literalTable);
    if (!buildCode(distanceTable, DISTANCE_BITS, literals, distances, distanceMeanings))
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
        const extra = MAX_CODE_BITS - bits;
        const start = (entry >>> 8) & 0xffff;
        entry = table[start + ((this.hold >>> bits) & ((1 << extra) - 1))] as number;
      }
      // Of a pair, only the first: how many bits there are is tested for each.
      const length = (entry >>> FIRST_SHIFT) & 15 || entry & 15;
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
   * `hold` has the next 25 bits at least, read anew from their place when they may not do: for two
   * entries of the first table, for a length with its extra bits, for a distance with most of them.
   */
  fast(literals: Int32Array, distances: Int32Array): BlockEnd | undefined {
    const { output, view, room } = this;
    const lastIn = Math.min(this.input.length - FAST_INPUT, FAST_MOST) * 8;
    const lastOut = output.length - FAST_ROOM;
    let { out } = this;
    let pos = this.at * 8 - this.bits;
    let end: BlockEnd | undefined = 'corrupt';
    for (;;) {
      if (pos > lastIn || out > lastOut) {
        end = undefined;
        break;
      }
      let hold = view.getUint32(pos >>> 3, true) >>> (pos & 7);
      let entry = literals[hold & LITERAL_MASK] as number;
      if (entry >= LITERAL) {
        const size = entry & 15;
        hold >>>= size;
        pos += size;
        room.setUint16(out, entry >>> 8, true);
        out += 1 + ((entry >>> PAIR_SHIFT) & 1);
        entry = literals[hold & LITERAL_MASK] as number;
        if (entry >= LITERAL) {
          pos += entry & 15;
          room.setUint16(out, entry >>> 8, true);
          out += 1 + ((entry >>> PAIR_SHIFT) & 1);
          continue;
        }
        hold = view.getUint32(pos >>> 3, true) >>> (pos & 7);
      }
      if (entry < 0) {
        const index = (hold >>> LITERAL_BITS) & LITERAL_EXTRA_MASK;
        entry = literals[((entry >>> 8) & 0xffff) + index] as number;
      }
      if (entry >= LITERAL) {
        pos += entry & 15;
        output[out++] = entry >>> 8;
        continue;
      }
      if (entry >= END_OF_BLOCK) {
        pos += entry & 15;
        end = 'end';
        break;
      }
      if (entry >>> BASE_SHIFT === 0) break;
      const length = (entry >>> BASE_SHIFT) + extraOf(hold, entry);
      pos += (entry >>> 4) & 31;
      hold = view.getUint32(pos >>> 3, true) >>> (pos & 7);
      entry = distances[hold & DISTANCE_MASK] as number;
      if (entry < 0) {
        const index = (hold >>> DISTANCE_BITS) & DISTANCE_EXTRA_MASK;
        entry = distances[((entry >>> 8) & 0xffff) + index] as number;
      }
      const size = (entry >>> 4) & 31;
      const extra = size > 25 ? this.farExtra(pos, entry) : extraOf(hold, entry);
      const back = (entry >>> BASE_SHIFT) + extra;
      if (entry >>> BASE_SHIFT === 0 || back > out) break;
      pos += size;
      if (back < 4) copyMatch(output, out, back, length);
      else copyWords(room, out, back, length);
      out += length;
    }
    this.resume(pos, out);
    return end;
  }

  /** The extra bits of a distance at `pos` that need not all be among the 25 at hand. */
  farExtra(pos: number, entry: number): number {
    const at = pos + (entry & 15);
    const bits = this.view.getUint32(at >>> 3, true) >>> (at & 7);
    return bits & ((1 << extraBits(entry)) - 1);
  }

  /** Takes over where the fast loop stopped: the bits left of the last byte are read ahead. */
  resume(pos: number, out: number): void {
    this.out = out;
    this.at = (pos + 7) >>> 3;
    this.bits = this.at * 8 - pos;
    this.hold = this.bits === 0 ? 0 : (this.input[this.at - 1] as number) >>> (8 - this.bits);
  }

  /** Near the end of input or output: every step tested. */
  careful(literal: Code, distance: Code): BlockEnd {
    const { output } = this;
    for (;;) {
      const entry = this.entry(literal.table, literal.bits);
      if (entry < 0) return entry === OUT_OF_INPUT ? 'need' : 'corrupt';
      if (entry >= LITERAL) {
        if (this.out === output.length) return 'full';
        output[this.out++] = (entry >>> 8) & 255;
        continue;
      }
      if (entry >= END_OF_BLOCK) return 'end';
      const end = this.match(entry, distance);
      if (end !== 'end') return end;
    }
  }

  match(lengthEntry: number, distance: Code): BlockEnd {
    if (lengthEntry >>> BASE_SHIFT === 0) return 'corrupt';
    const lengthExtra = extraBits(lengthEntry);
    if (!this.need(lengthExtra)) return 'need';
    const length = (lengthEntry >>> BASE_SHIFT) + this.take(lengthExtra);
    const entry = this.entry(distance.table, distance.bits);
    if (entry < 0) return entry === OUT_OF_INPUT ? 'need' : 'corrupt';
    if (entry >>> BASE_SHIFT === 0) return 'corrupt';
    const backExtra = extraBits(entry);
    if (!this.need(backExtra)) return 'need';
    const back = (entry >>> BASE_SHIFT) + this.take(backExtra);
    const room = this.output.length - this.out;
    // A distance is judged only when there is room to copy to, as zlib does it.
    if (room === 0) return 'full';
    if (back > this.out) return 'corrupt';
    copyMatch(this.output, this.out, back, Math.min(length, room));
    this.out += Math.min(length, room);
    return length > room ? 'full' : 'end';
  }
}

/** How many extra bits follow the code of an entry. */
function extraBits(entry: number): number {
  return ((entry >>> 4) & 31) - (entry & 15);
}

/** The extra bits behind the code of an entry. Shifting takes the count modulo 32: no mask for it. */
function extraOf(hold: number, entry: number): number {
  return (hold & ((1 << (entry >>> 4)) - 1)) >>> (entry & 15);
}

/**
 * Copies a match from four bytes back or further by words, eight bytes at once: up to seven more
 * than there are, for which there has to be room. What comes next is written over them.
 */
function copyWords(room: DataView, out: number, back: number, length: number): void {
  const end = out + length;
  let from = out - back;
  do {
    room.setUint32(out, room.getUint32(from));
    room.setUint32(out + 4, room.getUint32(from + 4));
    out += 8;
    from += 8;
  } while (out < end);
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
