/** Finding byte patterns in memory. */
import { NOT_THERE, PairFilter, TOO_MANY } from './search-filter.ts';

/** A place where a pattern is. Bytes. */
export interface Match {
  offset: number;
  length: number;
}

/** Takes a match; false ends the search. */
type Take = (at: number, length: number) => boolean;

/**
 * Patterns made ready for looking for all of them at once. Of several that are at one place, the
 * longest counts, and what follows is looked for behind it: matches do not overlap.
 */
export class Patterns {
  /** Bytes of the longest and of the shortest. */
  readonly longest: number;
  readonly shortest: number;
  /** Bytes of the longest that is nothing but zeros; 0 where none is. */
  readonly longestZeros: number;
  readonly #patterns: readonly Uint8Array[];
  /** The same by their first byte. */
  readonly #starting: readonly (readonly Uint8Array[] | undefined)[];
  /** What each byte counts as. */
  readonly #folded: Uint8Array;
  /** By the last byte of a stretch as long as the shortest one, how far the next place may be. */
  readonly #shifts: Uint16Array;
  /** In the only pattern, the byte that is likely the rarest; -1 for several, or either case. */
  readonly #rarest: number;
  /** For all but the shortest. */
  readonly #filter: PairFilter | undefined;

  /** @param patterns each of 1 to 65535 bytes */
  constructor(patterns: readonly Uint8Array[], ignoreCase: boolean) {
    this.#folded = foldTable(ignoreCase);
    const folded = patterns.map((pattern) => pattern.map((byte) => this.#folded[byte] ?? byte));
    // The longest first: the first one that is there counts.
    this.#patterns = folded.sort((a, b) => b.length - a.length);
    this.#starting = byFirst(this.#patterns);
    this.longest = this.#patterns[0]?.length ?? 0;
    this.shortest = this.#patterns.at(-1)?.length ?? 0;
    const zeros = this.#patterns.find((pattern) => pattern.every((byte) => byte === 0));
    this.longestZeros = zeros?.length ?? 0;
    this.#shifts = this.#shiftTable();
    const [only, another] = this.#patterns;
    // Of a short one, a single byte is found faster than pairs.
    const isSingle = another === undefined && !ignoreCase && this.shortest < 5;
    this.#rarest = only !== undefined && isSingle ? rarestIn(only) : -1;
    const isFiltered = only !== undefined && this.shortest >= 3;
    this.#filter = isFiltered ? new PairFilter(this.#patterns, this.#folded) : undefined;
  }

  /**
   * Finds what begins from `from` on and before `until`. A pattern that does not end within `bytes`
   * is not there.
   */
  find(bytes: Uint8Array, from: number, until: number, take: Take): void {
    if (this.#rarest >= 0) this.#findOne(bytes, from, until, take);
    else this.#findSeveral(bytes, from, until, take);
  }

  /** By the rarest byte, which the platform finds much faster than anything written here would. */
  #findOne(bytes: Uint8Array, from: number, until: number, take: Take): void {
    const [pattern] = this.#patterns;
    if (pattern === undefined) return;
    const rarest = pattern[this.#rarest] as number;
    const end = Math.min(until, bytes.length - pattern.length + 1);
    let vain = 0;
    for (let at = from; at < end;) {
      const found = bytes.indexOf(rarest, at + this.#rarest);
      if (found < 0) return;
      at = found - this.#rarest;
      if (at >= end) return;
      if (startsAt(bytes, at, pattern)) {
        if (!take(at, pattern.length)) return;
        at += pattern.length;
        continue;
      }
      at += 1;
      vain += 1;
      // It is not rare here: each call costs more than looking at some bytes.
      if (vain * OFTEN > at - from + FEW) {
        this.#findSeveral(bytes, at, until, take);
        return;
      }
    }
  }

  #findSeveral(bytes: Uint8Array, from: number, until: number, take: Take): void {
    const filter = this.#filter;
    if (filter === undefined || until - from < SHORT) this.#findAny(bytes, from, until, take);
    else this.#findFiltered(filter, bytes, from, until, take);
  }

  #findFiltered(
    filter: PairFilter,
    bytes: Uint8Array,
    from: number,
    until: number,
    take: Take,
  ): void {
    filter.reset(from);
    for (let at = from; at < until;) {
      const found = filter.next(bytes, at, until);
      if (found === NOT_THERE) return;
      if (found === TOO_MANY) {
        this.#findAny(bytes, at, until, take);
        return;
      }
      // Another may begin a bit earlier, or at the same place and be longer.
      let start = Math.max(at, found - filter.reach);
      let length = this.#lengthAt(bytes, start);
      while (length === 0 && start < found) {
        start += 1;
        length = this.#lengthAt(bytes, start);
      }
      if (!take(start, length)) return;
      at = start + length;
    }
  }

  /** After Horspool, for several at once: the last byte under the shortest tells how far to go. */
  #findAny(bytes: Uint8Array, from: number, until: number, take: Take): void {
    const shifts = this.#shifts;
    const last = this.shortest - 1;
    const end = Math.min(until, bytes.length - last);
    for (let at = from; at < end;) {
      const shift = shifts[bytes[at + last] as number] as number;
      if (shift > 0) {
        at += shift;
        continue;
      }
      const length = this.#lengthAt(bytes, at);
      if (length > 0 && !take(at, length)) return;
      at += length === 0 ? 1 : length;
    }
  }

  #lengthAt(bytes: Uint8Array, at: number): number {
    const folded = this.#folded;
    const starting = this.#starting[folded[bytes[at] as number] as number];
    if (starting === undefined) return 0;
    for (const pattern of starting) {
      if (at + pattern.length > bytes.length) continue;
      let i = 1;
      while (i < pattern.length && folded[bytes[at + i] as number] === pattern[i]) i++;
      if (i === pattern.length) return i;
    }
    return 0;
  }

