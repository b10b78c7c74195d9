import type { ChecksumResult, ChecksumVerdict, Expectation, HashName } from '../worker/api.ts';
import type { RunningJob } from './jobs.svelte.ts';
import type { Problem } from './problem.ts';

/** How people write the names. */
export const ALGORITHMS: Record<HashName, string> = { sha256: 'SHA-256', sha512: 'SHA-512' };

/** Digests of one thing: before, during and after. */
export class DigestState {
  job = $state.raw<RunningJob>();
  results = $state.raw<Partial<Record<HashName, ChecksumResult>>>({});
  problem = $state.raw<Problem>();
  cancelled = $state(false);
}

/** The checksums of one image, and what the person has of its publisher. */
export class ChecksumState {
  /** Of the file, and of the disk in it. */
  readonly file = new DigestState();
  readonly content = new DigestState();
  /** A published digest, or lines of a list, as they were pasted. */
  pasted = $state('');
  /** A list that was chosen or dropped; it counts in place of what was pasted. */
  list = $state.raw<{ name: string; text: string }>();
  /** The name of a file that is too large to be a list. */
  tooLarge = $state('');
  expectation = $state.raw<Expectation>();
  verdict = $state.raw<ChecksumVerdict>();

  /** What the publisher says; '' when nobody told. */
  get published(): string {
    return this.list?.text ?? this.pasted;
  }

  /** The algorithm that is asked for. */
  get algorithm(): HashName {
    const { expectation } = this;
    return expectation !== undefined && 'algorithm' in expectation
      ? expectation.algorithm
      : 'sha256';
  }

  get busy(): boolean {
    return this.file.job !== undefined || this.content.job !== undefined;
  }

  cancel(): void {
    this.file.job?.cancel();
    this.content.job?.cancel();
  }
}
