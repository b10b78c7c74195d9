import { PassingStorage, throwIfCancelled, type Storage } from '../engine/index.ts';

/** Seconds between two writes that a long one is cut for. */
const STEP = 0.25;
/** Bytes of a piece that is not cut further. */
const LEAST = 64 * 1024;

/** Lets no more bytes a second pass than may. */
export class RateLimit {
  /** Bytes a second. */
  readonly rate: number;
  readonly #signal: AbortSignal | undefined;
  /** When everything that passed so far may have passed, milliseconds. */
  #free = 0;

  /** @param rate bytes a second, more than 0 */
  constructor(rate: number, signal: AbortSignal | undefined) {
    this.rate = rate;
    this.#signal = signal;
  }

  /** Waits until those that came before have had their time. @throws ImageError cancelled */
  async turn(length: number): Promise<void> {
    const now = performance.now();
    const start = Math.max(now, this.#free);
    this.#free = start + (length / this.rate) * 1000;
    if (start > now) await pause(start - now, this.#signal);
    throwIfCancelled(this.#signal);
  }
}

/** Writes no more bytes a second than it may; reads as fast as it can. */
export class LimitedStorage extends PassingStorage {
  readonly #limit: RateLimit;

  /** @param rate bytes a second, more than 0 */
  constructor(storage: Storage, rate: number, signal: AbortSignal | undefined) {
    super(storage);
    this.#limit = new RateLimit(rate, signal);
  }

  override async write(offset: number, source: Uint8Array): Promise<void> {
    const step = Math.max(LEAST, Math.floor(this.#limit.rate * STEP));
    for (let done = 0; done < source.length; done += step) {
      const piece = source.subarray(done, done + step);
      await this.#limit.turn(piece.length);
      await super.write(offset + done, piece);
    }
  }
}

/** The longest that a timer can wait, milliseconds. */
const LONGEST = 2 ** 31 - 1;

/** Waits so many milliseconds, or until the signal. */
function pause(time: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, Math.min(time, LONGEST));
    signal?.addEventListener('abort', end);
  });
}
