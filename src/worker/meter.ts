import type { Progress, Stage } from '../engine/index.ts';
import type { JobEvent } from './api.ts';

/** Milliseconds between two events of progress. */
const INTERVAL = 100;
/** Milliseconds over which the rate is taken: long enough not to twitch, short enough to follow. */
const WINDOW = 4000;

interface Sample {
  time: number;
  done: number;
}

/**
 * Thins the progress of a job to about ten events a second and adds the rate. The first event of a
 * stage and its last (when all is done) always pass.
 */
export class Meter {
  readonly #send: (event: JobEvent) => void;
  readonly #now: () => number;
  #stage: Stage | undefined;
  #sent = -Infinity;
  #samples: Sample[] = [];

  constructor(send: (event: JobEvent) => void, now: () => number = () => performance.now()) {
    this.#send = send;
    this.#now = now;
  }

  /** Takes a progress report of the engine. */
  report({ stage, done, total }: Progress): void {
    const time = this.#now();
    if (stage !== this.#stage) {
      this.#stage = stage;
      this.#samples = [];
    } else if (time - this.#sent < INTERVAL && done < total) {
      return;
    }
    this.#sent = time;
    this.#send({ type: 'progress', stage, done, total, rate: this.#rate({ time, done }) });
  }

  /** Bytes a second from the oldest sample of the window to this one; 0 until that says anything. */
  #rate(sample: Sample): number {
    this.#samples.push(sample);
    while ((this.#samples[1]?.time ?? Infinity) <= sample.time - WINDOW) this.#samples.shift();
    const oldest = this.#samples[0] ?? sample;
    const time = sample.time - oldest.time;
    return time < INTERVAL ? 0 : Math.max(0, ((sample.done - oldest.done) / time) * 1000);
  }
}
