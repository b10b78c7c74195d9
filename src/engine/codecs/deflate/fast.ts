import { BlockWriter } from './block-writer.ts';
import { MAX_MATCH, MIN_MATCH } from './codes.ts';
import { ContentBuffer, matchLength } from './content-buffer.ts';

/** A ring of places. Matches are nearer by what zlib keeps ahead: every reader's window has them. */
const WINDOW = 4096;
const WINDOW_MASK = WINDOW - 1;
const FARTHEST = WINDOW - MAX_MATCH - MIN_MATCH - 1;

/** Tables small enough to stay in a processor's nearest cache. */
const HASH_SHIFT = 32 - 13;
const SHORT_HASH_SHIFT = 32 - 12;
const HASH_FACTOR = 0x9e3779b1;

/** Bytes that four places with the same hash must have in common. */
const LONG_MATCH = 4;
/** Candidates that are looked at for one match. */
const CANDIDATES = 4;
/** A match this long ends the search. */
const NICE_MATCH = 16;
/** After a match this long, none better is looked for at the next place. */
const LAZY_MATCH = 6;
/** Of a longer match only the last places are made known. */
const ENTERED_MATCH = 32;
const ENTERED_LAST = 8;
/** What a match takes, roughly, beside the extra bits of its distance. */
const MATCH_BITS = 10;
/** Places without a match after which some are passed over, more and more of them. */
const MISSES_SHIFT = 5;
/** Symbols of a block: small ones fit their content, large ones say less often what their codes are. */
const BLOCK_SYMBOLS = 12_288;
/** Literals that one step may add beyond that: it grows with the places without a match. */
const STEP_SYMBOLS = 64;

/** Bits of a byte of what hardly packs: it is given up when its first block does not, either. */
const NOISE_BITS = 7.8;

/** Contents up to this many bytes are measured whole, larger ones by every seventh byte. */
const MEASURED_WHOLE = 8192;
const MEASURED_STEP = 7;

/**
 * Deflates whole contents fast: matches lie within 4 KiB, as QEMU's do, and few candidates are
 * looked at. What the literals are worth decides how far away a short match may be.
 */
export class FastDeflate {
  readonly #content = new ContentBuffer();
  /** The last place of each hash of four bytes, and of three. */
  readonly #heads = new Int32Array(2 ** (32 - HASH_SHIFT));
  readonly #shortHeads = new Int32Array(2 ** (32 - SHORT_HASH_SHIFT));
  /** The place with the same hash of four bytes before each place. */
  readonly #before = new Int32Array(WINDOW);
  readonly #symbols = new Int32Array(BLOCK_SYMBOLS + STEP_SYMBOLS);
  readonly #blocks = new BlockWriter();
  readonly #counts = new Uint32Array(256);

  /**
   * @param limit bytes that the stream may have
   * @returns a raw deflate stream (RFC 1951) in memory of its own, or undefined where it would be
   * longer
   */
  deflate(content: Uint8Array, limit: number): Uint8Array<ArrayBuffer> | undefined {
    this.#content.take(content);
    this.#heads.fill(-WINDOW);
    this.#shortHeads.fill(-WINDOW);
    this.#blocks.begin(limit);
    const isDone = this.#run(content.length);
    return isDone ? this.#blocks.bytes.slice(0, this.#blocks.length) : undefined;
  }

