/** Remembering what a backing image was like, to notice when it changes under its overlays. */
import type { Disk } from '../formats/format.ts';
import type { RunOptions } from '../operations/operation.ts';
import type { GuardFacts } from './facts.ts';

/** What is remembered of a base. Plain data. */
export interface BaseFingerprint {
  /** Milliseconds since 1970. */
  taken: number;
  /** Bytes. */
  fileSize: number;
  virtualSize: number;
  /** SHA-256 of its header and tables, hex. */
  metadata: string;
  /** SHA-256 over samples of its content at places that depend on its size alone, hex. */
  samples: string;
}

/** What a base is like now. @throws those of reading */
export function fingerprintOf(
  _disk: Disk,
  _now: number,
  _options?: RunOptions,
): Promise<BaseFingerprint> {
  return Promise.reject(new Error('not built'));
}

/** Holds the base against what is remembered of it. */
export function guardFactsOf(
  _overlay: Disk,
  _remembered: BaseFingerprint | undefined,
  _options: RunOptions,
): Promise<GuardFacts | undefined> {
  return Promise.resolve(undefined);
}
