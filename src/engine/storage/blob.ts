import { ImageError } from '../errors.ts';
import { available, readFailure, refuseWrite } from './failures.ts';
import type { Storage } from './storage.ts';

/** Bytes of one request. Fewer cost speed (64 KiB: a tenth), more only memory. */
const PIECE = 4 << 20;
/** Requests in flight for one long read; more bring nothing. */
const LANES = 4;

/** How a {@link BlobStorage} reads. */
export interface BlobOptions {
  /** Milliseconds after which a request counts as stuck. It is asked once more, then given up. */
  patience?: number;
}

/**
 * A File or Blob, for reading. One request costs about 0.7 ms whatever its size up to 64 KiB:
 * callers merge neighbours. Long reads are split and kept in flight together.
 */
export class BlobStorage implements Storage {
  readonly name: string;
  readonly writable = false;
  readonly size: number;
  readonly #blob: Blob;
  readonly #patience: number;

  constructor(blob: Blob, name = blob instanceof File ? blob.name : 'blob', options?: BlobOptions) {
    this.name = name;
    this.size = blob.size;
    this.#blob = blob;
    this.#patience = options?.patience ?? 20_000;
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    const length = available(this.size, offset, target.length);
    if (length === 0) return 0;
    if (length <= PIECE) await this.#piece(offset, target.subarray(0, length));
    else await this.#pieces(offset, target.subarray(0, length));
    return length;
  }

  write(): Promise<void> {
    return refuseWrite(this.name);
  }

  resize(): Promise<void> {
    return refuseWrite(this.name);
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Several requests in flight. Returns only when none is left that could still fill `target`. */
  async #pieces(offset: number, target: Uint8Array): Promise<void> {
    let next = 0;
    let failure: unknown;
    const lane = async (): Promise<void> => {
      while (next < target.length && failure === undefined) {
        const start = next;
        next += PIECE;
        try {
          await this.#piece(offset + start, target.subarray(start, start + PIECE));
        } catch (error) {
          failure ??= error;
        }
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    if (failure !== undefined) throw readFailure(this.name, offset, target.length, failure);
  }

  async #piece(offset: number, target: Uint8Array): Promise<void> {
    const bytes = (await this.#request(offset, target)) ?? (await this.#request(offset, target));
    if (bytes === undefined) throw this.#failed(offset, target, 'no answer from the browser');
    if (bytes.byteLength !== target.length) {
      // The promise of the size at opening is broken: the file was cut meanwhile.
      throw new ImageError('file-changed', { name: this.name });
    }
    target.set(new Uint8Array(bytes));
  }

  /** One request; undefined when nothing came in time (requests have been seen to hang). */
  async #request(offset: number, target: Uint8Array): Promise<ArrayBuffer | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const watchdog = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, this.#patience, undefined);
    });
    try {
      const answer = this.#blob.slice(offset, offset + target.length).arrayBuffer();
      return await Promise.race([answer, watchdog]);
    } catch (error) {
      throw readFailure(this.name, offset, target.length, error);
    } finally {
      clearTimeout(timer);
    }
  }

  #failed(offset: number, target: Uint8Array, reason: string): ImageError {
    return new ImageError('read-failed', {
      name: this.name,
      offset,
      length: target.length,
      reason,
    });
  }
}
