import { StreamFault, type StreamDecoder, type StreamProblem } from '../codecs/stream-decoder.ts';
import { DecodeFault, type ContainerProblem } from './container.ts';
import type { Decoder } from './decoder.ts';
import type { RangeReader } from './range-reader.ts';

const PROBLEMS: Record<StreamProblem, ContainerProblem> = {
  short: 'cut-off',
  corrupt: 'damaged',
  unsupported: 'method',
  'too-large': 'memory',
};

/** Packed bytes that are pushed at once. */
const SERVING = 64 * 1024;

/** What a codec to which bytes are pushed makes of a range of a storage. */
export class PushedDecoder implements Decoder {
  readonly #codec: StreamDecoder;
  readonly #input: RangeReader;
  /** Bytes that stand before and behind those of the storage. */
  #before: Uint8Array;
  readonly #behind: Uint8Array;
  #pieces: Iterator<Uint8Array> | undefined;
  #ended = false;

  constructor(
    codec: StreamDecoder,
    input: RangeReader,
    { before = new Uint8Array(0), behind = new Uint8Array(0) } = {},
  ) {
    this.#codec = codec;
    this.#input = input;
    this.#before = before;
    this.#behind = behind;
  }

  get position(): number {
    return this.#input.position;
  }

  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    for (;;) {
      const piece = this.#piece();
      if (piece !== undefined) return piece;
      if (this.#ended) return undefined;
      await this.#push();
    }
  }

  close(): void {
    this.#ended = true;
    this.#pieces = undefined;
  }

  #piece(): Uint8Array<ArrayBuffer> | undefined {
    try {
      const next = this.#pieces?.next();
      if (next === undefined || next.done === true) {
        this.#pieces = undefined;
        return undefined;
      }
      return next.value as Uint8Array<ArrayBuffer>;
    } catch (error) {
      if (error instanceof StreamFault)
        throw new DecodeFault(PROBLEMS[error.problem], error.message);
      throw error;
    }
  }

  async #push(): Promise<void> {
    const input = this.#input;
    if (this.#before.length > 0) {
      const before = this.#before;
      this.#before = new Uint8Array(0);
      this.#pieces = this.#codec.push(before, false)[Symbol.iterator]();
      return;
    }
    if (await input.has(1)) {
      const bytes = await input.take(Math.min(SERVING, input.available));
      const isLast = this.#behind.length === 0 && !(await input.has(1));
      this.#ended = isLast;
      this.#pieces = this.#codec.push(bytes, isLast)[Symbol.iterator]();
      return;
    }
    this.#ended = true;
    this.#pieces = this.#codec.push(this.#behind, true)[Symbol.iterator]();
  }
}
