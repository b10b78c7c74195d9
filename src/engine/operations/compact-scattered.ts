/**
 * The content of a fragmented image, in the order in which it lies there: long reads, and each piece
 * is written to the place that it gets.
 */
import type { Cipher } from '../codecs/cipher.ts';
import { gather, READ_THROUGH, type Piece } from '../storage/gather.ts';
import type { Storage } from '../storage/storage.ts';
import { HOLE } from './compact-writer.ts';
import { sortedIndexes } from './extent-store.ts';
import { isWorthIt } from './file-order.ts';
import { nonZeroRuns } from './zeros.ts';

/** Pieces of a file that are to be moved. */
export interface Moves {
  readonly count: number;
  /** Where a piece is. */
  readonly place: (index: number) => Piece;
  /** Where it goes, bytes from the first one. */
  readonly goal: (index: number) => number;
  /** What it is encrypted with, by its place in the file. */
  readonly cipher?: Cipher | undefined;
}

/** Pieces that are put in order together: of each, eight bytes are kept. */
const SORTED_AT_ONCE = 2 ** 20;
/** Bytes that are read together. */
const WINDOW = 8 * 1024 * 1024;
const MOST_PIECES = 8 * 1024;

/** Whether reading the pieces one after the other takes longer for the ways between them. */
export function areScattered({ count, place }: Moves): boolean {
  let end = -1;
  let jumps = 0;
  let bytes = 0;
  for (let index = 0; index < count; index++) {
    const { offset, length } = place(index);
    if (end >= 0 && Math.abs(offset - end) > READ_THROUGH) jumps += 1;
    end = offset + length;
    bytes += length;
  }
  return isWorthIt(jumps, bytes);
}

/**
 * Moves the pieces into a new file.
 * @param start where the first one goes, bytes
 * @param passed told how many bytes are done; the work stands still until it settles
 */
export async function moveByFile(
  source: Storage,
  moves: Moves,
  target: Storage,
  start: number,
  passed: (bytes: number) => Promise<void>,
): Promise<void> {
  let done = 0;
  let writing: Promise<void> = Promise.resolve();
  for (const window of windows(source, moves, start)) {
    // The next window is read while the one before is written.
    const reading = read(source, window, moves.cipher);
    reading.catch(() => undefined);
    await writing;
    await passed(done);
    done += window.length;
    writing = reading.then((bytes) => write(target, window, bytes));
    writing.catch(() => undefined);
  }
  await writing;
  await passed(done);
}

/** A piece of the source; `at` is where it is in its window, `goal` where it goes. Bytes. */
interface Stretch extends Piece {
  /** Grows with neighbours. */
  length: number;
  readonly at: number;
  readonly goal: number;
}

interface Window {
  readonly stretches: Stretch[];
  readonly length: number;
}

function* windows(
  source: Storage,
  { count, place, goal }: Moves,
  start: number,
): Generator<Window, undefined> {
  let stretches: Stretch[] = [];
  let length = 0;
  for (let first = 0; first < count; first += SORTED_AT_ONCE) {
    const some = Math.min(SORTED_AT_ONCE, count - first);
    for (const index of sortedIndexes(some, source.size, (at) => place(first + at).offset)) {
      const piece = place(first + index);
      const goesTo = start + goal(first + index);
      const isFull = length + piece.length > WINDOW || stretches.length >= MOST_PIECES;
      if (isFull && length > 0) {
        yield { stretches, length };
        stretches = [];
        length = 0;
      }
      const last = stretches.at(-1);
      const follows = last !== undefined && last.offset + last.length === piece.offset;
      if (follows && last.goal + last.length === goesTo) last.length += piece.length;
      else stretches.push({ ...piece, at: length, goal: goesTo });
      length += piece.length;
    }
  }
  if (length > 0) yield { stretches, length };
  return undefined;
}

async function read(
  source: Storage,
  { stretches, length }: Window,
  cipher: Cipher | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  await gather(source, stretches, ({ at }, view) => {
    bytes.set(view, at);
  });
  if (cipher === undefined) return bytes;
  const moved = stretches.map(async ({ offset, length: size, at, goal }) => {
    const plain = await cipher.decrypt(bytes.slice(at, at + size), offset);
    bytes.set(await cipher.encrypt(plain, goal), at);
  });
  await Promise.all(moved);
  return bytes;
}

async function write(
  target: Storage,
  { stretches }: Window,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  for (const { at, length, goal } of stretches) {
    const piece = bytes.subarray(at, at + length);
    for (const { start, end } of nonZeroRuns(piece, goal, HOLE)) {
      await target.write(goal + start, piece.subarray(start, end));
    }
  }
}
