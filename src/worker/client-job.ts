import { ImageError } from '../engine/errors.ts';
import type { JobEvent, JobRequest, JobResults, LeftBehind, Stage } from './api.ts';
import { fromWire } from './wire.ts';

/** The kinds of jobs. */
export type JobKind = JobRequest['kind'];
/** The request of one kind. */
export type RequestOf<Kind extends JobKind> = Extract<JobRequest, { kind: Kind }>;

/** Progress as the page sees it: about ten times a second. Bytes; rate in bytes a second. */
export interface JobProgress {
  stage: Stage;
  done: number;
  total: number;
  /** Over the last seconds; 0 while unknown. */
  rate: number;
}

/** Whoever wants to hear of a job while it runs. */
export interface JobListeners {
  progress?: ((progress: JobProgress) => void) | undefined;
  /** Text of a command, in the order in which it was written. */
  output?: ((stream: 'out' | 'err', text: string) => void) | undefined;
  /** Called before `promise` rejects, when the job made a result: what became of it. */
  left?: ((left: LeftBehind) => void) | undefined;
}

/** A job that was started. */
export interface Job<Result> {
  /** Unique on this page. */
  readonly id: number;
  /**
   * Its result. Rejects with an ImageError: `cancelled` after {@link Job.cancel}, `worker-died`
   * when the worker ended, else what stopped the work.
   */
  readonly promise: Promise<Result>;
  /** Asks it to stop: `promise` rejects within about 0.1 s. No effect once it has ended. */
  cancel(): void;
  /** Lets it stand still, or go on. No effect once it has ended. */
  pause(): void;
  resume(): void;
}

/** The page's end of one job: turns its events into a promise and calls of listeners. */
export class JobEnd<Kind extends JobKind> {
  readonly promise: Promise<JobResults[Kind]>;
  readonly #port: MessagePort;
  readonly #listeners: JobListeners;
  #resolve: (result: JobResults[Kind]) => void = () => undefined;
  #reject: (error: ImageError) => void = () => undefined;

  constructor(port: MessagePort, listeners: JobListeners) {
    this.#port = port;
    this.#listeners = listeners;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    port.onmessage = (message: MessageEvent<JobEvent>) => this.#hear(message.data);
    port.onmessageerror = () =>
      this.fail(new ImageError('internal', { reason: 'unreadable job event' }));
  }

  /** Ends the job on this side. */
  fail(error: ImageError): void {
    this.#port.close();
    this.#reject(error);
  }

  #hear(event: JobEvent): void {
    switch (event.type) {
      case 'progress': {
        const { stage, done, total, rate } = event;
        this.#listeners.progress?.({ stage, done, total, rate });
        break;
      }
      case 'output':
        this.#listeners.output?.(event.stream, event.text);
        break;
      case 'done':
        this.#port.close();
        // The worker answers a request with the result of its kind; only that is typed there.
        this.#resolve(event.result as JobResults[Kind]);
        break;
      case 'failed':
        if (event.left !== undefined) this.#listeners.left?.(event.left);
        this.fail(fromWire(event.error));
        break;
    }
  }
}
