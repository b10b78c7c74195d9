/** Packed content as a storage: unpacked while it is read, kept in a scratch storage. */
import { ReadOnlyStorage } from '../storage/read-only.ts';
import { ImageError, isImageError, throwIfCancelled } from '../errors.ts';
import { available } from '../storage/failures.ts';
import { pacer } from '../yield.ts';
import { containerFault, DecodeFault, type Scratch, type Watch, type Whose } from './container.ts';
import type { Decoder } from './decoder.ts';
import { SparseScratch } from './sparse-scratch.ts';

/** A piece of the content that can be unpacked without the others. Bytes. */
export interface Part {
  readonly offset: number;
  readonly length: number;
  /** Absent where it is unpacked already. */
  readonly open?: () => Decoder;
}

/** How a part is unpacked as far as it was asked for. */
interface PartState {
  readonly part: Part;
  decoder: Decoder | undefined;
  /** Bytes of it that are in the scratch storage. */
  done: number;
  /** All of it was unpacked and checked. */
  ended: boolean;
  /** Why it does not go on. */
  fault: Error | undefined;
}

/** Parts that may be unpacked half at the same time: each holds a decoder and its window. */
const MOST_DECODERS = 2;

/** What is unpacked, to whom it is told and where it is kept. */
export interface DecodedSource {
  readonly whose: Whose;
  /** What the content is called. */
  readonly name: string;
  /** Bytes of the packed file: what progress is out of. */
  readonly packed: number;
}

/** For reading. Reads may be under way at the same time; unpacking happens one by one. */
export class DecodedStorage extends ReadOnlyStorage {
  readonly name: string;
  readonly size: number;
  readonly #source: DecodedSource;
  readonly #kept: SparseScratch;
  readonly #watch: Watch;
  readonly #parts: PartState[];
  /** Those with a decoder, the one that was used last at the end. */
  #live: PartState[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** @param parts all of the content, in rising order and without gaps */
  constructor(source: DecodedSource, parts: readonly Part[], kept: SparseScratch, watch: Watch) {
    super();
    this.#source = source;
    this.name = source.name;
    this.#kept = kept;
    this.#watch = watch;
    this.#parts = parts.map((part) => {
      const ended = part.open === undefined;
      return { part, decoder: undefined, done: ended ? part.length : 0, ended, fault: undefined };
    });
    const last = parts.at(-1);
    this.size = last === undefined ? 0 : last.offset + last.length;
  }

  /** Opens the scratch storage for it. */
  static async open(
    source: DecodedSource,
    parts: readonly Part[],
    scratch: Scratch,
  ): Promise<DecodedStorage> {
    const kept = new SparseScratch(await scratch.open(), scratch.limit);
    return new DecodedStorage(source, parts, kept, scratch.watch ?? {});
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    const length = available(this.size, offset, target.length);
    if (length === 0) return 0;
    if (!this.#isThere(offset, offset + length)) {
      const work = this.#turn.then(() => this.#reach(offset, offset + length));
      this.#turn = work.catch(() => undefined);
      await work;
    }
    await this.#kept.get(offset, target.subarray(0, length));
    return length;
  }

  override async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#turn;
    for (const { decoder } of this.#live) decoder?.close();
    this.#live = [];
    await this.#kept.close();
  }

  #isThere(start: number, end: number): boolean {
    for (let index = this.#indexAt(start); index < this.#parts.length; index++) {
      const state = this.#parts[index];
      if (state === undefined || state.part.offset >= end) return true;
      const wanted = Math.min(end - state.part.offset, state.part.length);
      // The last byte of a part is given out when its checksum was right.
      if (wanted === state.part.length ? !state.ended : state.done < wanted) return false;
    }
    return true;
  }

  /** The part that has the byte. */
  #indexAt(offset: number): number {
    let low = 0;
    let high = this.#parts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#parts[middle]?.part.offset ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  async #reach(start: number, end: number): Promise<void> {
    for (let index = this.#indexAt(start); index < this.#parts.length; index++) {
      const state = this.#parts[index];
      if (state === undefined || state.part.offset >= end) return;
      await this.#advance(state, Math.min(end - state.part.offset, state.part.length));
    }
  }

  /** Unpacks the first `until` bytes of a part, as far as they are not yet. */
  async #advance(state: PartState, until: number): Promise<void> {
    const { part } = state;
    if (state.ended || (state.done >= until && until < part.length)) return;
    if (state.fault !== undefined) throw state.fault;
    const decoder = state.decoder ?? (await this.#begin(state));
    const breathe = pacer(this.#watch.signal);
    while (!state.ended && (state.done < until || until === part.length)) {
      throwIfCancelled(this.#watch.signal);
      // Nobody waits any more, however far there was to go.
      if (this.#closed) throw new ImageError('cancelled', {});
      await this.#step(state, decoder);
      const done = Math.min(decoder.position, this.#source.packed);
      this.#watch.progress?.({ stage: 'unpacking', done, total: this.#source.packed });
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
  }

  async #step(state: PartState, decoder: Decoder): Promise<void> {
    const { part } = state;
    try {
      const bytes = await decoder.next();
      if (bytes !== undefined) {
        if (state.done + bytes.length > part.length) throw new DecodeFault('size');
        await this.#kept.put(part.offset + state.done, bytes);
        state.done += bytes.length;
        return;
      }
      if (state.done < part.length) throw new DecodeFault('size');
    } catch (error) {
      // A decoder that failed does not go on: what it was about to say is lost.
      state.fault = this.#told(error);
      this.#end(state);
      throw state.fault;
    }
    state.ended = true;
    this.#end(state);
  }

  #told(error: unknown): Error {
    if (error instanceof DecodeFault) {
      return containerFault(this.#source.whose, error.problem, error);
    }
    return error instanceof Error ? error : new Error(String(error));
  }

  async #begin(state: PartState): Promise<Decoder> {
    // What was begun and is in the way is unpacked to its end: each byte once.
    while (this.#live.length >= MOST_DECODERS) {
      const [oldest] = this.#live;
      if (oldest === undefined) break;
      await this.#advance(oldest, oldest.part.length).catch((error: unknown) => {
        if (isImageError(error, 'cancelled')) throw error;
        this.#end(oldest);
      });
    }
    const decoder = state.part.open?.();
    if (decoder === undefined) throw new DecodeFault('damaged', 'a part that cannot be opened');
    state.decoder = decoder;
    this.#live.push(state);
    return decoder;
  }

  #end(state: PartState): void {
    state.decoder?.close();
    state.decoder = undefined;
    this.#live = this.#live.filter((one) => one !== state);
  }
}

/**
 * Unpacks all of a stream of which nothing tells the size.
 * @throws ImageError container-invalid, cancelled
 */
export async function decodeThrough(
  source: DecodedSource,
  decoder: Decoder,
  scratch: Scratch,
): Promise<DecodedStorage> {
  const watch = scratch.watch ?? {};
  const kept = new SparseScratch(await scratch.open(), scratch.limit);
  const breathe = pacer(watch.signal);
  let size = 0;
  try {
    for (;;) {
      throwIfCancelled(watch.signal);
      const bytes = await decoder.next();
      if (bytes === undefined) break;
      await kept.put(size, bytes);
      size += bytes.length;
      const done = Math.min(decoder.position, source.packed);
      watch.progress?.({ stage: 'unpacking', done, total: source.packed });
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
  } catch (error) {
    await kept.close();
    if (!(error instanceof DecodeFault)) throw error;
    throw containerFault(source.whose, error.problem, error);
  } finally {
    decoder.close();
  }
  return new DecodedStorage(source, [{ offset: 0, length: size }], kept, watch);
}
