/**
 * Bytes that one batch gathers. Larger requests are hardly faster, and one that is on its way cannot
 * be stopped.
 */
const CAPACITY = 4 << 20;
/** Pieces of one batch that are not neighbours in the order of writing. */
const MOST_PIECES = 512;

interface Piece {
  offset: number;
  /** Where its bytes are in the batch. */
  start: number;
  length: number;
}

/** Bytes that belong at one position of the file. */
export interface BatchRun {
  position: number;
  data: Uint8Array<ArrayBuffer>;
}

/**
 * Gathers small writes in any order and gives them out in the order of the file, neighbours
 * joined. No byte is in it twice: a write over gathered bytes has to wait for the next batch.
 */
export class WriteBatch {
  #bytes: Uint8Array<ArrayBuffer> | undefined;
  #used = 0;
  #pieces: Piece[] = [];

  /** Copies what fits of `source` for `offset`; returns how many bytes, 0 to say «send first». */
  add(offset: number, source: Uint8Array): number {
    const length = Math.min(source.length, CAPACITY - this.#used);
    if (length === 0 || this.#overlaps(offset, length)) return 0;
    const last = this.#pieces.at(-1);
    if (last !== undefined && last.offset + last.length === offset) {
      last.length += length;
    } else {
      if (this.#pieces.length === MOST_PIECES) return 0;
      this.#pieces.push({ offset, start: this.#used, length });
    }
    this.#bytes ??= new Uint8Array(CAPACITY);
    this.#bytes.set(source.subarray(0, length), this.#used);
    this.#used += length;
    return length;
  }

  /** What is gathered, in the order of the file. Valid until {@link clear}. */
  *runs(): Generator<BatchRun> {
    const pieces = this.#pieces.toSorted((a, b) => a.offset - b.offset);
    for (let first = 0; first < pieces.length;) {
      const neighbours = neighboursFrom(pieces, first);
      first += neighbours.length;
      yield { position: neighbours[0]?.offset ?? 0, data: this.#joined(neighbours) };
    }
  }

  /** Forgets what was gathered. */
  clear(): void {
    this.#used = 0;
    this.#pieces = [];
  }

  #joined(pieces: Piece[]): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes ?? new Uint8Array(0);
    const [only] = pieces;
    if (only !== undefined && pieces.length === 1) {
      return bytes.subarray(only.start, only.start + only.length);
    }
    const data = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let done = 0;
    for (const { start, length } of pieces) {
      data.set(bytes.subarray(start, start + length), done);
      done += length;
    }
    return data;
  }

  #overlaps(offset: number, length: number): boolean {
    return this.#pieces.some(
      (piece) => piece.offset < offset + length && offset < piece.offset + piece.length,
    );
  }
}

/** The piece at `first` and those that follow it in the file without a gap. */
function neighboursFrom(sorted: Piece[], first: number): Piece[] {
  let end = first + 1;
  for (; end < sorted.length; end++) {
    const before = sorted[end - 1];
    if (before === undefined || before.offset + before.length !== sorted[end]?.offset) break;
  }
  return sorted.slice(first, end);
}
