import type {
  CheckReport,
  ConvertResult,
  ImageInfo,
  LeftBehind,
  OpenedImage,
} from '../worker/api.ts';
import { ChecksumState } from './checksum-state.svelte.ts';
import type { Chosen } from './files.ts';
import type { RunningJob } from './jobs.svelte.ts';
import type { Problem } from './problem.ts';

/** What can be done with an image: its tabs, in the order of the keys 1 to 5. */
export const PANELS = ['overview', 'check', 'convert', 'checksum', 'console'] as const;
export type Panel = (typeof PANELS)[number];

/** The check of one image: before, during and after. */
export class CheckState {
  job = $state.raw<RunningJob>();
  report = $state.raw<CheckReport>();
  problem = $state.raw<Problem>();
  cancelled = $state(false);
  /** Milliseconds that it took. */
  elapsed = $state(0);
}

/** The conversion of one image: what is wanted, what runs, what came out. */
export class ConvertState {
  /** Name of the result. */
  name = $state('');
  where = $state<'place' | 'browser'>('browser');
  verify = $state(true);
  job = $state.raw<RunningJob>();
  result = $state.raw<ConvertResult>();
  /** Where the result is, when it went to a place that the person chose. */
  handle = $state.raw<FileSystemFileHandle>();
  problem = $state.raw<Problem>();
  cancelled = $state(false);
  left = $state.raw<LeftBehind>();
  /** The person closed the question where to put it. */
  notChosen = $state(false);
  downloaded = $state(false);
  deleted = $state(false);
}

let keys = 0;

/** One file that the person opened, with all that is known of it. Big data is never deep state. */
export class OpenImage {
  readonly key = ++keys;
  chosen = $state.raw<Chosen>() as Chosen;
  phase = $state<'opening' | 'open' | 'failed'>('opening');
  opened = $state.raw<OpenedImage>();
  problem = $state.raw<Problem>();
  /** Taken as a raw disk because the person said so. */
  raw = $state(false);
  /** The file on disk is not the one that was opened any more. */
  changed = $state(false);
  backing = $state.raw<Chosen>();
  backingProblem = $state.raw<Problem>();
  panel = $state<Panel>('overview');
  check = $state.raw(new CheckState());
  convert = $state.raw(new ConvertState());
  checksum = $state.raw(new ChecksumState());

  constructor(chosen: Chosen) {
    this.chosen = chosen;
  }

  get name(): string {
    return this.chosen.file.name;
  }

  get info(): ImageInfo | undefined {
    return this.opened?.info;
  }

  /** Whether something works on it now. */
  get busy(): boolean {
    return this.check.job !== undefined || this.convert.job !== undefined || this.checksum.busy;
  }

  /** The image names a backing file, and nobody has given it. */
  get backingMissing(): boolean {
    return this.info?.backing?.found === false;
  }
}
