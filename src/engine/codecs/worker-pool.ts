import { type ErrorCode, type ErrorDetails, ImageError, isImageError } from '../errors.ts';
import {
  type CodecPool,
  type CompressBatch,
  type DecompressBatch,
  InlinePool,
  packBatch,
  type PackedBatch,
  unpackBatch,
  type UnpackedBatch,
} from './pool.ts';
import { hasUnpacker, loadUnpacker } from './unpackers.ts';

/** What is used of a Worker: so that the pool can be tested without any. */
export interface CodecWorker {
  postMessage(message: unknown, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<CodecAnswer>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  terminate(): void;
}

/** From the pool to a worker. */
export type CodecOrder = { id: number } & ({ unpack: DecompressBatch } | { pack: CompressBatch });

/** What an order asks for, as the caller gave it. */
type Batch = { unpack: DecompressBatch } | { pack: CompressBatch };

/** From a worker to the pool. */
export type CodecAnswer =
  | { id: number; result: UnpackedBatch | PackedBatch }
  | { id: number; code: ErrorCode; details: ErrorDetails[ErrorCode] };

interface Errand {
  batch: Batch;
  resolve: (result: UnpackedBatch | PackedBatch) => void;
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

  unpack(batch: DecompressBatch): Promise<UnpackedBatch> {
    return this.#order({ unpack: batch }) as Promise<UnpackedBatch>;
  }

  pack(batch: CompressBatch): Promise<PackedBatch> {
    return this.#order({ pack: batch }) as Promise<PackedBatch>;
  }

  async #order(batch: Batch): Promise<UnpackedBatch | PackedBatch> {
    if (this.#closed) throw new ImageError('cancelled', {});
    const hand = this.#leastBusy();
    if (hand === undefined) {
      return 'pack' in batch ? this.#inline.pack(batch.pack) : this.#inline.unpack(batch.unpack);
    }
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      hand.errands.set(id, { batch, resolve, reject });
      const { order, buffer } = orderFor(id, batch);
      hand.worker.postMessage(order, [buffer]);
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
      if ('result' in data) errand?.resolve(data.result);
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
      this.#order(batch).then(resolve, reject);
    }
  }
}

/** A copy is sent, and the original kept for the case that the worker ends. */
function orderFor(id: number, batch: Batch): { order: CodecOrder; buffer: ArrayBuffer } {
  if ('pack' in batch) {
    const data = batch.pack.data.slice();
    return { order: { id, pack: { ...batch.pack, data } }, buffer: data.buffer };
  }
  const packed = batch.unpack.packed.slice();
  return { order: { id, unpack: { ...batch.unpack, packed } }, buffer: packed.buffer };
}

/** What is used of a dedicated worker's own scope. */
export interface CodecScope {
  onmessage: ((event: MessageEvent<CodecOrder>) => void) | null;
  postMessage(message: CodecAnswer, transfer: Transferable[]): void;
}

/** The worker's side: answers each order, in turn. */
export function serveCodec(scope: CodecScope): void {
  const answer = (order: CodecOrder): void => {
    const { id } = order;
    try {
      const result = 'pack' in order ? packBatch(order.pack) : unpackBatch(order.unpack);
      scope.postMessage({ id, result }, [
        'data' in result ? result.data.buffer : result.packed.buffer,
      ]);
    } catch (error) {
      // Anything else is a defect: it ends this worker, and the pool notices.
      if (!isImageError(error)) throw error;
      scope.postMessage({ id, code: error.code, details: error.details }, []);
    }
  };
  scope.onmessage = ({ data: order }) => {
    if ('pack' in order || hasUnpacker(order.unpack.codec)) answer(order);
    // Where it cannot be loaded, answering says so.
    else void loadUnpacker(order.unpack.codec).finally(() => answer(order));
  };
}
