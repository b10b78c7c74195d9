/** The page's side of the worker: the only way from the app to the engine. */
import { type Remote, transfer, wrap } from 'comlink';
import { ImageError, isImageError } from '../engine/errors.ts';
import type {
  AddressSpace,
  BitmapContents,
  Bytes,
  EngineApi,
  EngineFacts,
  GivenFile,
  ImageId,
  JobRequest,
  JobResults,
  ListAnswer,
  ListQuestion,
  OpenedImage,
  OpenOptions,
  PictureRun,
  Place,
  PrivateFile,
  RecoveredChange,
  StructureNode,
} from './api.ts';
import { type Job, JobEnd, type JobKind, type JobListeners, type RequestOf } from './client-job.ts';
import { carryErrors } from './wire.ts';

export type { Job, JobKind, JobListeners, JobProgress, RequestOf } from './client-job.ts';

/** How an {@link EngineClient} watches over its worker. */
export interface ClientOptions {
  /** Makes the worker; for tests. */
  start?: () => Worker;
  /** Milliseconds between two signs of life, asked for while something is pending. */
  beat?: number;
  /** Milliseconds without any sign of life after which the worker counts as dead. */
  patience?: number;
}

/** One worker with what is pending in it. Kept whole: a proxy that is collected loses its calls. */
interface Life {
  worker: Worker;
  api: Remote<EngineApi>;
  /** How to end each call and job that has not ended yet. */
  pending: Set<(error: ImageError) => void>;
  /** Milliseconds (performance.now) of the last sign of life and of the last look at it. */
  heard: number;
  looked: number;
  timer: ReturnType<typeof setInterval> | undefined;
}

function engineWorker(): Worker {
  return new Worker(new URL('./engine.worker.ts', import.meta.url), {
    type: 'module',
    name: 'engine',
  });
}

carryErrors();

/**
 * Calls and jobs in the engine's worker. Everything pending rejects with `worker-died` when the
 * worker ends; images that were open in it are gone then, and the next call starts a new worker.
 */
export class EngineClient {
  readonly #options: Required<ClientOptions>;
  readonly #mourners = new Set<(error: ImageError) => void>();
  #life: Life | undefined;
  #jobs = 0;

  constructor(options: ClientOptions = {}) {
    this.#options = { start: engineWorker, beat: 1000, patience: 10_000, ...options };
  }

  /** Calls `listener` whenever a worker died; returns how to stop listening. */
  onDeath(listener: (error: ImageError) => void): () => void {
    this.#mourners.add(listener);
    return () => this.#mourners.delete(listener);
  }

  /** Starts the worker ahead of the first call. */
  warmUp(): void {
    this.#alive();
  }

  facts(): Promise<EngineFacts> {
    return this.#call((api) => api.facts());
  }

  /** Opens an image for reading. */
  open(file: File, options: OpenOptions = {}): Promise<OpenedImage> {
    return this.#call((api) => api.open(file, options));
  }

  /** Gives the file for a place of its chain: {@link EngineApi.attach}. */
  attach(image: ImageId, key: string, file: File): Promise<OpenedImage> {
    return this.#call((api) => api.attach(image, key, file));
  }

  /** Gives several files at once: {@link EngineApi.attachAll}. */
  attachAll(image: ImageId, files: GivenFile[]): Promise<OpenedImage> {
    return this.#call((api) => api.attachAll(image, files));
  }

  /** Takes a file of its chain away again. */
  detach(image: ImageId, key: string): Promise<OpenedImage> {
    return this.#call((api) => api.detach(image, key));
  }

  /** Unlocks a file of its chain. The passphrase goes over to the worker: here it is empty then. */
  unlock(image: ImageId, key: string, passphrase: Uint8Array<ArrayBuffer>): Promise<OpenedImage> {
    return this.#call((api) => api.unlock(image, key, transfer(passphrase, [passphrase.buffer])));
  }

  /** What the dirty bitmap of that name marks. */
  bitmap(image: ImageId, name: string): Promise<BitmapContents> {
    return this.#call((api) => api.bitmap(image, name));
  }

  /** Takes back the last change that is not saved. */
  undoEdit(image: ImageId): Promise<OpenedImage> {
    return this.#call((api) => api.undoEdit(image));
  }

  /** Takes back all of them. */
  clearEdits(image: ImageId): Promise<OpenedImage> {
    return this.#call((api) => api.clearEdits(image));
  }

  /** {@link EngineApi.redoEdit}. */
  redoEdit(image: ImageId): Promise<OpenedImage> {
    return this.#call((api) => api.redoEdit(image));
  }

  /** {@link EngineApi.place}. */
  place(image: ImageId, space: AddressSpace, offset: number): Promise<Place> {
    return this.#call((api) => api.place(image, space, offset));
  }

  /** {@link EngineApi.runs}. */
  runs(image: ImageId, space: AddressSpace, offset: number, most: number): Promise<PictureRun[]> {
    return this.#call((api) => api.runs(image, space, offset, most));
  }

  /** {@link EngineApi.nodes}. */
  nodes(image: ImageId, id: string, from: number, most: number): Promise<StructureNode[]> {
    return this.#call((api) => api.nodes(image, id, from, most));
  }

  /** {@link EngineApi.nodesAt}. */
  nodesAt(image: ImageId, offset: number): Promise<StructureNode[]> {
    return this.#call((api) => api.nodesAt(image, offset));
  }

