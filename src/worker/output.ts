import type { JobEvent } from './api.ts';

type Stream = 'out' | 'err';

/** Milliseconds that text waits for more of the same stream. */
const WAIT = 30;
/** Characters that are sent without waiting. */
const ENOUGH = 32 * 1024;

/** Gathers what a command writes, so that ten thousand lines are not ten thousand messages. */
export class Output {
  readonly #send: (event: JobEvent) => void;
  #stream: Stream = 'out';
  #text = '';
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(send: (event: JobEvent) => void) {
    this.#send = send;
  }

  /** Takes text; the order between the streams is kept. */
  write(stream: Stream, text: string): void {
    if (stream !== this.#stream) this.flush();
    this.#stream = stream;
    this.#text += text;
    if (this.#text.length >= ENOUGH) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), WAIT);
  }

  /** Sends what is there; to be called before the job ends. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#text !== '') {
      this.#send({ type: 'output', stream: this.#stream, text: this.#text });
    }
    this.#text = '';
  }
}
