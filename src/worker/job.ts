import type { Progress } from '../engine/index.ts';
import type { LeftBehind } from './api.ts';
import type { Images } from './images.ts';

/** What a job is given while it runs. */
export interface JobContext {
  readonly images: Images;
  readonly signal: AbortSignal;
  progress(progress: Progress): void;
  output(stream: 'out' | 'err', text: string): void;
  /** Notes what becomes of the result when the job does not end well. */
  leave(left: LeftBehind): void;
}