  /** {@link EngineApi.nodesTo}. */
  nodesTo(image: ImageId, id: string): Promise<StructureNode[]> {
    return this.#call((api) => api.nodesTo(image, id));
  }

  /** {@link EngineApi.bytes}. */
  bytes(image: ImageId, space: AddressSpace, offset: number, length: number): Promise<Bytes> {
    return this.#call((api) => api.bytes(image, space, offset, length));
  }

  /** {@link EngineApi.recoveredChanges}. */
  recoveredChanges(): Promise<RecoveredChange[]> {
    return this.#call((api) => api.recoveredChanges());
  }

  close(image: ImageId): Promise<void> {
    return this.#call((api) => api.close(image));
  }

  /** {@link EngineApi.leaveChoice}. */
  leaveChoice(session: number): Promise<void> {
    return this.#call((api) => api.leaveChoice(session));
  }

  /** What published checksums say of a file. */
  askList(question: ListQuestion): Promise<ListAnswer> {
    return this.#call((api) => api.askList(question));
  }

  privateFiles(): Promise<PrivateFile[]> {
    return this.#call((api) => api.privateFiles());
  }

  privateFile(name: string): Promise<File> {
    return this.#call((api) => api.privateFile(name));
  }

  deletePrivateFile(name: string): Promise<void> {
    return this.#call((api) => api.deletePrivateFile(name));
  }

  /** Starts a job. Never throws; what goes wrong rejects its promise. */
  start<Kind extends JobKind>(
    request: RequestOf<Kind>,
    listeners: JobListeners = {},
  ): Job<JobResults[Kind]> {
    const life = this.#alive();
    const channel = new MessageChannel();
    const end = new JobEnd<Kind>(channel.port1, listeners);
    const fail = (error: ImageError): void => end.fail(error);
    const started = this.#call((api) =>
      api.start(transfer(request, secretsOf(request)), transfer(channel.port2, [channel.port2])),
    );
    started.catch((error: unknown) => fail(imageError(error)));
    this.#expect(life, fail);
    end.promise.finally(() => this.#settled(life, fail)).catch(() => undefined);
    const cancel = (): void => {
      started.then((id) => this.#call((api) => api.cancel(id))).catch(() => undefined);
    };
    const pause = (): void => {
      started.then((id) => this.#call((api) => api.pause(id))).catch(() => undefined);
    };
    const resume = (): void => {
      started.then((id) => this.#call((api) => api.resume(id))).catch(() => undefined);
    };
    return { id: ++this.#jobs, promise: end.promise, cancel, pause, resume };
  }

  /** Ends the worker and with it everything that is open or running. */
  stop(): void {
    if (this.#life !== undefined) this.#end(this.#life, 'stopped');
  }

  #alive(): Life {
    if (this.#life !== undefined) return this.#life;
    const worker = this.#options.start();
    const now = performance.now();
    const life: Life = {
      worker,
      api: wrap<EngineApi>(worker),
      pending: new Set(),
      heard: now,
      looked: now,
      timer: undefined,
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#die(life, event.message === '' ? 'the worker could not be loaded' : event.message);
    };
    worker.onmessageerror = () => this.#die(life, 'an unreadable message');
    this.#life = life;
    return life;
  }

  async #call<Result>(ask: (api: Remote<EngineApi>) => Promise<Result>): Promise<Result> {
    const life = this.#alive();
    let fail: (error: ImageError) => void = () => undefined;
    const death = new Promise<never>((_, reject) => {
      fail = reject;
    });
    this.#expect(life, fail);
    try {
      return await Promise.race([ask(life.api), death]);
    } finally {
      life.heard = performance.now();
      this.#settled(life, fail);
    }
  }

  #expect(life: Life, fail: (error: ImageError) => void): void {
    life.pending.add(fail);
    if (life.timer !== undefined) return;
    life.heard = performance.now();
    life.looked = life.heard;
    life.timer = setInterval(() => this.#look(life), this.#options.beat);
  }

  #settled(life: Life, fail: (error: ImageError) => void): void {
    life.pending.delete(fail);
    if (life.pending.size > 0) return;
    clearInterval(life.timer);
    life.timer = undefined;
  }

  /** Asks for a sign of life, and looks how long ago the last one was. */
  #look(life: Life): void {
    const now = performance.now();
    // After a sleep of the machine, or in a hidden tab, the page itself was away: start anew.
    const away = now - life.looked > 5 * this.#options.beat;
    life.looked = now;
    if (away) life.heard = now;
    if (now - life.heard > this.#options.patience) {
      this.#die(life, 'no answer');
      return;
    }
    life.api.ping().then(
      () => {
        life.heard = performance.now();
      },
      () => undefined,
    );
  }

  #die(life: Life, reason: string): void {
    if (this.#life !== life) return;
    const error = this.#end(life, reason);
    for (const mourn of this.#mourners) mourn(error);
  }

  #end(life: Life, reason: string): ImageError {
    const error = new ImageError('worker-died', { reason });
    this.#life = undefined;
    clearInterval(life.timer);
    life.worker.terminate();
    for (const fail of life.pending) fail(error);
    return error;
  }
}

function imageError(error: unknown): ImageError {
  if (isImageError(error)) return error;
  return new ImageError('internal', { reason: String(error) });
}

/** Passphrases go over to the worker: here they are empty then. */
function secretsOf(request: JobRequest): Transferable[] {
  if (request.kind !== 'edit' || request.edit.kind !== 'add-passphrase') return [];
  const { passphrase, current } = request.edit;
  return [passphrase.buffer, current.buffer];
}
