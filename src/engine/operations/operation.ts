/** What all operations have in common: how they report progress and how they are stopped. */

/** What a running operation is doing. */
export type Stage =
  | 'planning'
  | 'changing'
  | 'checking'
  | 'preparing'
  | 'unpacking'
  | 'copying'
  | 'writing'
  | 'comparing'
  | 'digesting'
  | 'searching'
  | 'reading'
  | 'verifying'
  | 'finishing';

/** Progress in bytes of work (guest bytes when copying, table bytes when checking). */
export interface Progress {
  stage: Stage;
  done: number;
  total: number;
}

export interface RunOptions {
  /** Asked at least every 50 ms of work. */
  signal?: AbortSignal | undefined;
  /** Called often; receivers throttle. */
  progress?: ((progress: Progress) => void) | undefined;
}
