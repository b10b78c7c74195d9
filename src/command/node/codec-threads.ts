/** Packing and unpacking in threads of Node's. */
import { availableParallelism } from 'node:os';
import { parentPort, Worker } from 'node:worker_threads';
import {
  type CodecAnswer,
  type CodecOrder,
  type CodecPool,
  type CodecScope,
  type CodecWorker,
  type CompressBatch,
  type DecompressBatch,
  InlinePool,
  type PackedBatch,
  poolSize,
  serveCodec,
  type UnpackedBatch,
  WorkerPool,
} from '../../engine/index.ts';

/**
 * Bytes to unpack from which on threads are worth their start, which takes as long as a few
 * megabytes. Packing takes {@link PACKING_WEIGHT} times as long.
 */
const WORTH_THREADS = 8 * 1024 * 1024;
const PACKING_WEIGHT = 8;

/** A thread as the pool knows its workers. */
class Thread implements CodecWorker {
  onmessage: CodecWorker['onmessage'] = null;
  onerror: CodecWorker['onerror'] = null;
  readonly #worker: Worker;
  #isOver = false;

  constructor(program: URL) {
    this.#worker = new Worker(program);
    this.#worker.on('message', (data: CodecAnswer) =>
      this.onmessage?.(new MessageEvent('message', { data })),
    );
    this.#worker.on('error', () => this.#fail());
    this.#worker.on('exit', () => this.#fail());
  }

  postMessage(message: unknown, transfer: ArrayBuffer[]): void {
    this.#worker.postMessage(message, transfer);
  }

  terminate(): void {
    this.#isOver = true;
    void this.#worker.terminate();
  }

  #fail(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.onerror?.(new Event('error') as ErrorEvent);
  }
}

/** Does a little work on the calling thread, and starts others for it when there is more. */
export class ThreadPool implements CodecPool {
  readonly concurrency: number;
  readonly #program: URL;
  readonly #size = poolSize(availableParallelism());
  readonly #inline = new InlinePool();
  #threads: WorkerPool | undefined;
  #work = 0;
  #closed = false;

  /** @param program what threads run: it has to call {@link serveThread} */
  constructor(program: URL) {
    this.#program = program;
    this.concurrency = 2 * this.#size;
  }

  unpack(batch: DecompressBatch): Promise<UnpackedBatch> {
    return this.#poolFor(batch.clusters.length * batch.clusterSize).unpack(batch);
  }

  pack(batch: CompressBatch): Promise<PackedBatch> {
    return this.#poolFor(batch.data.length * PACKING_WEIGHT).pack(batch);
  }

  close(): void {
    this.#closed = true;
    this.#inline.close();
    this.#threads?.close();
  }

  #poolFor(work: number): CodecPool {
    this.#work += work;
    if (this.#work <= WORTH_THREADS || this.#closed) return this.#inline;
    return (this.#threads ??= new WorkerPool(() => new Thread(this.#program), this.#size));
  }
}

/** What a thread does: it answers the orders of the pool that started it. */
export function serveThread(): void {
  const port = parentPort;
  if (port === null) return;
  const scope: CodecScope = {
    onmessage: null,
    postMessage: (answer, transfer) => port.postMessage(answer, transfer as ArrayBuffer[]),
  };
  serveCodec(scope);
  port.on('message', (data: CodecOrder) =>
    scope.onmessage?.(new MessageEvent('message', { data })),
  );
}