  /** Bits of a byte, if it were coded without matches. */
  #literalBits(end: number): number {
    const { bytes } = this.#content;
    const counts = this.#counts.fill(0);
    const step = end > MEASURED_WHOLE ? MEASURED_STEP : 1;
    for (let at = 0; at < end; at += step) {
      const byte = bytes[at] as number;
      counts[byte] = (counts[byte] as number) + 1;
    }
    const total = Math.ceil(end / step);
    let sum = 0;
    for (const count of counts) if (count > 0) sum += count * Math.log2(count);
    return Math.log2(total) - sum / total;
  }

  #run(end: number): boolean {
    const { bytes, view } = this.#content;
    const heads = this.#heads;
    const shortHeads = this.#shortHeads;
    const before = this.#before;
    const symbols = this.#symbols;
    const literalBits = this.#literalBits(end);
    const farthest3 = Math.min(FARTHEST, 2 ** (3 * literalBits - MATCH_BITS));
    const farthest4 = Math.min(FARTHEST, 2 ** (4 * literalBits - MATCH_BITS));
    let count = 0;
    // The match that was found at the place before.
    let length = 0;
    let distance = 0;
    let isPending = false;
    let misses = 0;
    let blockStart = 0;
    for (let at = 0; at < end;) {
      const held = length;
      const heldDistance = distance;
      length = 0;
      const word = view.getInt32(at, true);
      const hash = Math.imul(word, HASH_FACTOR) >>> HASH_SHIFT;
      const shortHash = Math.imul(word << 8, HASH_FACTOR) >>> SHORT_HASH_SHIFT;
      let place = heads[hash] as number;
      const near = shortHeads[shortHash] as number;
      before[at & WINDOW_MASK] = place;
      heads[hash] = at;
      shortHeads[shortHash] = at;
      const limit = at - FARTHEST;
      if (held < MIN_MATCH && at - near <= farthest3) {
        if (((view.getInt32(near, true) ^ word) & 0xffffff) === 0) {
          length = MIN_MATCH;
          distance = at - near;
        }
      }
      if (held < LAZY_MATCH && place >= limit) {
        let best = Math.max(held, LONG_MATCH - 1);
        let candidates = CANDIDATES;
        // Only what has the last bytes of a longer match is worth measuring.
        let last = view.getInt32(at + best - 3, true);
        do {
          if (view.getInt32(place + best - 3, true) === last) {
            const same = matchLength(view, at, place);
            if (same > best && (same > LONG_MATCH || at - place <= farthest4)) {
              best = length = same;
              distance = at - place;
              if (same >= NICE_MATCH) break;
              last = view.getInt32(at + best - 3, true);
            }
          }
          place = before[place & WINDOW_MASK] as number;
        } while (place >= limit && --candidates !== 0);
      }
      if (length > end - at) length = end - at < MIN_MATCH ? 0 : end - at;
      if (held >= MIN_MATCH && length <= held) {
        symbols[count++] = (heldDistance << 8) | (held - MIN_MATCH);
        const next = at + held - 1;
        this.#enter(held > ENTERED_MATCH ? next - ENTERED_LAST : at + 1, next);
        at = next;
        isPending = false;
        length = 0;
        misses = 0;
      } else {
        if (isPending) symbols[count++] = bytes[at - 1] as number;
        isPending = true;
        at += 1;
        if (length === 0) {
          const skipped = Math.min(++misses >> MISSES_SHIFT, STEP_SYMBOLS / 2, end - at);
          for (const next = at + skipped; at < next;) symbols[count++] = bytes[at++ - 1] as number;
        }
      }
      if (count >= BLOCK_SYMBOLS) {
        const blockEnd = isPending ? at - 1 : at;
        if (!this.#add(count, blockStart, blockEnd, false)) return false;
        if (literalBits > NOISE_BITS && this.#blocks.length >= blockEnd) return false;
        blockStart = blockEnd;
        count = 0;
      }
    }
    if (isPending) symbols[count++] = bytes[end - 1] as number;
    return this.#add(count, blockStart, end, true);
  }

  #add(count: number, start: number, end: number, isLast: boolean): boolean {
    const plain = this.#content.bytes.subarray(start, end);
    return this.#blocks.add({ symbols: this.#symbols, count, plain, isLast });
  }

  /** Makes places known, so that they are found later. */
  #enter(start: number, end: number): void {
    const { view } = this.#content;
    const heads = this.#heads;
    const shortHeads = this.#shortHeads;
    const before = this.#before;
    for (let at = start; at < end; at++) {
      const word = view.getInt32(at, true);
      const hash = Math.imul(word, HASH_FACTOR) >>> HASH_SHIFT;
      before[at & WINDOW_MASK] = heads[hash] as number;
      heads[hash] = at;
      shortHeads[Math.imul(word << 8, HASH_FACTOR) >>> SHORT_HASH_SHIFT] = at;
    }
  }
}
