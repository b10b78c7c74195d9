import type { CommandHost } from './host.ts';
import { toDecimals } from './sizes.ts';

/** Shows progress as qemu-img does: a line that is overwritten, in steps of one per cent. */
export class ProgressLine {
  readonly #host: CommandHost;
  readonly #shown: boolean;
  #last = -1;

  constructor(host: CommandHost, shown: boolean) {
    this.#host = host;
    this.#shown = shown;
  }

  /** @param fraction how much is done, 0 to 1 */
  show(fraction: number): void {
    if (!this.#shown) return;
    const percent = Math.min(100, Math.max(0, fraction * 100));
    const due = this.#last < 0 || percent > this.#last + 1 || percent === 100;
    if (!due || percent === this.#last) return;
    this.#last = percent;
    this.#host.stdout(`    (${toDecimals(percent, 2)}/100%)\r`);
  }

  /** Leaves the line. */
  end(): void {
    if (this.#shown) this.#host.stdout('\n');
  }
}

/** The same for work that counts in steps: also where it goes back, and each time it is at an end. */
export class StepLine {
  readonly #host: CommandHost;
  readonly #shown: boolean;
  #last = 0;

  constructor(host: CommandHost, shown: boolean) {
    this.#host = host;
    this.#shown = shown;
  }

  /** @param percent how much is done, 0 to 100 */
  show(percent: number): void {
    if (!this.#shown) return;
    const now = Math.fround(Math.min(100, percent));
    const isEnd = now === 0 || now === 100;
    if (!isEnd && Math.abs(now - this.#last) <= 1) return;
    this.#last = now;
    this.#host.stdout(`    (${toDecimals(now, 2)}/100%)\r`);
  }

  /** Leaves the line. */
  end(): void {
    if (this.#shown) this.#host.stdout('\n');
  }
}
