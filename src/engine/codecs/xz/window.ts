import { StreamFault } from '../stream-decoder.ts';

/** Bytes of what came before that are kept at most; presets of xz want 64 MiB at most. */
const MOST_KEPT = 2 ** 26;
/** Room for what comes, so that what is kept has not to be moved for every chunk. */
const ROOM = 2 ** 22;
const FIRST_SIZE = 2 ** 20;

/** What was unpacked last: matches repeat pieces of it. Takes only as much memory as is in use. */
export class Window {
  bytes: Uint8Array = new Uint8Array();
  /** Where the next byte goes. */
  at = 0;
  /** Where matches may begin to refer to. */
  #start = 0;
  /** Bytes at the beginning that were let go although matches may want them. */
  #lost = false;
  #size = 0;

  /** Begins anew. @param size how far back matches may reach, bytes */
  reset(size: number): void {
    this.#size = size;
    this.#start = this.at;
    this.#lost = false;
  }

  /** Makes room for `length` bytes; what came before them is still there, as far as it is needed. */
  prepare(length: number): void {
    if (this.at + length <= this.bytes.length) return;
    const kept = Math.min(this.at - this.#start, this.#size, MOST_KEPT);
    const from = this.at - kept;
    if (kept < this.at - this.#start && kept < this.#size) this.#lost = true;
    const needed = kept + length;
    if (needed <= this.bytes.length / 2 || this.bytes.length >= MOST_KEPT + ROOM) {
      this.bytes.copyWithin(0, from, this.at);
    } else {
      const size = Math.min(Math.max(needed * 2, FIRST_SIZE), MOST_KEPT + ROOM);
      const bytes = new Uint8Array(size);
      bytes.set(this.bytes.subarray(from, this.at));
      this.bytes = bytes;
    }
    this.#start = 0;
    this.at = kept;
  }

  /** Sees whether a match may reach `distance` bytes back. @throws StreamFault corrupt, too-large */
  assertReach(distance: number): void {
    if (distance <= this.at - this.#start && distance <= this.#size) return;
    const problem = this.#lost && distance <= this.#size ? 'too-large' : 'corrupt';
    throw new StreamFault(problem, `distance ${distance}`);
  }

  /** Repeats `length` bytes from `distance` bytes back; room has to be there. */
  repeat(distance: number, length: number): void {
    const { bytes, at } = this;
    const from = at - distance;
    if (distance === 1) bytes.fill(bytes[from] as number, at, at + length);
    else for (let i = 0; i < length; i++) bytes[at + i] = bytes[from + i] as number;
    this.at += length;
  }
}
