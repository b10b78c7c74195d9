import { type ErrorCode, type ErrorDetails, ImageError, isImageError } from '../errors.ts';
import {
  type CodecPool,
  type DecompressBatch,
  InlinePool,
  unpackBatch,
  type UnpackedBatch,
} from './pool.ts';

/** What is used of a Worker: so that the pool can be tested without any. */
export interface CodecWorker {
  postMessage(message: unknown, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<CodecAnswer>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  terminate(): void;
}

/** From the pool to a worker. */
interface CodecOrder {
  id: number;
  batch: DecompressBatch;
}

/** From a worker to the pool. */
export type CodecAnswer =
  | { id: number; unpacked: UnpackedBatch }
  | { id: number; code: ErrorCode; details: ErrorDetails[ErrorCode] };

interface Errand {
  batch: DecompressBatch;
  resolve: (unpacked: UnpackedBatch) => void;
  reject: (error: unknown) => void;
}

interface Hand {
  worker: CodecWorker;
  errands: Map<number, Errand>;
}

/** How many workers are worth having on a machine with `cores`: the caller mostly waits for them. */
export function poolSize(cores: number): number {
  return Math.max(1, Math.min(8, cores));
}

/**
 * Unpacks batches in several workers. Where workers cannot start, or end by themselves, their
 * batches are unpacked on the calling thread: slower, and nothing is lost.
 */
export class WorkerPool implements CodecPool {
  readonly concurrency: number;
  readonly #hands: Hand[] = [];
  readonly #inline = new InlinePool();
  #next = 0;
  #closed = false;

  /** Starts `size` workers by `start`, which may throw. Each runs {@link serveCodec}. */
  constructor(start: () => CodecWorker, size: number) {
    // One batch in work and one waiting for each, so that none is ever idle between two.
    this.concurrency = 2 * size;
    try {
      for (let index = 0; index < size; index++) this.#hire(start());
    } catch {
      // Those that did start are enough; with none at all, unpack does it itself.
    }
  }

  async unpack(batch: DecompressBatch): Promise<UnpackedBatch> {
    if (this.#closed) throw new ImageError('cancelled', {});
    const hand = this.#leastBusy();
    if (hand === undefined) return this.#inline.unpack(batch);
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      hand.errands.set(id, { batch, resolve, reject });
      // A copy is sent, and the original kept for the case that the worker ends.
      const packed = batch.packed.slice();
      const order: CodecOrder = { id, batch: { ...batch, packed } };
      hand.worker.postMessage(order, [packed.buffer]);
    });
  }

  close(): void {
    this.#closed = true;
    for (const hand of this.#hands.splice(0)) {
      hand.worker.terminate();
      for (const errand of hand.errands.values()) errand.reject(new ImageError('cancelled', {}));
    }
  }

  #leastBusy(): Hand | undefined {
    let best = this.#hands[0];
    for (const hand of this.#hands) {
      if (best === undefined || hand.errands.size < best.errands.size) best = hand;
    }
    return best;
  }

  #hire(worker: CodecWorker): void {
    const hand: Hand = { worker, errands: new Map() };
    worker.onmessage = ({ data }) => {
      const errand = hand.errands.get(data.id);
      hand.errands.delete(data.id);
      if ('unpacked' in data) errand?.resolve(data.unpacked);
      else errand?.reject(new ImageError(data.code, data.details));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#dismiss(hand);
    };
    this.#hands.push(hand);
  }

  /** Takes over what a worker that ended has left undone. */
  #dismiss(hand: Hand): void {
    const index = this.#hands.indexOf(hand);
    if (index < 0) return;
    this.#hands.splice(index, 1);
    hand.worker.terminate();
    for (const { batch, resolve, reject } of hand.errands.values()) {
      this.unpack(batch).then(resolve, reject);
    }
  }
}

/** What is used of a dedicated worker's own scope. */
export interface CodecScope {
  onmessage: ((event: MessageEvent<CodecOrder>) => void) | null;
  postMessage(message: CodecAnswer, transfer: Transferable[]): void;
}

/** The worker's side: answers each order, in turn. */
export function serveCodec(scope: CodecScope): void {
  scope.onmessage = ({ data: { id, batch } }) => {
    try {
      const unpacked = unpackBatch(batch);
      scope.postMessage({ id, unpacked }, [unpacked.data.buffer]);
    } catch (error) {
      // Anything else is a defect: it ends this worker, and the pool notices.
      if (!isImageError(error)) throw error;
      scope.postMessage({ id, code: error.code, details: error.details }, []);
    }
  };
}
