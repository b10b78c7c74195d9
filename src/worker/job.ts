import type { Progress } from '../engine/index.ts';
import type { LeftBehind } from './api.ts';
import type { Images } from './images.ts';

/** What a job is given while it runs. */
export interface JobContext {
  readonly images: Images;
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
  readonly output: (stream: 'out' | 'err', text: string) => void;
  /** Notes what becomes of the result when the job does not end well. */
  readonly leave: (left: LeftBehind) => void;
}
