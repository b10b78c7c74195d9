import { BlockWriter } from './block-writer.ts';
import { MAX_MATCH, MIN_MATCH } from './codes.ts';
import { ContentBuffer, matchLength } from './content-buffer.ts';

/** zlib keeps this much ahead of the place where it looks for matches. */
const LOOKAHEAD = MAX_MATCH + MIN_MATCH + 1;
/** A match of three bytes farther away takes more bits than three literals. */
const TOO_FAR = 4096;

/* Level 6, zlib's default. */
/** With a match this long before, only a quarter of the candidates are looked at. */
const GOOD_MATCH = 8;
/** After a match this long, none better is looked for at the next place. */
const LAZY_MATCH = 16;
/** A match this long ends the search. */
const NICE_MATCH = 128;
/** Candidates that are looked at for one match. */
const CANDIDATES = 128;

/**
 * Deflates whole contents with the very decisions of zlib's level 6, so that every byte is zlib's.
 * zlib slides its input through a buffer of two windows; here all of it is in memory, and what has
 * slid out of that buffer is merely not looked at.
 */
export class LikeZlib {
  readonly #windowSize: number;
  readonly #hashMask: number;
  readonly #hashShift: number;
  /** The last place of each hash. None is 0, which zlib cannot tell from the first place, either. */
  readonly #heads: Int32Array;
  /** The place with the same hash before each place, for the last window of places. */
  readonly #before: Int32Array;
  readonly #symbols: Int32Array;
  readonly #blocks = new BlockWriter();
  /** Of the match that was found last. */
  #distance = 0;
  readonly #content = new ContentBuffer();

  /**
   * @param windowBits of the window, 9 to 15
   * @param memoryLevel as zlib counts it, 1 to 9: of the hash table, and the symbols of one block
   */
  constructor(windowBits: number, memoryLevel: number) {
    this.#windowSize = 1 << windowBits;
    const hashBits = memoryLevel + 7;
    this.#hashMask = (1 << hashBits) - 1;
    this.#hashShift = Math.ceil(hashBits / MIN_MATCH);
    this.#heads = new Int32Array(1 << hashBits);
    this.#before = new Int32Array(this.#windowSize);
    this.#symbols = new Int32Array((1 << (memoryLevel + 6)) - 1);
  }

  /**
   * @param limit bytes that the stream may have
   * @returns a raw deflate stream (RFC 1951) in memory of its own, or undefined where it would be
   * longer
   */
  deflate(content: Uint8Array, limit: number): Uint8Array<ArrayBuffer> | undefined {
    this.#content.take(content);
    this.#heads.fill(0);
    this.#blocks.begin(limit);
    const isDone = this.#run(content.length);
    return isDone ? this.#blocks.bytes.slice(0, this.#blocks.length) : undefined;
  }

  #run(end: number): boolean {
    const { bytes } = this.#content;
    const heads = this.#heads;
    const before = this.#before;
    const symbols = this.#symbols;
    const most = symbols.length;
    const windowSize = this.#windowSize;
    const windowMask = windowSize - 1;
    const farthest = windowSize - LOOKAHEAD;
    const mask = this.#hashMask;
    const shift = this.#hashShift;
    // The buffer begins at `base`, and slides by a window when it is nearly used up.
    let base = 0;
    let slideAt = slidesAt(base, end, windowSize);
    let blockStart = 0;
    let count = 0;
    // The match that was found at the place before.
    let length = 0;
    let distance = 0;
    let isPending = false;
    let hash = ((bytes[0] as number) << shift) ^ (bytes[1] as number);
    let at = 0;
    for (;;) {
      if (at >= slideAt) {
        base += windowSize;
        slideAt = slidesAt(base, end, windowSize);
      }
      if (at >= end) break;
      const held = length;
      const heldDistance = distance;
      length = 2;
      if (at <= end - MIN_MATCH) {
        hash = ((hash << shift) ^ (bytes[at + 2] as number)) & mask;
        const place = heads[hash] as number;
        before[at & windowMask] = place;
        heads[hash] = at;
        if (place > base && held < LAZY_MATCH && at - place <= farthest && held < end - at) {
          length = this.#search(at, Math.max(base, at - farthest), held, end);
          distance = this.#distance;
        }
      }
      if (held >= MIN_MATCH && length <= held) {
        symbols[count++] = (heldDistance << 8) | (held - MIN_MATCH);
        const next = at + held - 1;
        const lastInsert = Math.min(next - 1, end - MIN_MATCH);
        while (++at <= lastInsert) {
          hash = ((hash << shift) ^ (bytes[at + 2] as number)) & mask;
          before[at & windowMask] = heads[hash] as number;
          heads[hash] = at;
        }
        at = next;
        isPending = false;
        length = 2;
      } else {
        if (isPending) symbols[count++] = bytes[at - 1] as number;
        isPending = true;
        at += 1;
      }
      if (count === most) {
        // The literal that the place before may become is left for the next block.
        const blockEnd = isPending ? at - 1 : at;
        if (!this.#add({ count, isLast: false }, base, blockStart, blockEnd)) return false;
        blockStart = blockEnd;
        count = 0;
      }
    }
    if (isPending) symbols[count++] = bytes[at - 1] as number;
    return this.#add({ count, isLast: true }, base, blockStart, end);
  }

  /**
   * Looks for a match longer than `held` among the places before `at`.
   * @param limit the candidates behind the first one lie behind it
   * @returns its length, 2 for none; its distance is kept
   */
  #search(at: number, limit: number, held: number, end: number): number {
    const { view } = this.#content;
    const before = this.#before;
    const windowMask = this.#windowSize - 1;
    const nice = Math.min(NICE_MATCH, end - at);
    let candidates = held >= GOOD_MATCH ? CANDIDATES >> 2 : CANDIDATES;
    let best = Math.max(2, held);
    let found = 0;
    // Only what has the last four bytes of a longer match, or all three of it, is worth measuring.
    let offset = Math.max(0, best - 3);
    let care = best === 2 ? 0xffffff : -1;
    let wanted = view.getInt32(at + offset, true);
    let place = before[at & windowMask] as number;
    do {
      if (((view.getInt32(place + offset, true) ^ wanted) & care) === 0) {
        const same = matchLength(view, at, place);
        if (same > best) {
          best = found = same;
          this.#distance = at - place;
          if (same >= nice) break;
          offset = best - 3;
          care = -1;
          wanted = view.getInt32(at + offset, true);
        }
      }
      place = before[place & windowMask] as number;
    } while (place > limit && --candidates !== 0);
    if (found > end - at) found = end - at;
    return found < MIN_MATCH || (found === MIN_MATCH && this.#distance > TOO_FAR) ? 2 : found;
  }

  #add(
    block: { count: number; isLast: boolean },
    base: number,
    start: number,
    end: number,
  ): boolean {
    // What has slid out of the buffer cannot be stored any more.
    const plain = start >= base ? this.#content.bytes.subarray(start, end) : undefined;
    return this.#blocks.add({ ...block, symbols: this.#symbols, plain });
  }
}

/** The place from which on zlib's buffer lies one window further. */
function slidesAt(base: number, end: number, windowSize: number): number {
  const filled = Math.min(base + 2 * windowSize, end);
  return Math.max(filled - LOOKAHEAD + 1, base + 2 * windowSize - LOOKAHEAD);
}
