/** One stream of raw deflate in a range of a storage: for gzip and zip. */
import { openNativeInflate, PullInflater, type NativeInflate } from '../codecs/inflate-pull.ts';
import type { Storage } from '../storage/storage.ts';
import { DecodeFault } from './container.ts';
import { RangeReader } from './range-reader.ts';

/** Bytes given to the platform at once: it may make a thousand times as many of them. */
const SERVING = 32 * 1024;

/** Unpacks step by step; afterwards, `input` is where the stream ends. */
export class DeflateDecoder {
  readonly #input: RangeReader;
  #inflater: PullInflater | undefined = new PullInflater();

  constructor(input: RangeReader) {
    this.#input = input;
  }

  /** The next bytes, valid until the next call; undefined at the end. @throws DecodeFault */
  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (this.#inflater !== undefined) {
      const input = this.#input;
      await input.has(1);
      const before = input.available;
      const { used, output, state } = this.#inflater.step(input.bytes.subarray(input.at));
      input.at += used;
      if (state === 'corrupt') throw new DecodeFault('damaged');
      if (state === 'end') this.close();
      if (output.length > 0) return output;
      if (state === 'more' && before === 0) throw new DecodeFault('cut-off');
    }
    return undefined;
  }

  close(): void {
    this.#inflater?.close();
    this.#inflater = undefined;
  }
}

/**
 * The same by the platform, which is faster and does not tell where the stream ends: for one that
 * should fill its range. Fails (by any exception) where it does not.
 */
export class NativeDeflateDecoder {
  readonly #stream: NativeInflate;
  readonly #feeding: Promise<void>;
  #closed = false;
  position: number;

  private constructor(stream: NativeInflate, storage: Storage, start: number, end: number) {
    this.#stream = stream;
    this.position = start;
    this.#feeding = this.#feed(new RangeReader(storage, start, end));
    this.#feeding.catch(() => undefined);
  }

  /** Undefined where the platform cannot do it. */
  static async open(
    storage: Storage,
    start: number,
    end: number,
  ): Promise<NativeDeflateDecoder | undefined> {
    const stream = await openNativeInflate();
    return stream && new NativeDeflateDecoder(stream, storage, start, end);
  }

  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = await this.#stream.read();
    if (bytes === undefined) await this.#feeding;
    return bytes;
  }

  close(): void {
    this.#closed = true;
    this.#stream.cancel();
  }

  async #feed(input: RangeReader): Promise<void> {
    try {
      while (!this.#closed && (await input.has(1))) {
        const serving = await input.take(Math.min(SERVING, input.available));
        await this.#stream.write(serving);
        this.position = input.position;
      }
      if (!this.#closed) await this.#stream.end();
    } catch (error) {
      // Reading fails: whoever waits for bytes must not wait for ever.
      this.#stream.cancel();
      throw error;
    }
  }
}
