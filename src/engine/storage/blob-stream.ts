/**
 * Reading on and on: one stream for what would be many requests. Browsers read a file twice as fast
 * this way, and straight into buffers that are there already.
 */
import { giveBuffer, takeBuffer } from './buffers.ts';

/** Shorter reads tell nothing about what comes next, and are not worth a stream. */
const LEAST_READ = 256 * 1024;
/** Read through rather than beginning anew: what lies between the data of an image is short. */
const LONGEST_GAP = 1024 * 1024;
/** Bytes that were read one behind the other before a stream is opened. */
const LEAST_RUN = 8 * 1024 * 1024;

/**
 * Milliseconds after which a request looks whether the file is still what it was: a stream only
 * looks when it is opened, and then goes on with whatever somebody writes there.
 */
const TRUST = 50;

/** What was read. `undefined`: not in this way, then. */
type Answer = Uint8Array<ArrayBuffer> | undefined;

/** A blob from some offset on. */
class BlobStream {
  readonly #blob: Blob;
  readonly #reader: ReadableStreamBYOBReader;
  readonly #patience: number;
  /** Where it has been read to, bytes. */
  #at: number;
  /** Where it will have been when all that was asked for is done, bytes. */
  #planned: number;
  #queue: Promise<unknown> = Promise.resolve();
  #seen = performance.now();
  #ended = false;

  /** @throws TypeError where the browser has no such streams */
  constructor(blob: Blob, offset: number, patience: number) {
    this.#blob = blob;
    this.#reader = blob.slice(offset).stream().getReader({ mode: 'byob' });
    this.#patience = patience;
    this.#at = offset;
    this.#planned = offset;
  }

  /** Something went wrong, or it is closed: nothing comes any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the bytes from `offset` on come next, or soon. */
  comesTo(offset: number): boolean {
    return !this.#ended && offset >= this.#planned && offset - this.#planned <= LONGEST_GAP;
  }

  /** Reads the next bytes, behind what was asked for before. */
  take(offset: number, length: number): Promise<Answer> {
    this.#planned = offset + length;
    const turn = this.#queue.then(() => this.#watched(offset, length));
    this.#queue = turn;
    return turn;
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    // Whatever it says to this is of no interest; it may also say nothing at all.
    this.#reader.cancel().catch(() => undefined);
  }

  /** Never rejects: why it failed is found out by those who ask in another way. */
  async #watched(offset: number, length: number): Promise<Answer> {
    if (this.#ended) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const watchdog = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, this.#patience, undefined);
    });
    const reading = this.#checked(offset, length).catch(() => undefined);
    const answer = await Promise.race([reading, watchdog]);
    clearTimeout(timer);
    if (answer === undefined) this.close();
    return answer;
  }

  /** @throws what the browser says of a file that has changed */
  async #checked(offset: number, length: number): Promise<Answer> {
    const now = performance.now();
    if (now - this.#seen < TRUST) return this.#read(offset, length);
    this.#seen = now;
    const look = this.#blob.slice(offset, offset + 1).arrayBuffer();
    const [answer] = await Promise.all([this.#read(offset, length), look]);
    return answer;
  }

  async #read(offset: number, length: number): Promise<Answer> {
    const gap = offset - this.#at;
    if (gap > 0) {
      const skipped = await this.#fill(takeBuffer(gap), gap);
      if (skipped === undefined) return undefined;
      giveBuffer(skipped.buffer);
    }
    return this.#fill(takeBuffer(length), length);
  }

  async #fill(memory: ArrayBuffer, length: number): Promise<Answer> {
    let buffer = memory;
    for (let done = 0; done < length;) {
      const wanted = length - done;
      // Where `min` is not known yet, there are more turns.
      const { value } = await this.#reader.read(new Uint8Array(buffer, done, wanted), {
        min: wanted,
      });
      if (value === undefined || value.length === 0) return undefined;
      buffer = value.buffer;
      done += value.length;
      this.#at += value.length;
    }
    return new Uint8Array(buffer, 0, length);
  }
}

/** Notices that a blob is read from one offset on, and opens a stream there. */
export class SequentialReads {
  readonly #blob: Blob;
  readonly #patience: number;
  #stream: BlobStream | undefined;
  /** Where the last read ended, and how many bytes were read up to there in one go. */
  #end = 0;
  #run = 0;
  #isPossible = true;

  /** @param patience milliseconds after which a read counts as stuck */
  constructor(blob: Blob, patience: number) {
    this.#blob = blob;
    this.#patience = patience;
  }

  /**
   * Reads by the stream, if there is one that comes to it; to be called for every longer read,
   * which lies within the blob. Bytes.
   * @returns undefined, or a promise of it, where it is to be read in another way
   */
  take(offset: number, length: number): Promise<Answer> | undefined {
    if (length < LEAST_READ || !this.#isPossible) return undefined;
    if (this.#stream?.comesTo(offset) === true) return this.#answer(this.#stream, offset, length);
    const goesOn = offset >= this.#end && offset - this.#end <= LONGEST_GAP;
    this.#run = goesOn ? this.#run + length : length;
    this.#end = offset + length;
    // From here on, not from this read on: it has to know that it goes on first.
    if (!goesOn || this.#run - length < LEAST_RUN) return undefined;
    const stream = this.#open(offset);
    return stream && this.#answer(stream, offset, length);
  }

  close(): void {
    this.#stream?.close();
    this.#stream = undefined;
    this.#run = 0;
  }

  #open(offset: number): BlobStream | undefined {
    this.close();
    try {
      this.#stream = new BlobStream(this.#blob, offset, this.#patience);
    } catch {
      this.#isPossible = false;
    }
    return this.#stream;
  }

  async #answer(stream: BlobStream, offset: number, length: number): Promise<Answer> {
    const answer = await stream.take(offset, length);
    // One that was given up for another is nobody's fault; one that failed is not tried again.
    if (answer === undefined && stream === this.#stream) {
      this.#isPossible = false;
      this.close();
    }
    return answer;
  }
}
