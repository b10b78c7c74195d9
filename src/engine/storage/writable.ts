import { ImageError } from '../errors.ts';
import { refuseWrite, writeFailure } from './failures.ts';
import type { Storage } from './storage.ts';
import { WriteBatch } from './write-batch.ts';

/** What is used of FileSystemWritableFileStream: so that tests can break it in every way. */
export interface WritableTarget {
  write(chunk: { type: 'write'; position: number; data: Uint8Array<ArrayBuffer> }): Promise<void>;
  truncate(size: number): Promise<void>;
  close(): Promise<void>;
  abort(): Promise<void>;
}

/**
 * A new content for a file that the person chose, for writing only. Nothing changes in the file
 * until {@link close} succeeds: the browser writes beside it and swaps. {@link abort} leaves the
 * old content.
 *
 * Each request to the browser has a price, so writes are gathered and neighbours joined, and one
 * batch is on its way while the next is gathered.
 */
export class WritableStorage implements Storage {
  readonly name: string;
  readonly writable = true;
  readonly #stream: WritableTarget;
  #gathering = new WriteBatch();
  #spare = new WriteBatch();
  /** Calls run one after the other: positions and batches must not mix. */
  #queue: Promise<void> = Promise.resolve();
  /** The batch on its way. Never rejects; a failure is in `#failure`. */
  #onItsWay: Promise<void> = Promise.resolve();
  #failure: ImageError | undefined;
  #size = 0;
  #ended = false;
  /** Settles when what was written is discarded. */
  #aborted: Promise<void> = Promise.resolve();

  constructor(stream: WritableTarget, name: string) {
    this.name = name;
    this.#stream = stream;
  }

  /**
   * Starts with an empty content, or with all of the old one: the browser copies that first, which
   * takes its time, and nobody else may write meanwhile.
   * @param keep bytes of the old content, where it is to be kept
   * @throws ImageError permission-lost, file-gone, disk-full, open-failed; being-changed when
   * somebody else writes
   */
  static async open(file: FileSystemFileHandle, keep?: number): Promise<WritableStorage> {
    const { name } = file;
    try {
      if (keep === undefined) return new WritableStorage(await file.createWritable(), name);
      const options = { keepExistingData: true, mode: 'exclusive' };
      const storage = new WritableStorage(await file.createWritable(options), name);
      storage.#size = keep;
      return storage;
    } catch (error) {
      const busy = error instanceof Error && error.name === 'NoModificationAllowedError';
      if (!busy) throw writeFailure(name, 0, keep ?? 0, error);
      if (keep !== undefined) throw new ImageError('being-changed', { name }, { cause: error });
      const reason = 'Resource busy';
      throw new ImageError('open-failed', { name, reason }, { cause: error });
    }
  }

  get size(): number {
    return this.#size;
  }

  /** Cannot be: the content is not there before {@link close}. Always read-failed. */
  read(offset: number, target: Uint8Array): Promise<number> {
    const { name } = this;
    const reason = 'write only';
    const { length } = target;
    return Promise.reject(new ImageError('read-failed', { name, offset, length, reason }));
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      for (let done = 0; done < source.length;) {
        const taken = this.#gathering.add(offset + done, source.subarray(done));
        if (taken === 0) await this.#send();
        done += taken;
      }
      if (source.length > 0) this.#size = Math.max(this.#size, offset + source.length);
    });
  }

  resize(size: number): Promise<void> {
    return this.#inTurn(async () => {
      await this.#sendAll();
      try {
        await this.#stream.truncate(size);
      } catch (error) {
        throw this.#fail(writeFailure(this.name, size, 0, error));
      }
      this.#size = size;
    });
  }

  /** Everything is with the browser then; on the medium it is only after {@link close}. */
  flush(): Promise<void> {
    return this.#inTurn(() => this.#sendAll());
  }

  /**
   * Publishes the content. Slow for a local file: the browser reads all of it once more first.
   * After a failed write it discards instead, and says the failure.
   * @throws ImageError finish-refused, permission-lost, disk-full, write-failed
   */
  async close(): Promise<void> {
    if (this.#ended) return;
    try {
      await this.flush();
    } catch (error) {
      await this.abort();
      throw error;
    }
    this.#ended = true;
    try {
      await this.#stream.close();
    } catch (error) {
      const refused = error instanceof Error && error.name === 'AbortError';
      if (!refused) throw writeFailure(this.name, 0, this.#size, error);
      throw new ImageError('finish-refused', { name: this.name }, { cause: error });
    }
  }

  /** Discards everything that was written; the file stays as it was. Safe to call at any time. */
  abort(): Promise<void> {
    if (this.#ended) return this.#aborted;
    this.#ended = true;
    // A stream that has failed before cannot be aborted: it has discarded its content already.
    this.#aborted = this.#stream.abort().catch(() => undefined);
    return this.#aborted;
  }

  /** Runs `step` after those before it; not at all after a failure or the end. */
  #inTurn(step: () => Promise<void>): Promise<void> {
    const turn = this.#queue.then(async () => {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return refuseWrite(this.name);
      await step();
    });
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  /** Sends what is gathered as soon as the batch before has arrived. */
  async #send(): Promise<void> {
    await this.#onItsWay;
    if (this.#failure !== undefined) throw this.#failure;
    const batch = this.#gathering;
    this.#gathering = this.#spare;
    this.#spare = batch;
    this.#onItsWay = this.#transmit(batch);
  }

  async #sendAll(): Promise<void> {
    await this.#send();
    await this.#onItsWay;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #transmit(batch: WriteBatch): Promise<void> {
    for (const { position, data } of batch.runs()) {
      if (this.#ended) break;
      try {
        await this.#stream.write({ type: 'write', position, data });
      } catch (error) {
        this.#fail(writeFailure(this.name, position, data.length, error));
        break;
      }
    }
    batch.clear();
  }

  #fail(failure: ImageError): ImageError {
    this.#failure ??= failure;
    return this.#failure;
  }
}