  #shiftTable(): Uint16Array {
    const { shortest } = this;
    const shifts = new Uint16Array(256).fill(shortest);
    for (const pattern of this.#patterns) {
      for (let i = 0; i < shortest; i++) {
        const wanted = pattern[i];
        for (let byte = 0; byte < 256; byte++) {
          if (this.#folded[byte] !== wanted) continue;
          shifts[byte] = Math.min(shifts[byte] as number, shortest - 1 - i);
        }
      }
    }
    return shifts;
  }
}

function byFirst(patterns: readonly Uint8Array[]): (Uint8Array[] | undefined)[] {
  const table = new Array<Uint8Array[] | undefined>(256).fill(undefined);
  for (const pattern of patterns) {
    const [first = 0] = pattern;
    const list = table[first];
    if (list === undefined) table[first] = [pattern];
    else list.push(pattern);
  }
  return table;
}

/** What each byte counts as: letters from A to Z as small ones, where that is wanted. */
function foldTable(ignoreCase: boolean): Uint8Array {
  const table = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  if (ignoreCase) for (let byte = 0x41; byte <= 0x5a; byte++) table[byte] = byte + 0x20;
  return table;
}

/** A byte comes often where it is met in vain every so many bytes; the first few do not count. */
const OFTEN = 2048;
const FEW = 16 * 1024;

/** For so few bytes nothing is worth a preparation. */
const SHORT = 256;

/** What disks are full of, the worst last. */
const COMMON = [...' etaoinsr', '\x01', '\xff', '\x00'].map((letter) => letter.charCodeAt(0));

function rarestIn(pattern: Uint8Array): number {
  const rank = (byte: number) => COMMON.indexOf(byte);
  let best = 0;
  for (const [index, byte] of pattern.entries()) {
    if (rank(byte) < rank(pattern[best] as number)) best = index;
  }
  return best;
}

function startsAt(bytes: Uint8Array, at: number, pattern: Uint8Array): boolean {
  let i = 0;
  while (i < pattern.length && bytes[at + i] === pattern[i]) i++;
  return i === pattern.length;
}
