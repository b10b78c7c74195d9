/** bzip2: into a buffer of known size, and as a stream. There is no specification but the program. */
import { BitReader } from './bzip2-bits.ts';
import { Bzip2Block } from './bzip2-block.ts';
import type { DecompressResult } from './inflate.ts';
import { PackedInput } from './packed-input.ts';
import { StreamFault, type StreamDecoder } from './stream-decoder.ts';
import { resultOf } from './stream-result.ts';

/** `BZh` */
const STREAM_MAGIC = 0x425a68;
const BLOCK_MAGIC = [0x314159, 0x265359] as const;
const END_MAGIC = [0x177245, 0x385090] as const;
/** With so much at hand, any block of a real stream is whole. */
const USUAL_INPUT = 2 ** 20 + 2 ** 16;
/** What no block gets, even with the worst of codes. */
const LARGEST_INPUT = 2 ** 22;
const PIECE = 2 ** 20;

/** Takes `BZh` and the level. @throws StreamFault corrupt, short */
function takeLevel(bits: BitReader): number {
  const magic = bits.take(24);
  const level = bits.take(8) - 0x30;
  bits.assertInside();
  if (magic !== STREAM_MAGIC || level < 1 || level > 9) throw new StreamFault('corrupt', 'magic');
  return level;
}

/** Takes what tells a block from the end of the stream. @throws StreamFault corrupt, short */
function isBlockNext(bits: BitReader): boolean {
  const high = bits.take(24);
  const low = bits.take(24);
  bits.assertInside();
  if (high === BLOCK_MAGIC[0] && low === BLOCK_MAGIC[1]) return true;
  if (high === END_MAGIC[0] && low === END_MAGIC[1]) return false;
  throw new StreamFault('corrupt', 'block');
}

/** The checksum of a stream, with that of another block. */
function combine(before: number, block: number): number {
  return (((before << 1) | (before >>> 31)) ^ block) >>> 0;
}

/** Takes the end of a stream. @throws StreamFault corrupt, short */
function takeEnd(bits: BitReader, checksum: number): void {
  const expected = bits.take32();
  bits.assertInside();
  if (expected !== checksum) throw new StreamFault('corrupt', 'checksum');
}

/** The block that was used last; a new one for each chunk would be 4 MB to be cleared each time. */
let kept = { level: 0, block: new Bzip2Block(0) };

function unpackInto(packed: Uint8Array, target: Uint8Array): DecompressResult {
  const bits = new BitReader(packed);
  const level = takeLevel(bits);
  if (level !== kept.level) kept = { level, block: new Bzip2Block(level) };
  const { block } = kept;
  let checksum = 0;
  let at = 0;
  while (isBlockNext(bits)) {
    block.read(bits);
    at = block.write(target, at);
    if (!block.isWritten()) return 'corrupt';
    checksum = combine(checksum, block.checksum);
  }
  takeEnd(bits, checksum);
  return at === target.length ? 'ok' : 'short';
}

/** Unpacks one bzip2 stream, which has to fill `target` and no more. What follows is ignored. */
export function unbzip2Cluster(packed: Uint8Array, target: Uint8Array): DecompressResult {
  return resultOf(() => unpackInto(packed, target));
}

/** Unpacks a bzip2 file: one stream or several. Keeps one block and what it is packed in. */
export class Bzip2Decoder implements StreamDecoder {
  readonly #input = new PackedInput();
  #piece: Uint8Array | undefined;
  /** Of the stream that is being read; undefined between two. */
  #block: Bzip2Block | undefined;
  /** Bits of the last byte that was taken in part. */
  #rest = { hold: 0, count: 0 };
  #checksum = 0;
  /** Bytes that have to be there before it makes sense to try the next block. */
  #wanted = USUAL_INPUT;
  #streams = 0;
  #isOver = false;

  *push(packed: Uint8Array, last: boolean): Generator<Uint8Array> {
    this.#input.add(packed);
    while (!this.#isOver && (last || this.#input.length >= this.#wanted)) {
      const block = this.#next(last);
      const piece = (this.#piece ??= new Uint8Array(PIECE));
      while (block !== undefined) {
        const length = block.write(piece, 0);
        const isWritten = block.isWritten();
        if (length > 0) yield piece.subarray(0, length);
        if (isWritten) break;
      }
    }
    // What follows the last stream is no matter of bzip2's, however much it is.
    if (this.#isOver) this.#input.drop(this.#input.length);
  }

  /** The next block; undefined where there was something else, or too little is there. */
  #next(last: boolean): Bzip2Block | undefined {
    const { bytes } = this.#input;
    try {
      const bits = new BitReader(bytes);
      bits.hold = this.#rest.hold;
      bits.count = this.#rest.count;
      const block = this.#read(bits);
      const count = bits.count & 7;
      this.#rest = { hold: bits.hold >>> (bits.count - count), count };
      this.#input.drop(bits.position);
      this.#wanted = USUAL_INPUT;
      return block;
    } catch (error) {
      const isShort = error instanceof StreamFault && error.problem === 'short';
      if (!isShort || last) throw error;
      if (bytes.length >= LARGEST_INPUT) throw new StreamFault('corrupt', 'block without end');
      this.#wanted = Math.min(bytes.length * 2, LARGEST_INPUT);
      return undefined;
    }
  }

  /** Takes the beginning or the end of a stream, or a block. */
  #read(bits: BitReader): Bzip2Block | undefined {
    const block = this.#block;
    if (block === undefined) {
      // As bzip2 itself does it: what is no stream behind one is not looked at.
      if (this.#streams > 0 && bits.peek(24) !== STREAM_MAGIC) this.#isOver = true;
      else this.#block = new Bzip2Block(takeLevel(bits));
      this.#streams++;
      this.#checksum = 0;
      return undefined;
    }
    if (isBlockNext(bits)) {
      block.read(bits);
      this.#checksum = combine(this.#checksum, block.checksum);
      return block;
    }
    takeEnd(bits, this.#checksum);
    bits.skip(bits.count & 7);
    this.#block = undefined;
    return undefined;
  }
}
