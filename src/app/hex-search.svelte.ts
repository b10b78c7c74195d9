import type { AddressSpace, SearchResult } from '../worker/api.ts';
import { announcer } from './announcer.svelte.ts';
import { parseHex, type ParsedPatterns, textPatterns } from './hex-pattern.ts';
import { jobs, type RunningJob } from './jobs.svelte.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { type Problem, toProblem } from './problem.ts';
import { words } from './words.svelte.ts';

/** Matches that are looked for at once. */
export const MOST_MATCHES = 1000;

export interface Match {
  offset: number;
  length: number;
}

/** What was found, and where. */
export interface Found {
  space: AddressSpace;
  matches: Match[];
  /** Bytes that were looked at, and that nobody can read. */
  searched: number;
  unreadable: number;
  /** Where it ended. */
  end: number;
  size: number;
}

/** Looking for bytes in one image. */
export class HexSearch {
  what = $state<'text' | 'hex'>('text');
  text = $state('');
  ignoreCase = $state(true);
  job = $state.raw<RunningJob>();
  found = $state.raw<Found>();
  problem = $state.raw<Problem>();
  cancelled = $state(false);
  /** Which match is shown; -1: none yet. */
  current = $state(-1);
  #patterns: Uint8Array<ArrayBuffer>[] = [];

  /** What is to be looked for, or why that is nothing. */
  readonly parsed = $derived.by((): ParsedPatterns =>
    this.what === 'hex' ? parseHex(this.text) : textPatterns(this.text),
  );

  /** Looks through all of the file or disk. Returns the first match. */
  async run(image: OpenImage, space: AddressSpace, size: number): Promise<Match | undefined> {
    if ('problem' in this.parsed) return undefined;
    this.#patterns = this.parsed.patterns;
    this.found = undefined;
    this.current = -1;
    await this.#search(image, space, 0, size);
    return this.step(1);
  }

  /** Goes on where a search ended because there were many matches. */
  async goOn(image: OpenImage): Promise<void> {
    const { found } = this;
    if (found !== undefined) await this.#search(image, found.space, found.end, found.size);
  }

  async #search(image: OpenImage, space: AddressSpace, from: number, to: number): Promise<void> {
    if (image.opened === undefined || this.job !== undefined) return;
    this.problem = undefined;
    this.cancelled = false;
    // Copies: a request's bytes stay here, for the next part.
    const patterns = this.#patterns.map((pattern) => pattern.slice());
    const ignoreCase = this.what === 'text' && this.ignoreCase;
    const { id } = image.opened;
    const where = { image: id, space, from, to, most: MOST_MATCHES };
    try {
      const result = await jobs.run<'search'>(
        { kind: 'search', patterns, ignoreCase, ...where },
        image.name,
        { running: (job) => (this.job = job), quiet: true },
      );
      this.#take(result, space, to);
    } catch (error) {
      const problem = toProblem(error, image.name);
      if (problem.code === 'cancelled') this.cancelled = true;
      else this.problem = problem;
    }
  }

  #take({ matches, searched, end, unreadable }: SearchResult, space: AddressSpace, to: number) {
    const before = this.found;
    this.found = {
      space,
      matches: [...(before?.matches ?? []), ...matches],
      searched: (before?.searched ?? 0) + searched,
      unreadable: (before?.unreadable ?? 0) + unreadable,
      end,
      size: to,
    };
    const { length } = this.found.matches;
    announcer.say(words.part('structure').find.count(length, end < to));
  }

  /** The next match, or the one before; around the ends. */
  step(by: 1 | -1): Match | undefined {
    const matches = this.found?.matches ?? [];
    if (matches.length === 0) return undefined;
    const next = this.current < 0 && by < 0 ? -1 : this.current + by;
    this.current = (next + matches.length) % matches.length;
    return matches[this.current];
  }

  /** What was found is of an image that is another one now. */
  forget(): void {
    this.job?.cancel();
    this.found = undefined;
    this.current = -1;
  }
}
